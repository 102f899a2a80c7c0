// On each node, the rank of a key's entry never falls, and an ephemeral entry lapses once. Looks only at what changed
// since the last look, by revision.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "peer/core/store.h"

namespace leasemap::sim {

class RanksNeverFall {
 public:
  std::string Look(uint64_t process, const core::Store& store);
  void Forget(uint64_t process) { seen_.erase(process); }

 private:
  struct Seen {
    uint64_t revision = 0;
    uint64_t collected = 0;
    std::map<std::string, std::pair<core::EntryPtr, bool>> entries;  // and whether it had lapsed
  };
  static std::string Gone(Seen& seen, const core::Store& store);
  std::map<uint64_t, Seen> seen_;
};

}  // namespace leasemap::sim
