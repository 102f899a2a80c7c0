#include "tests/sim/checkers/ranks_never_fall.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

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
  if (store.keys() != seen.entries.size()) return "a key is gone";
  return "";
}

}  // namespace leasemap::sim
