// Conflicts: writes that lost to another lease's, and the bounded list of those that this process took.
//
// Two sides of a partition may each grant a lease on one key; once they meet, the higher rank wins and the other
// write is gone. Whether that is worth telling is, like merging itself, a pure function of the two entries, so all
// nodes find the same; the one process that took the losing write tells it.
#pragma once

#include <cstdint>
#include <deque>
#include <set>

#include "peer/core/data/conflict.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

// Whether `loser`, outranked by `winner`, was of another lease that still ran when the winner's began. A takeover after
// lapse or release is none (a release that the winner's node never saw can look like one); an entry without a lease
// loses none, and so there are none with leasing off.
bool IsConflict(const Entry& loser, const Entry& winner);

// The latest conflicts of this process, and of those before it whose map it goes on with, numbered 1, 2, 3 …; the
// oldest go first.
class Conflicts {
 public:
  explicit Conflicts(size_t max_bytes = kMaxConflictBytes) : max_bytes_(max_bytes) {}

  // A loser that is listed already is not listed again: a write that was given up with a map may come back from another
  // member, and be given up once more.
  void Add(Conflict conflict);
  // What an earlier process found. The first thing that is done.
  void Restore(const NumberedConflicts& conflicts);
  uint64_t first() const { return first_; }                    // the least number still here
  uint64_t end() const { return first_ + conflicts_.size(); }  // one above the greatest
  const Conflict& at(uint64_t number) const { return conflicts_[number - first_]; }
  size_t bytes() const { return bytes_; }
  uint64_t total() const { return end() - 1; }  // ever found

 private:
  std::deque<Conflict> conflicts_;
  std::set<Dot> losers_;  // of those listed
  uint64_t first_ = 1;
  size_t bytes_ = 0;
  size_t max_bytes_;
};

}  // namespace leasemap::core
