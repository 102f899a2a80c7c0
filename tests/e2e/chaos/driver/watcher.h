// A client that watches the whole map and moves between nodes: at its stream's end, when it is told to, and at random.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "peer/threads/mutex.h"
#include "tests/e2e/chaos/driver/endpoints.h"
#include "tests/e2e/chaos/driver/fold.h"
#include "tests/e2e/chaos/driver/ledger.h"

namespace leasemap::chaos {

// A thread reads the stream; others may call Move, AwayFrom and Dump. The lock is not held while the thread reads.
class Watcher {
 public:
  // With `wants_renewals` it hears of them, too; else what it has of a key may be of before a renewal.
  Watcher(std::string name, bool wants_renewals, std::vector<Endpoint>& nodes, Ledger& ledger, uint64_t seed);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Goes on at another node.
  void Move();
  // The same, if it is at this node.
  void AwayFrom(const std::string& node);
  // Appends a line for each key of its map and for each tombstone it ever saw: "key" or "grave", then "name key version
  // token holder update", divided by tabs.
  void Dump(std::string* out) const;

 private:
  void Run();
  // One stream, until it ends.
  grpc::Status Follow();
  void Wrong(const std::string& what);

  const std::string name_;
  const bool wants_renewals_;
  std::vector<Endpoint>& nodes_;
  Ledger& ledger_;
  mutable Mutex mutex_;
  Condition changed_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  Fold fold_ ABSL_GUARDED_BY(mutex_);
  size_t node_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);  // of the stream there is
  bool quit_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// Listens for LOST at one node for as long as it runs, and puts a line into the ledger for each:
// "lost node received key loser_version winner_version loser_token loser_holder winner_token winner_holder".
class LossListener {
 public:
  LossListener(Endpoint& node, Ledger& ledger);
  ~LossListener();
  LossListener(const LossListener&) = delete;
  LossListener& operator=(const LossListener&) = delete;

 private:
  void Run();

  Endpoint& node_;
  Ledger& ledger_;
  Mutex mutex_;
  Condition changed_;
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  bool quit_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace leasemap::chaos
