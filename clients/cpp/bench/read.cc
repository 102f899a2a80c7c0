// What a read of the near cache costs: client_bench [KEYS [READERS]]
//
// It needs no node: it fills the copy as a watch does, reads random keys by each reader for a while, and prints
// nanoseconds a read. With `changes` the same while 200 keys change every 10 ms.
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

EntryPtr MakeEntry(const std::string& key, int number) {
  auto entry = std::make_shared<Entry>();
  entry->key = key;
  entry->value = "value " + std::to_string(number);
  entry->has_value = true;
  return entry;
}

// Nanoseconds a read, as each reader sees it.
template <typename Read>
double Measure(int readers, const std::vector<std::string>& keys, Read read) {
  std::atomic<uint64_t> reads = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < readers; ++i) {
    threads.emplace_back([&, i] {
      std::minstd_rand random(i + 1);
      uint64_t mine = 0;
      while (!stop) {
        for (int j = 0; j < 1000; ++j) read(keys[random() % keys.size()]);
        mine += 1000;
      }
      reads += mine;
    });
  }
  std::this_thread::sleep_for(kEach);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  return took.count() * readers / static_cast<double>(reads);
}

void Run(int count, int readers) {
  Table table;
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) {
    keys.push_back("services/web/" + std::to_string(i));
    table.Show(keys.back(), MakeEntry(keys.back(), i));
  }
  const auto get = [&table](const std::string& key) {
    if (!table.Get(key)) std::abort();
  };
  const auto find = [&table](const std::string& key) {
    if (!table.Find(key)) std::abort();
  };
  const auto show = [&](const char* what) {
    std::cout << what << ": Get " << Measure(readers, keys, get) << " ns, Find " << Measure(readers, keys, find)
              << " ns a read (" << count << " keys, " << readers << " readers)\n";
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
  show("while 200 keys change every 10 ms");
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
