#include "tests/sim/checkers/yields.h"

#include <algorithm>
#include <utility>

#include "peer/core/data/limits.h"
#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

void YieldChecker::Before(const core::Node& node) {
  yielding_ = node.yielding();
  shown_.clear();
  if (!yielding_) return;
  for (const auto& [key, slot] : node.shown().store.by_key()) {
    // The lease of an ephemeral key may have ended by the monotonic clock: then it goes with it.
    if (!core::Store::IsDead(slot) && !slot.entry->ephemeral) shown_.push_back(slot.entry);
  }
}

std::string YieldChecker::Lost(const core::Node& node) const {
  const auto map = node.shown();
  for (const core::EntryPtr& entry : shown_) {
    if (map.store.FindSlot(entry->key) != nullptr || map.floor.Covers(entry->dot)) continue;
    // The others had it, and it was deleted there, and the tombstone collected (seed 62246; seed 60027 of hours).
    if (map.vector.Covers(entry->dot) && !map.floor.empty()) continue;
    return "lost what it showed while it took another map: " + Describe(*entry);
  }
  return "";
}

std::string YieldChecker::After(uint64_t process, const core::Node& node) {
  Life& life = lives_[process];
  const bool was_ready = std::exchange(life.ready, node.ready());
  const uint64_t before = std::exchange(life.for_floors, node.retirement().resets() - node.retirement().yields());
  // Without a reset it is shut out by its own name.
  const bool reset = std::exchange(life.resets, node.retirement().resets()) != node.retirement().resets();
  if (was_ready && !life.ready && reset && before == life.for_floors) return "stops to answer reads";
  const auto& rules = node.options().rules;
  const int64_t period_ms = std::max(rules.period_ms, core::kLeastCeilingPeriodMs);
  if (node.replica().ceiling().at_ms() > highest_ms_ + 2 * period_ms + core::kBogusBounds * rules.clock_bound_ms) {
    return "has a ceiling above all that any clock showed: " + std::to_string(node.replica().ceiling().at_ms());
  }
  if (!yielding_ || node.yielding()) return "";
  ++yields_;
  return Lost(node);
}

}  // namespace leasemap::sim
