// The near cache behind a SyncMap: what the messages of one watch make of the map, and the writes of this program on
// top. Pure: time comes in, messages come as the protos' objects.
//
// A program reads its own writes: an answered write is shown at once, although the watch may bring it later. It is
// shown until the watch brings it or something that replaced it, and for a bounded time at most: a write that died with
// its node never comes, and must not be shown for ever.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "clients/cpp/core/endpoints.h"
#include "clients/cpp/core/lately.h"
#include "leasemap/entry.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::internal {

// Entries are shared between the copy, what programs read and what they are told, and never change.
using EntryPtr = std::shared_ptr<const Entry>;
using EntryMap = absl::flat_hash_map<std::string, EntryPtr>;

// For how long an own write is shown without the watch: longer than a watch can be silent before it moves on.
inline constexpr absl::Duration kOwnMost = absl::Seconds(30);
// And for how long once the watch is at the head again after it broke. If a node died, all that it told anyone is on
// the others within 3 s: they give a silent member up after that, and ask each other for what they lack after one.
inline constexpr absl::Duration kDoubtMost = absl::Seconds(3);
// The cache remembers the versions of this many lost writes, so that it tells none twice. A program that is told of
// more at once has worse problems.
inline constexpr size_t kLostKept = 1000;
// The cache remembers this many deletes. The answers to their writes are on their way for milliseconds.
inline constexpr size_t kGoneKept = 1000;

// What programs are told of one event. They are not told of renewals, nor of the first snapshot.
struct Change {
  Kind kind = Kind::kSet;
  std::string key;
  EntryPtr entry = nullptr;
  EntryPtr winner = nullptr;
};

// What readers look into. Each call is one change under the reader's lock.
class ShownMap {
 public:
  virtual ~ShownMap() = default;
  // Null takes the key away.
  virtual void Show(const std::string& key, EntryPtr entry) = 0;
  // A whole snapshot takes the place of all that was shown.
  virtual void ShowAll(EntryMap entries) = 0;
  // Null if the key is not shown.
  virtual EntryPtr Shown(const std::string& key) const = 0;
};

class NearCache {
 public:
  // `shown` must outlive the cache.
  NearCache(std::string holder, std::string prefix, ShownMap& shown);

  // In whose name this program writes from now on.
  void SetHolder(std::string holder) { holder_ = std::move(holder); }
  // What the next stream asks for: to resume, or a snapshot.
  v1::WatchRequest Request();
  // One message of the stream; returns what programs are told, in order.
  std::vector<Change> Take(const v1::WatchResponse& message, Moment now);
  // The stream ended. The copy stays, and grows stale.
  void Broke() { synced_ = false; }
  // The cursor is of no use: the next stream asks for a snapshot.
  void ForgetCursor() { cursor_.clear(); }

  // A write of this program was answered with this entry, whose value the caller filled in; a renewal or release (which
  // has none) keeps the value that is shown. `before` is what Versions gave when the write was sent: those that it
  // replaced. Of two writes of one millisecond that were under way together only the watch knows the order; until it
  // has told, the answer that came last is shown.
  void Wrote(const Entry& entry, Moment now, const std::vector<std::string>& before);
  // The version that is shown, and those of its millisecond that it replaced.
  std::vector<std::string> Versions(const std::string& key) const;
  // Lets go of own writes that the watch did not bring in time.
  void Expire(Moment now);
  bool has_own_writes() const { return !owns_.empty(); }

  // The watch has reached the head, and its stream lives.
  bool synced() const { return synced_; }

 private:
  // An answered write that the watch did not bring yet.
  struct Own {
    EntryPtr entry;
    Moment until;
    // Versions of the same millisecond that this write replaced: only the program that wrote them one after another
    // knows their order.
    std::vector<std::string> older = {};
  };
  // The latest event of a key since the last cursor.
  struct Recent {
    Kind kind = Kind::kSet;
    EntryPtr entry = nullptr;
    EntryPtr before = nullptr;  // what the base had at the cursor; null if nothing
    // The stream that is read now told it, too. An earlier stream's node may have died with the only copy of it.
    bool confirmed = false;
    std::optional<Change> instead = {};  // what this stream has instead, of lower rank
  };
  // How a change bears on what programs know.
  struct Bearing {
    EntryPtr old = nullptr;     // what the base had
    EntryPtr before = nullptr;  // what was shown
    bool told = true;           // programs are told
    bool replaces =
        true;  // it replaces what was before: own writes that it covers go, and a lease that it ended is lost
  };

  void OnEvent(Kind kind, EntryPtr entry, std::vector<Change>& changes);
  void TakeBack(std::vector<Change>& changes);
  void PutInPlace(std::vector<Change>& changes);
  void Settle(Change made, const Bearing& bearing, std::vector<Change>& changes);
  void TellLost(const EntryPtr& loser, EntryPtr winner, std::vector<Change>& changes);
  void ShowKey(const std::string& key);
  // What is shown; a deleted one only while the watch has not brought the delete.
  EntryPtr Known(const std::string& key) const;

  std::string holder_;
  const std::string prefix_;
  ShownMap& shown_;
  std::string cursor_;
  bool synced_ = false;
  bool whole_ = false;  // a snapshot was completed once
  EntryMap base_;       // what the watch brought
  absl::flat_hash_map<std::string, Own> owns_;
  std::optional<EntryMap> fresh_;  // a snapshot under way
  // The events since the last cursor, deletes too: a stream that resumes brings them again. One a key that changed
  // between two cursors, which a node sends after 1,000 events and an eighth of the keys.
  absl::flat_hash_map<std::string, Recent> recent_;
  Lately<bool> lost_;
  // The latest deletes, for answers of writes that come after the watch brought the write and its delete.
  Lately<EntryPtr> gone_;
};

}  // namespace leasemap::internal
