#include "tests/sim/checkers/watchers.h"

#include "peer/core/data/cursor.h"
#include "peer/core/data/lease.h"
#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

namespace {
bool IsEnd(core::EventKind kind) { return kind == core::EventKind::kDeleted || kind == core::EventKind::kExpired; }
}  // namespace

std::string Fold::Compare(const core::WatchFilter& filter, const core::Store& store, const Covered& covered) const {
  const bool renewals = filter.MatchesKind(core::EventKind::kLease);
  for (const auto& [key, slot] : store.by_key()) {
    if (core::Store::IsDead(slot) || !filter.MatchesKey(key) || !covered(slot)) continue;
    auto it = now_.find(key);
    if (it == now_.end()) return "the watcher never heard of " + Describe(*slot.entry);
    const bool renewed = !renewals && core::IsRenewal(*it->second.entry, *slot.entry);
    if (!renewed && !(*it->second.entry == *slot.entry)) {
      return "the watcher has " + Describe(*it->second.entry) + ", the map " + Describe(*slot.entry);
    }
    if (IsEnd(it->second.kind)) return "the watcher heard the end of " + Describe(*slot.entry);
  }
  for (const auto& [key, held] : now_) {
    const core::Store::Slot* slot = store.FindSlot(key);
    if (IsEnd(held.kind)) continue;
    if (slot == nullptr || (core::Store::IsDead(*slot) && covered(*slot))) {
      return "the watcher still has " + Describe(*held.entry);
    }
  }
  return "";
}

std::string Fold::Take(const core::WatchBatch& batch, const core::WatchFilter& filter, const core::Store& store,
                       const core::VersionVector& vector) {
  for (const core::WatchEvent& event : batch.events) {
    ++events_;
    const core::Entry& entry = *event.entry;
    if (!filter.MatchesKey(entry.key)) return "an event that was not asked for: " + Describe(entry);
    const bool lapsed = event.kind == core::EventKind::kExpired;
    if (entry.tombstone != (event.kind == core::EventKind::kDeleted) || (lapsed && !entry.ephemeral)) {
      return "the wrong kind: " + Describe(entry);
    }
    Held& last = now_[entry.key];
    const bool renewal = event.kind == core::EventKind::kLease;
    if (renewal && (!filter.MatchesKind(event.kind) || !last.entry || !core::IsRenewal(*last.entry, entry))) {
      return "taken for a renewal: " + Describe(entry);
    }
    if (last.entry && last.entry->dot == entry.dot) {
      if (!lapsed || last.kind == event.kind) return "came twice: " + Describe(entry);
    } else if (last.entry && !core::Outranks(entry, *last.entry)) {
      return "the rank fell: " + Describe(*last.entry) + " to " + Describe(entry);
    }
    last = {event.entry, event.kind};
  }
  if (batch.cursor.empty()) return "";
  if (batch.more && !batch.pass) return "a cursor before the head";
  cursor_ = batch.cursor;
  kept_ = now_;
  if (!batch.pass && !batch.held) return Compare(filter, store);
  auto cursor = core::DecodeCursor(cursor_);
  if (!cursor) return "a cursor that can't be read";
  cursor->vector.Learn(vector);
  return Compare(filter, store, [&](const core::Store::Slot& slot) {
    const bool told = !slot.lapsed || slot.entry->lease.expire_ms <= cursor->wall_ms;
    return told && cursor->vector.CoversHeld(slot.entry->dot, vector);
  });
}

void Fold::Clear() {
  now_.clear();
  kept_.clear();
  cursor_.clear();
}

}  // namespace leasemap::sim
