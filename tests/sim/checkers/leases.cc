#include "tests/sim/checkers/leases.h"

#include <cstdlib>

#include "peer/core/data/limits.h"
#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

std::string LeaseChecker::Wrote(const core::Entry& entry, const core::Entry* previous) {
  Made(entry);
  if (previous == nullptr) return "";
  const std::string both = Describe(*previous) + " to " + Describe(entry);
  if (core::FencingToken(entry.lease) < core::FencingToken(previous->lease)) return "the fencing token fell: " + both;
  if (!rules_.leasing) return "";
  const int64_t writer_ms = clock_of_(entry.dot.replica.node);
  const int64_t latest_ms = writer_ms + core::kBogusBounds * rules_.clock_bound_ms + 1000;
  if (entry.lease.start_s != previous->lease.start_s && entry.lease.start_s * 1000 > latest_ms) {
    return "a lease that starts in the future: " + both;
  }
  const std::string fault = TakesOver(entry, *previous);
  return fault.empty() ? "" : fault + ": " + both;
}

std::string LeaseChecker::TakesOver(const core::Entry& entry, const core::Entry& previous) const {
  const core::Lease& before = previous.lease;
  const int64_t writer_ms = clock_of_(entry.dot.replica.node);
  const int64_t giver_ms = clock_of_(previous.dot.replica.node);
  const bool lived = !previous.tombstone && !before.released && before.duration_ms > 0;
  const auto made = made_ms_.find(previous.dot);
  const int64_t age_ms = made == made_ms_.end() ? 0 : clock_of_("") - made->second;
  const bool over = age_ms >= before.duration_ms;
  if (entry.lease.holder == before.holder) {
    const bool may_acquire = age_ms >= before.duration_ms - rules_.clock_bound_ms;
    const bool renews = lived && !may_acquire && writer_ms < before.expire_ms - rules_.clock_bound_ms;
    return renews && entry.lease.start_s != before.start_s ? "a renewal moved the start" : "";
  }
  if (std::abs(giver_ms - writer_ms) > rules_.clock_bound_ms) return "";
  if (lived && giver_ms < before.expire_ms && !over) return "another holder's lease lives still";
  // Who takes over after a lapse starts after it: a loser by merging can tell it from a conflict. A lease that was made
  // under a clock far ahead ends sooner (core::LeaseEnd); how much is far is measured by each node's own clock, so here
  // by two bounds less.
  const int64_t ahead_ms = made == made_ms_.end() ? 0 : before.expire_ms - before.duration_ms - made->second;
  const bool may_end_sooner = over && ahead_ms > (core::kBogusBounds - 2) * rules_.clock_bound_ms;
  const bool by_clock = giver_ms >= before.expire_ms;
  if (lived && by_clock && !may_end_sooner && entry.lease.start_s * 1000 < before.expire_ms) {
    return "the new lease starts before the old one ends";
  }
  return "";
}

}  // namespace leasemap::sim
