// The ceiling: how far beyond its clock a node takes entries for good, since they were made under a clock that was
// ahead and was set right.
//
// A cluster whose clocks were hours ahead holds epochs and stamps of the future when they are set right. Without a
// ceiling they would all be bogus: nobody could write, nobody could tell them to a joiner. So a node whose clock is
// agreed upon, and that holds such entries, fixes a ceiling once: the end of the period (the lease period, but an hour
// at least) after the one that the highest of them falls in. Up to there nothing is bogus, for its own writes and for
// peers'. What is below the ceiling never raises it, so a faulty node can't climb step by step.
//
// Members tell each other theirs. Who has no map takes its peers'; of two that have maps the higher yields
// (node_ceiling.cc). A ceiling that the clock has passed is none.
#pragma once

#include <cstdint>

#include "peer/core/data/entry.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/lease.h"

namespace leasemap::core {

// The last millisecond of UTC whose epoch fits 64 bits, in the year 2109: no ceiling is above it.
inline constexpr int64_t kMaxCeilingMs = (int64_t{1} << 42) - 1;

// What one side of a handshake tells there. Both sides judge by the same two words.
struct CeilingWord {
  int64_t ceiling_ms = 0;  // 0: none
  bool map = false;        // it is ready, and something was ever written to its map
  int64_t wall_ms = 0;     // its clock
  bool part = false;       // it is not ready, and holds a part of a map, or all of an earlier process's
};
// What a node goes down to.
struct LowerCeiling {
  int64_t ms = 0;        // 0: none
  bool of_part = false;  // no ready member has it, only nodes that hold a part of a map
};
// Compared are two maps of ready nodes, or two parts of nodes that are not: else who is not ready takes the other's.
// Above 0: `a` yields to `b`; below 0: the other way round; 0: neither.
int CompareCeilings(const CeilingWord& a, const CeilingWord& b);

class Ceiling {
 public:
  explicit Ceiling(const LeaseRules& rules) : rules_(rules) {}

  // An entry was made or merged here.
  void See(const Entry& entry);
  // All that `other` saw, too: two maps became one.
  void Join(const Ceiling& other);
  // An entry was collected, here or by whom the map was taken from.
  void Collected(uint64_t epoch) { collected_epoch_ = std::max(collected_epoch_, epoch); }

  int64_t at_ms() const { return at_ms_; }
  // The same, or 0 once the clock has passed it.
  int64_t EffectiveAt(int64_t wall_ms) const { return at_ms_ > wall_ms ? at_ms_ : 0; }
  Reach ReachAt(int64_t wall_ms) const { return ReachOf(rules_, wall_ms, at_ms_); }
  // No new lease on a key that is not there gets an epoch up to this: a fencing token would fall.
  uint64_t collected_epoch() const { return collected_epoch_; }

  // The ceiling that a node with what was seen here has under a right clock.
  int64_t NeededAt(int64_t wall_ms) const;
  // Fixes it, by a clock that is agreed upon. Whether it is another one now.
  bool Fix(int64_t wall_ms);
  // Whether nothing that was seen is beyond this ceiling.
  bool Fits(int64_t ceiling_ms, int64_t wall_ms) const;
  // Takes a peer's over. The caller has seen to it that everything fits.
  void Take(int64_t ceiling_ms) { at_ms_ = std::min(ceiling_ms, kMaxCeilingMs); }

 private:
  friend struct Inside;  // see node.h

  LeaseRules rules_;
  int64_t at_ms_ = 0;  // UTC; 0: none
  // The highest of what was seen, what went since included.
  uint64_t epoch_ = 0;
  Stamp stamp_ = 0;
  uint64_t collected_epoch_ = 0;
};

}  // namespace leasemap::core
