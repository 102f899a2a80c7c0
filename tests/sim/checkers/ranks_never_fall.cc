#include "tests/sim/checkers/ranks_never_fall.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

// Keys that are no longer there: dead ones, which were collected.
std::string RanksNeverFall::Gone(Seen& seen, const core::Store& store) {
  for (auto it = seen.entries.begin(); it != seen.entries.end();) {
    if (store.Find(it->first) != nullptr) {
      ++it;
      continue;
    }
    const auto& [last, lapsed] = it->second;
    if (!last->tombstone && !lapsed) return "a key is gone: " + Describe(*last);
    ++seen.collected;
    it = seen.entries.erase(it);
  }
  return seen.collected == store.collected() ? "" : "a key is gone that was not collected";
}

std::string RanksNeverFall::Look(uint64_t process, const core::Store& store) {
  Seen& seen = seen_[process];
  while (const core::Store::Slot* slot = store.NextAfter(seen.revision)) {
    seen.revision = slot->revision;
    auto& [last, lapsed] = seen.entries[slot->entry->key];
    const bool lapses = last == slot->entry && slot->lapsed && !lapsed && last->ephemeral;
    if (last && !lapses && !core::Outranks(*slot->entry, *last)) {
      return "the rank fell from " + Describe(*last) + " to " + Describe(*slot->entry);
    }
    last = slot->entry;
    lapsed = slot->lapsed;
  }
  return store.keys() == seen.entries.size() ? "" : Gone(seen, store);
}

}  // namespace leasemap::sim
