// On each node, the rank of a key's entry never falls, an ephemeral entry lapses once, and only what is dead goes: a
// delete, or an ephemeral entry that lapsed. Looks only at what changed since the last look, by revision. What was
// collected is remembered here, so that nothing older can come back unnoticed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "peer/core/sync/store.h"

namespace leasemap::sim {

class RanksNeverFall {
 public:
  struct Replaced {
    core::EntryPtr before, after;
  };
  struct Seen {
    std::vector<Replaced> replaced;    // keys whose entry is another one now
    std::vector<core::EntryPtr> made;  // … and these are all new ones
    std::vector<core::EntryPtr> lapsed;
    std::vector<core::EntryPtr> gone;  // collected
  };
  // What happened since the last look goes to `seen`.
  std::string Look(uint64_t process, const core::Store& store, Seen* seen);
  void Forget(uint64_t process) { maps_.erase(process); }

 private:
  struct Held {
    core::EntryPtr entry;
    bool lapsed = false;
    bool gone = false;
  };
  struct Map {
    uint64_t revision = 0;
    uint64_t gone = 0;
    std::map<std::string, Held> entries;
  };
  static std::string FindGone(const core::Store& store, Map& map, Seen* seen);

  std::map<uint64_t, Map> maps_;
};

}  // namespace leasemap::sim
