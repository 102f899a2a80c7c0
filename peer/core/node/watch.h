// One watch: what it asked for, how far it has read, and when its next cursor is due. Node::ReadWatch moves it on.
//
// A watch has no queue: it is a position in the store's order by revision, so a slow one costs nothing and skips what
// was replaced meanwhile.
//
// Renewals (Store) are no changes, and a watch that did not ask for them never looks at one. One that did reads changes
// and renewals in one order, each key at its latest place. A renewed key comes as a renewal if the watch surely had its
// change: it was at the head after it. Else it comes as set, so a slow watch may see a renewed key once more as set.
//
// A cursor is due at the head: there all that this node covers was sent, or replaced by what was sent. A reader that is
// slower than the writes never gets there, so after a while it gets its cursor by a pass over the keys, as in a
// session:
//
//   - the vector and the head are noted
//   - each key that changed since the watch's position is sent as it is by now; what of that is later than the noted
//     vector is added to it
//   - what lapsed meanwhile is told, up to a time that is noted then; the walk itself leaves such keys out
//   - the vector is the cursor, and the watch goes on from the noted head without what the vector covers
//
// The vector noted at the end would claim what changed behind the walk.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "peer/core/data/cursor.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/mono_time.h"

namespace leasemap::core {

enum class EventKind { kSet, kDeleted, kExpired, kLost, kLease };
// Of these a watch that names no kinds hears nothing.
inline bool IsOnRequest(EventKind kind) { return kind == EventKind::kLost || kind == EventKind::kLease; }

struct WatchFilter {
  std::set<std::string, std::less<>> prefixes;
  std::set<std::string, std::less<>> keys;  // with no prefixes and no keys: the whole map
  std::set<EventKind> kinds;                // empty: all but those on request

  bool MatchesKey(std::string_view key) const;
  bool MatchesKind(EventKind kind) const { return kinds.empty() ? !IsOnRequest(kind) : kinds.contains(kind); }
  // The same for the same sets of keys, prefixes and kinds, on every node.
  uint64_t Hash() const;
};

struct WatchEvent {
  EventKind kind;
  EntryPtr entry;
  EntryPtr winner{};  // of kLost: the entry that won
};

struct WatchBatch {
  std::vector<WatchEvent> events;
  std::string cursor;
  bool snapshot_end = false;
  uint64_t lost_skipped = 0;  // conflicts that went before the watch, which asked for them, had read so far
  bool first = false;         // the watch's first message, sent even when empty
  bool more = false;          // the head was not reached: read again
  bool pass = false;          // the cursor is a pass's (below), and comes before the head
  bool held = false;          // the cursor waited for the disk: the map may have changed since
  MonoTime wake{};            // monotonic: read again then at the latest
  bool empty() const { return events.empty() && cursor.empty() && !snapshot_end && !first && lost_skipped == 0; }
};

// A pass over the keys, under way.
struct WatchPass {
  VersionVector vector;   // as noted, and what was sent that is later (kPassGaps at most)
  uint64_t head = 0;      // the head then
  bool walked = false;    // all keys were looked at; what is left is what lapsed meanwhile
  std::string key;        // the last key that was looked at; none before the first
  bool begun = false;     // there is one
  uint64_t position = 0;  // revisions up to here were looked at for lapses …
  uint64_t last = 0;      // … up to the head when the walk ended …
  int64_t told_ms = 0;    // … by which these had been told (UTC)
};

// A cursor that is not given yet.
struct HeldCursor {
  VersionVector vector;
  int64_t told_ms = 0;                       // UTC: lapses up to here have been told
  bool first = false, snapshot_end = false;  // of the message that brings it
};

// Owned by its stream; read only under the node's lock.
struct Watch {
  WatchFilter filter;
  uint64_t filter_hash = 0;
  enum class Phase { kWaiting, kSnapshot, kFollowing } phase = Phase::kFollowing;
  VersionVector skip;        // what the cursor covers: not sent again …
  int64_t skip_told_ms = 0;  // … and UTC up to when lapses of that had been told
  uint64_t maps = 0;         // Retirement::maps() when it began
  uint64_t rewinds = 0;      // Store::rewinds() then
  uint64_t collected = 0;    // Store::collected() at the last read
  MonoTime started{};        // monotonic
  uint64_t position = 0;     // revisions up to here were read
  uint64_t had = 0;          // all changes up to this revision were read as they were then
  uint64_t next_lost = 0;    // the next conflict to tell, by its number here (conflicts.h); no cursor knows of it
  // The head when the snapshot began: the dead up to it are left out. UINT64_MAX: it waits for lapses, and has not
  // begun.
  uint64_t snapshot_from = 0;
  std::optional<WatchPass> pass;
  uint64_t behind = 0;    // events since the last cursor
  bool first_due = true;  // nothing was sent yet
  // A cursor for what was sent so far, which waits until that is on the disk; nothing is sent meanwhile.
  std::optional<HeldCursor> held;
  bool news = false;     // events were sent since the last cursor
  MonoTime cursor_at{};  // monotonic time of the last cursor
};

}  // namespace leasemap::core
