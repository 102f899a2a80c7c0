// What commands of the driver make, and what they do on it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "leasemap/leasemap.h"
#include "tests/e2e/cpp_client/json.h"

namespace leasemap::e2e {

// An answer: a result, or an error, and for a batch the keys that were refused.
struct Answer {
  Value result = Null();
  absl::Status status = absl::OkStatus();
  std::vector<std::string> failed = {};
};

// A list of events that grows.
class Told {
 public:
  void Add(const Event& event);
  void End(const absl::Status& status);
  void Keep(Subscription subscription);
  Answer Do(const Command& command);

 private:
  absl::Mutex mutex_;  // guards what follows
  std::vector<Value> events_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  Subscription subscription_ ABSL_GUARDED_BY(mutex_);
};

// Writes at random, for tests that kill nodes meanwhile.
class Churn {
 public:
  Churn(std::shared_ptr<Client> client, std::string prefix);
  ~Churn();
  Answer Do(const Command& command);

 private:
  void Work();
  absl::Status One(int chance, const std::string& key, const std::string& value);
  void Stop();

  const std::shared_ptr<Client> client_;
  const std::string prefix_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> done_ = 0;
  absl::Mutex mutex_;                             // guards the status and the end of the thread
  absl::Status strange_ ABSL_GUARDED_BY(mutex_);  // an error that was no part of the plan
  std::thread thread_;
};

// A lease as the tests look at it.
Value ShowLease(const Lease& lease);
// Counts a key's number up once, under a lease.
Answer CountUp(Client& client, const std::string& key);

struct MapThing {
  std::shared_ptr<Client> client;  // which outlives the map
  std::shared_ptr<SyncMap> map;
};
struct RegistryThing {
  std::shared_ptr<Client> client;
  std::shared_ptr<Registry> registry;
};
using Thing = std::variant<std::monostate, std::shared_ptr<Client>, MapThing, RegistryThing, std::shared_ptr<Lease>,
                           std::shared_ptr<Told>, std::shared_ptr<Churn>>;

// Does the command on the thing; what it makes goes to `made`.
Answer Do(const Command& command, const Thing& on, Thing& made);

}  // namespace leasemap::e2e
