#include "tests/sim/checkers/leases.h"

#include <cstdlib>

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

std::string LeaseChecker::Wrote(const core::Entry& entry, const core::Entry* previous) const {
  if (previous == nullptr) return "";
  const std::string both = Describe(*previous) + " to " + Describe(entry);
  if (core::FencingToken(entry.lease) < core::FencingToken(previous->lease)) return "the fencing token fell: " + both;
  if (!rules_.leasing) return "";

  const core::Lease& before = previous->lease;
  const int64_t writer_ms = clock_of_(entry.dot.replica.node);
  const bool lived = !previous->tombstone && !before.released && before.duration_ms > 0;
  if (entry.lease.holder == before.holder) {
    const bool renews = lived && writer_ms < before.expire_ms - rules_.clock_bound_ms;
    if (renews && entry.lease.start_s != before.start_s) return "a renewal moved the start: " + both;
    return "";
  }
  const int64_t giver_ms = clock_of_(previous->dot.replica.node);
  if (std::abs(giver_ms - writer_ms) > rules_.clock_bound_ms) return "";
  if (lived && giver_ms < before.expire_ms) return "another holder's lease lives still: " + both;
  // Whoever takes over after a lapse starts after it: a loser by merging can tell it from a conflict.
  if (lived && entry.lease.start_s * 1000 < before.expire_ms)
    return "the new lease starts before the old one ends: " + both;
  return "";
}

}  // namespace leasemap::sim
