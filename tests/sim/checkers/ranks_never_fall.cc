#include "tests/sim/checkers/ranks_never_fall.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

std::string RanksNeverFall::FindGone(const core::Store& store, Map& map, Seen* seen) {
  for (auto& [key, held] : map.entries) {
    if (held.gone || store.FindSlot(key) != nullptr) continue;
    // It may lapse and go in one step, after a jump of the clock.
    const bool lapsed = held.lapsed || held.entry->lease.expire_ms <= store.horizon_ms();
    const bool dead = held.entry->tombstone || (held.entry->ephemeral && lapsed);
    if (!dead) return "a live key is gone: " + Describe(*held.entry);
    held.gone = true;
    ++map.gone;
    seen->gone.push_back(held.entry);
  }
  return store.keys() + map.gone == map.entries.size() ? "" : "keys appear or go without a change";
}

std::string RanksNeverFall::Look(uint64_t process, const core::Store& store, Seen* seen) {
  Map& map = maps_[process];
  uint64_t place = 0;
  while (const core::Store::Slot* slot = store.NextWithRenewals(map.revision, &place)) {
    map.revision = place;
    if (place < slot->latest()) continue;  // it comes once more
    Held& held = map.entries[slot->entry->key];
    const bool lapses = held.entry == slot->entry && slot->lapsed && !held.lapsed && held.entry->ephemeral;
    // A clock that was set back takes the horizon back along.
    const bool revives = held.entry == slot->entry && held.lapsed && !slot->lapsed && !held.gone &&
                         held.entry->lease.expire_ms > store.horizon_ms();
    if (held.entry && !lapses && !revives && !core::Outranks(*slot->entry, *held.entry)) {
      return std::string(held.gone ? "what was deleted and collected came back: " : "the rank fell: ") +
             Describe(*held.entry) + " to " + Describe(*slot->entry);
    }
    if (slot->lapsed) seen->lapsed.push_back(slot->entry);
    if (held.entry != slot->entry) {
      seen->made.push_back(slot->entry);
      if (held.entry) seen->replaced.push_back({held.entry, slot->entry});
    }
    if (held.gone) --map.gone;
    held = {slot->entry, slot->lapsed, false};
  }
  return store.keys() + map.gone == map.entries.size() ? "" : FindGone(store, map, seen);
}

}  // namespace leasemap::sim
