// What a watcher makes of its events: a map, and complaints where the stream broke a promise. Pure, for its test.
//
// Events count only once a cursor has come after them: what came after the last cursor is dropped when the watcher
// moves to another node. Promised is that the rank of a key rises, and that nothing comes twice.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "leasemap/v1/key_value.pb.h"

namespace leasemap::chaos {

// The rank of an entry as far as clients see it: of two with the same token, holder and milliseconds it cannot tell.
struct Rank {
  std::string token, holder;
  int64_t value_ms = 0, update_ms = 0;  // when its value was set; when it was written
};
Rank RankOf(const v1::Entry& entry);
// True if `a` surely ranks below `b`: token up, holder down, time of the value up, time up (docs/design.md,
// section 2.5).
bool Below(const Rank& a, const Rank& b);

class Fold {
 public:
  struct Known {
    Rank rank;
    std::string version;
    bool deleted = false;
  };

  // A stream begins: from the last cursor, or with a snapshot in place of all that was known.
  void Begin(bool snapshot);
  // Takes a message; returns what is wrong with it, or nothing.
  std::string Take(const v1::WatchResponse& message);

  const std::string& cursor() const { return cursor_; }
  void DropCursor() { cursor_.clear(); }
  // Keys and tombstones as of the last cursor, and since the last snapshot.
  const std::map<std::string, Known>& known() const { return known_; }
  // Of each key that was ever seen to go: its highest tombstone. Snapshots leave it as it is: it is evidence that a
  // key may be gone, not what the map is.
  const std::map<std::string, Known>& graves() const { return graves_; }

 private:
  std::string Apply(const v1::Event& event);

  std::string cursor_;
  std::vector<v1::Event> pending_;  // since the last cursor
  std::map<std::string, Known> known_, graves_;
  bool snapshot_ = false, ended_ = false;  // this stream sends a snapshot, and has sent all of it
};

}  // namespace leasemap::chaos
