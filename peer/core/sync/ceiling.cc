#include "peer/core/sync/ceiling.h"

#include <algorithm>

#include "peer/core/data/limits.h"

namespace leasemap::core {

// A ceiling that both clocks have passed says nothing any more. Both sides know both clocks, and come to the same.
int CompareCeilings(const CeilingWord& a, const CeilingWord& b) {
  const bool alike = a.map ? b.map : !b.map && a.part && b.part;
  if (!alike) return 0;
  const int64_t wall_ms = std::min(a.wall_ms, b.wall_ms);
  const int64_t ours = a.ceiling_ms > wall_ms ? a.ceiling_ms : 0, theirs = b.ceiling_ms > wall_ms ? b.ceiling_ms : 0;
  return ours > theirs ? 1 : ours < theirs ? -1 : 0;
}

void Ceiling::See(const Entry& entry) {
  epoch_ = std::max(epoch_, entry.lease.epoch);
  stamp_ = std::max(stamp_, entry.stamp);
}

void Ceiling::Join(const Ceiling& other) {
  epoch_ = std::max(epoch_, other.epoch_);
  stamp_ = std::max(stamp_, other.stamp_);
  collected_epoch_ = std::max(collected_epoch_, other.collected_epoch_);
}

bool Ceiling::Fits(int64_t ceiling_ms, int64_t wall_ms) const {
  // What is just beyond the reach of a clock is so because clocks differ: it soon will not be.
  const int64_t lenient_ms = wall_ms + (kBogusPastBounds - kBogusBounds) * rules_.clock_bound_ms;
  return !ReachOf(rules_, lenient_ms, ceiling_ms).IsBeyond(std::max(epoch_, collected_epoch_), stamp_);
}

int64_t Ceiling::NeededAt(int64_t wall_ms) const {
  if (Fits(at_ms_, wall_ms)) return at_ms_;
  const int64_t highest_ms =
      std::max(StampMs(stamp_), static_cast<int64_t>(std::max(epoch_, collected_epoch_) >> kEpochShift));
  const int64_t period_ms = std::max(rules_.period_ms, kLeastCeilingPeriodMs);
  return std::min((highest_ms / period_ms + 2) * period_ms, kMaxCeilingMs);
}

bool Ceiling::Fix(int64_t wall_ms) {
  const int64_t needed_ms = NeededAt(wall_ms);
  if (needed_ms == at_ms_) return false;
  at_ms_ = needed_ms;
  return true;
}

}  // namespace leasemap::core
