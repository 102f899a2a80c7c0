#include "tests/sim/checkers/ranks_never_fall.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

std::string RanksNeverFall::Look(uint64_t process, const core::Store& store) {
  Seen& seen = seen_[process];
  while (const core::Store::Slot* slot = store.NextAfter(seen.revision)) {
    seen.revision = slot->revision;
    core::EntryPtr& last = seen.entries[slot->entry->key];
    if (last && !core::Outranks(*slot->entry, *last)) {
      return "the rank fell from " + Describe(*last) + " to " + Describe(*slot->entry);
    }
    last = slot->entry;
  }
  if (store.keys() != seen.entries.size()) return "a key is gone";
  return "";
}

}  // namespace leasemap::sim
