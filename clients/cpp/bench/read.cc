// What a read of the near cache costs: client_bench_read [KEYS [READERS]]
//
// It needs no node: it fills the copy as a watch does, and each reader reads for two seconds. It prints nanoseconds of
// the processor a read: for the keys in the order in which they were made, whose memory lies side by side, and at
// random, where each read waits for memory; both also while 200 keys change every 10 ms.
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "clients/cpp/io/map_feed.h"

namespace leasemap::internal {
namespace {

constexpr auto kEach = std::chrono::seconds(2);
constexpr int kChanges = 200;
constexpr int kReadsAtOnce = 1000;

EntryPtr MakeEntry(const std::string& key, int number) {
  auto entry = std::make_shared<Entry>();
  entry->key = key;
  entry->value = "value " + std::to_string(number);
  entry->has_value = true;
  return entry;
}

// Of this thread, so that other programs on the machine do not count.
int64_t ProcessorNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

// Nanoseconds a read. `next` gives each reader the number of its next key.
template <typename Next, typename Read>
double Measure(int readers, const std::vector<std::string>& keys, Next next, Read read) {
  std::atomic<int64_t> reads = 0, took = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < readers; ++i) {
    threads.emplace_back([&, mine = next, i]() mutable {
      mine.Begin(i);
      int64_t count = 0;
      const int64_t begin = ProcessorNs();
      for (; !stop; count += kReadsAtOnce) {
        for (int j = 0; j < kReadsAtOnce; ++j) read(keys[mine.Key(keys.size())]);
      }
      took += ProcessorNs() - begin;
      reads += count;
    });
  }
  std::this_thread::sleep_for(kEach);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(took) / static_cast<double>(reads);
}

struct InOrder {
  void Begin(int reader) { at = static_cast<size_t>(reader) * 1000; }
  size_t Key(size_t keys) { return at++ % keys; }
  size_t at = 0;
};
struct AtRandom {
  void Begin(int reader) { random.seed(reader + 1); }
  size_t Key(size_t keys) { return random() % keys; }
  std::minstd_rand random;
};

void Run(int count, int readers) {
  Table table;
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) {
    keys.push_back("config/" + std::to_string(i));
    table.Show(keys.back(), MakeEntry(keys.back(), i));
  }
  const auto get = [&table](const std::string& key) {
    if (!table.Get(key)) std::abort();
  };
  const auto find = [&table](const std::string& key) {
    if (!table.Find(key)) std::abort();
  };
  const auto show = [&](const char* what) {
    std::cout << count << " keys, " << readers << " readers, " << what << ": in order Get "
              << Measure(readers, keys, InOrder(), get) << " ns, Find " << Measure(readers, keys, InOrder(), find)
              << " ns; at random Get " << Measure(readers, keys, AtRandom(), get) << " ns, Find "
              << Measure(readers, keys, AtRandom(), find) << " ns\n";
  };
  show("at rest");
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int round = 0; !stop; ++round) {
      for (int i = 0; i < kChanges; ++i) {
        const std::string& key = keys[(round * kChanges + i) % keys.size()];
        table.Show(key, MakeEntry(key, round));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  show("while keys change");
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace leasemap::internal

int main(int argc, char** argv) {
  const int keys = argc > 1 ? std::atoi(argv[1]) : 100'000;
  const int readers = argc > 2 ? std::atoi(argv[2]) : 1;
  leasemap::internal::Run(keys > 0 ? keys : 1, readers > 0 ? readers : 1);
}
