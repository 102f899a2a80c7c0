// The load: so many writes a second over all nodes, by a thread that keeps the pace and gRPC's callbacks. Some of what
// is acknowledged is read at another node, by its version: what comes may be newer, never older.
//
// Kinds of keys: `once/…` are written once between two verdicts, so that a lost write is seen and not hidden by a
// later one; `own/…` belong to a holder who renews them at any node; `hot/…` are few, and several holders fight for
// them; `brief/…` are ephemeral. Leases are of many lengths, so that some lapse and are taken over within seconds.
#pragma once

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "peer/threads/mutex.h"
#include "tests/e2e/chaos/driver/endpoints.h"
#include "tests/e2e/chaos/driver/ledger.h"

namespace leasemap::chaos {

struct LoadOptions {
  int rate = 2000;   // writes a second
  int majority = 0;  // of a thousand writes so many ask for ACK_MAJORITY
  int brief = 0;     // of a thousand writes so many are of ephemeral keys
  int keys = 4000;   // of own/…; a tenth as many of hot/…
  uint64_t seed = 1;
};

class Load {
 public:
  Load(std::vector<Endpoint>& nodes, Ledger& ledger, const LoadOptions& options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Writes from now on, with names of once/… that begin anew.
  void On();
  // Stops, and returns when every write was answered or given up: after at most the longest deadline.
  void Off();

 private:
  struct Call;

  void Run();
  // Waits until there is something to do; false: the load quits.
  bool AwaitOn();
  // Waits for kTickMs; false: the load is off.
  bool AwaitTick();
  // One write to a node that has room; false if none has.
  bool Issue();
  void Fill(Call& call);
  void Finish(Call* call, const grpc::Status& status);
  // Reads what was just acknowledged at another node, which is to wait until it has it.
  void ReadElsewhere(const Call& call);
  void Record(const Call& call, const char* outcome, const v1::Entry* entry);
  int RandomBelow(int n) { return static_cast<int>(random_() % n); }

  std::vector<Endpoint>& nodes_;
  Ledger& ledger_;
  const LoadOptions options_;
  std::mt19937_64 random_;  // the pacing thread's, as next_once_
  uint64_t next_once_ = 0;
  std::atomic<int> acked_ = 0;
  std::vector<std::atomic<int>> outstanding_;     // by node
  std::vector<std::atomic<int64_t>> away_until_;  // by node: it did not answer, so others are asked until then (NowUs)

  Mutex mutex_;
  Condition changed_;
  bool on_ ABSL_GUARDED_BY(mutex_) = false;
  bool quit_ ABSL_GUARDED_BY(mutex_) = false;
  int total_ ABSL_GUARDED_BY(mutex_) = 0;  // outstanding at all nodes
  std::thread thread_;
};

}  // namespace leasemap::chaos
