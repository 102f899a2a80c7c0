// The checkers that look after each step of a node, together: each answers with the rule that was broken and how.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "peer/core/node/node.h"
#include "tests/sim/checkers/acks.h"
#include "tests/sim/checkers/collection.h"
#include "tests/sim/checkers/coverage.h"
#include "tests/sim/checkers/dots_unique.h"
#include "tests/sim/checkers/leases.h"
#include "tests/sim/checkers/merge_laws.h"
#include "tests/sim/checkers/ranks_never_fall.h"
#include "tests/sim/checkers/write_log.h"

namespace leasemap::sim {

struct Fault {
  const char* rule = "";
  std::string what;  // empty: all is well
};

inline Replica ReplicaOf(const core::Node& node) {
  return {node.self().node, &node.store(), &node.vector(), &node.replica().floor()};
}

class StepChecks {
 public:
  StepChecks(core::LeaseRules rules, LeaseChecker::ClockOf clock_of, CollectionChecker::VectorOf vector_of)
      : collection_(std::move(vector_of)),
        leases_(rules, std::move(clock_of)),
        acks_(rules.clock_bound_ms, [this](const core::ReplicaId& id, const core::Dot& dot) {
          return collection_.IsLiar(id) || collection_.EverCovered(id.node, dot);
        }) {}

  // After a step of a node that changed something. Nothing may lapse there before its expire_ms is below the limit.
  Fault Look(uint64_t process, const core::Node& node, int64_t lapse_limit_ms);
  // A node wrote `entry` for a client, and held `previous` (or null) until then.
  std::string Wrote(const core::EntryPtr& entry, const core::EntryPtr& previous);
  // Two entries of a key are about to be merged.
  std::string Met(const core::EntryPtr& held, const core::EntryPtr& incoming) { return laws_.Met(held, incoming); }
  // The node answered OK to a write that asked for this ack.
  std::string Acked(const core::Node& node, const core::Ack& ack, const core::Entry& entry, bool answer_waited) const {
    return acks_.Acked(node, ack, entry, answer_waited);
  }
  // From now on this incarnation claims to cover what it does not.
  void Lies(const core::ReplicaId& id) { collection_.Lies(id); }
  // The process is over.
  void Ended(uint64_t process, const core::Node& node);
  // What a node would find again if it crashed now is as good as what it has.
  static std::string Restored(const core::Node& node, const core::Node& restored, const WriteLog& log);
  const WriteLog& log() const { return log_; }
  const CollectionChecker& collection() const { return collection_; }

 private:
  struct Life {
    core::ReplicaId id;
    uint64_t resets = 0;
    std::set<core::ReplicaId> ids = {};  // all that it had
  };
  std::string NoteOwn(uint64_t process, const core::Node& node, const RanksNeverFall::Seen& seen);

  WriteLog log_;
  RanksNeverFall ranks_;
  CoverageChecker coverage_;
  CollectionChecker collection_;
  DotsUnique dots_;
  MergeLaws laws_;
  LeaseChecker leases_;
  AckChecker acks_;
  std::map<uint64_t, Life> lives_;  // by process
};

}  // namespace leasemap::sim
