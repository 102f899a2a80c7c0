// What the scripts in testdata print: entries, leases, vectors and errors in words that are the same in each run. A
// write is named by its node and number (a#3), and times are told from the beginning of the script or from now.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/version_vector.h"
#include "peer/core/node/watch.h"
#include "peer/core/sync/store.h"

namespace leasemap::core {

class ScriptText {
 public:
  // UTC milliseconds at which the script begins.
  explicit ScriptText(int64_t begin_ms) : begin_ms_(begin_ms), now_ms_(begin_ms) {}

  // The time by a right clock.
  void SetNow(int64_t now_ms) { now_ms_ = now_ms; }
  // A process that was met: the first of its node is "a", the second "a/2".
  void Meet(const ReplicaId& replica);

  // a#3; a/2#1 for the node's second process.
  std::string OfDot(const Dot& dot) const;
  // Back, as far as the process was met.
  std::optional<Dot> DotOf(const std::string& name) const;

  // color = blue (a#1), leased by a for 1h
  std::string OfEntry(const Entry& entry) const;
  // … as a write is answered: without the value.
  std::string OfAnswer(const Entry& entry) const;
  // … as the map has it: it may be deleted, or lapsed.
  std::string OfSlot(const Store::Slot& slot) const;
  std::string OfEvent(const WatchEvent& event) const;
  std::string OfLoss(const Entry& loser, const Entry& winner) const;
  // All that a lease is made of, and where it stands in the rank.
  std::string OfLease(const Entry& entry, int64_t period_ms) const;
  // a#1-3 b#1-2,4
  std::string OfVector(const VersionVector& vector) const;
  // The reason, and what of its details is the same in each run.
  std::string OfError(const absl::Status& status) const;

 private:
  std::string OfReplica(const ReplicaId& replica) const;
  std::string OfWrite(const Entry& entry) const;
  std::string Holding(const Entry& entry) const;

  const int64_t begin_ms_;
  int64_t now_ms_;
  std::map<ReplicaId, int> processes_;  // their numbers, from 1 on in each node
};

}  // namespace leasemap::core
