// What calls of the client cost: client_bench_call HOST:PORT
//
// It prints the microseconds of a Get and of a Set, one after another, and how many Sets a second go through where 100
// are under way at once.
#include <algorithm>
#include <atomic>
#include <iostream>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "leasemap/leasemap.h"

namespace {

constexpr int kCalls = 3000;
constexpr int kAtOnce = 100;

template <typename Call>
void Measure(const char* what, Call call) {
  std::vector<double> took;
  for (int i = 0; i < kCalls; ++i) {
    const absl::Time begin = absl::Now();
    if (const absl::Status status = call(i); !status.ok()) {
      std::cerr << status << "\n";
      return;
    }
    took.push_back(absl::ToDoubleMicroseconds(absl::Now() - begin));
  }
  std::sort(took.begin(), took.end());
  std::cout << what << ": " << took[kCalls / 2] << " us in the middle, " << took[kCalls * 99 / 100]
            << " us for the slowest of a hundred\n";
}

// Each answer sends the next one.
class Pipeline {
 public:
  explicit Pipeline(leasemap::Client& client) : client_(client) {}

  void Run() {
    const absl::Time begin = absl::Now();
    for (int i = 0; i < kAtOnce; ++i) Send();
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Pipeline::IsDone));
    std::cout << "Sets, " << kAtOnce << " at once: " << kCalls / absl::ToDoubleSeconds(absl::Now() - begin)
              << " a second\n";
  }

 private:
  bool IsDone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return done_ >= kCalls; }
  void Send() {
    const int number = sent_++;
    if (number >= kCalls) return;
    client_.SetAsync("bench/" + std::to_string(number % 1000), "value",
                     [this](const absl::StatusOr<leasemap::Entry>& entry) {
                       if (!entry.ok()) std::cerr << entry.status() << "\n";
                       Send();
                       absl::MutexLock lock(&mutex_);
                       ++done_;
                     });
  }

  leasemap::Client& client_;
  std::atomic<int> sent_ = 0;
  absl::Mutex mutex_;
  int done_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::cerr << "usage: client_bench_call HOST:PORT\n", 2;
  leasemap::Client client({argv[1]}, {.lease = absl::ZeroDuration()});
  if (const absl::Status status = client.Get("none").status();
      leasemap::ReasonOf(status) != leasemap::reason::kKeyNotFound) {
    return std::cerr << "no node there: " << status << "\n", 1;
  }
  Measure("Set", [&](int i) { return client.Set("bench/" + std::to_string(i % 1000), "value").status(); });
  Measure("Get", [&](int i) { return client.Get("bench/" + std::to_string(i % 1000)).status(); });
  Pipeline(client).Run();
}
