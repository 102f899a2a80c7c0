#include "tests/sim/checkers/watchers.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

std::string Fold::Take(const core::WatchBatch& batch, const core::WatchFilter& filter, const core::Store& store) {
  for (const core::WatchEvent& event : batch.events) {
    ++events_;
    const core::Entry& entry = *event.entry;
    if (!filter.MatchesKey(entry.key)) return "an event that was not asked for: " + Describe(entry);
    if (entry.tombstone != (event.kind == core::EventKind::kDeleted)) return "the wrong kind: " + Describe(entry);
    core::EntryPtr& last = now_[entry.key];
    if (last && last->dot == entry.dot) return "came twice: " + Describe(entry);
    if (last && !core::Outranks(entry, *last)) return "the rank fell: " + Describe(*last) + " to " + Describe(entry);
    last = event.entry;
  }
  if (batch.cursor.empty()) return "";
  if (batch.more) return "a cursor before the head";
  cursor_ = batch.cursor;
  kept_ = now_;
  return Compare(filter, store);
}

void Fold::Clear() {
  now_.clear();
  kept_.clear();
  cursor_.clear();
}

std::string Fold::Compare(const core::WatchFilter& filter, const core::Store& store) const {
  for (const auto& [key, slot] : store.by_key()) {
    if (slot.entry->tombstone || !filter.MatchesKey(key)) continue;
    auto it = now_.find(key);
    if (it == now_.end()) return "the watcher never heard of " + Describe(*slot.entry);
    if (!(*it->second == *slot.entry)) {
      return "the watcher has " + Describe(*it->second) + ", the map " + Describe(*slot.entry);
    }
  }
  for (const auto& [key, entry] : now_) {
    const core::EntryPtr* held = store.Find(key);
    if (!entry->tombstone && (held == nullptr || (*held)->tombstone)) {
      return "the watcher still has " + Describe(*entry);
    }
  }
  return "";
}

}  // namespace leasemap::sim
