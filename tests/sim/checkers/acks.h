// What a writer was told of its write is true.
//
// An ack means that as many of the members that the node remembers have the write as were asked for, and that it stands
// at the node still. A conflict is told at most once, by the process that took the losing write or that goes on with
// its map, and really is one: the winner's lease began while the loser's ran, and the node did not know that the
// loser's lease had been released. Of what a reset node could not submit anew it need not outrank the loser: its lease
// lived.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "peer/core/node/node.h"
#include "tests/sim/checkers/write_log.h"

namespace leasemap::sim {

class AckChecker {
 public:
  // Whether some process of the node of this ID covers the dot, or covered it when it ended; or this one lies about it.
  using HasCovered = std::function<bool(const core::ReplicaId& id, const core::Dot& dot)>;
  AckChecker(int64_t clock_bound_ms, HasCovered has_covered)
      : clock_bound_ms_(clock_bound_ms), has_covered_(std::move(has_covered)) {}

  // The node answered OK to a write that asked for this ack. `answer_waited`: the acks were counted before, and then it
  // waited for the disk; members and the map may have changed meanwhile, so there is nothing to compare with.
  std::string Acked(const core::Node& node, const core::Ack& ack, const core::Entry& entry, bool answer_waited) const;
  // After a step: conflicts that the node has found since the last look. `owner` of a dot: the process that made it.
  // `before`: what the node covered before this step.
  std::string Conflicts(uint64_t process, const core::Node& node, const core::VersionVector* before,
                        const std::function<bool(const core::Dot&)>& own, const WriteLog& log);
  // After that: `winner` replaced `loser` on the node in this step, maybe with others in between. Whether the node owes
  // somebody word of it that was not given.
  std::string Untold(const core::Node& node, const core::Entry& loser, const core::Entry& winner,
                     const WriteLog& log) const;

 private:
  const int64_t clock_bound_ms_;
  const HasCovered has_covered_;
  std::map<uint64_t, uint64_t> next_;   // by process: the next conflict to look at
  std::map<core::Dot, uint64_t> told_;  // by which process, the latest
};

}  // namespace leasemap::sim
