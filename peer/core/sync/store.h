// The map itself, in two orders: by key (reads, lists, sessions) and by revision (watches).
//
// A revision numbers what was applied on this node, 1, 2, 3 …; a key has the revision of its latest change, so a reader
// that walks the revisions meets each changed key once, however far behind it is. A renewal that leaves value and lease
// as they are (IsRenewal) is no change: the key keeps its place, and gets a second revision, for readers who asked for
// renewals.
//
// An ephemeral entry lapses when the store's horizon (UTC milliseconds, moved by the node's clock) reaches its
// expire_ms: that is a change too, under a new revision, so that watches read it in order. The entry stays, like a
// tombstone, so that no older write can bring the key back.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/btree_map.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/sync/owners.h"

namespace leasemap::core {

// Which of the hash buckets a key is in.
size_t BucketOf(std::string_view key);

class Store {
 public:
  Store() = default;
  // The other orders point into by_key_: a copy makes its own; a moved std::map takes its nodes along.
  Store(const Store& other);
  Store(Store&&) = default;
  Store& operator=(Store&&) = default;

  struct Slot {
    EntryPtr entry;
    uint64_t revision = 0;  // of its latest change
    uint64_t renewed = 0;   // of its latest renewal after that; 0: there was none
    bool lapsed = false;    // ephemeral, and its expire_ms is not above the horizon, or its value is gone
    MonoTime changed{};     // monotonic: when the entry came
    uint64_t latest() const { return std::max(revision, renewed); }
  };
  using ByKey = std::map<std::string, Slot, std::less<>>;
  static constexpr size_t kBuckets = kHashBuckets;

  // The key is not in the map for readers: it was deleted, or lapsed.
  static bool IsDead(const Slot& slot) { return slot.entry->tombstone || slot.lapsed; }

  // The present entry of a key, dead ones included; null if there never was one.
  const EntryPtr* Find(std::string_view key) const;
  const Slot* FindSlot(std::string_view key) const;
  // Keeps `entry` if it outranks what is there, under a new revision. Returns whether it is the key's now; `loser` gets
  // the one of the two that does not, if there are two.
  bool Merge(EntryPtr entry, EntryPtr* loser = nullptr);

  // `entry` with the value that it keeps, if it came without it (value_left_out); null if that value is not here. One
  // that would lose the merge is left as it is.
  EntryPtr Complete(const EntryPtr& entry) const;

  // What changes from now on does so at this time, monotonic.
  void NoteTime(MonoTime mono) { mono_ = mono; }

  // Moves the horizon on to `to_ms`, never back, and lets lapse what it passes; returns how many did. After kLapseBatch
  // of them it stops short: call again while NextLapse says that more is due.
  size_t Lapse(int64_t to_ms);
  // Moves the horizon back to `to_ms`, since the clock was: what had lapsed above it lives again, under new revisions.
  // Returns how many did; after kLapseBatch of them it stops short: call again while the horizon is above.
  size_t Rewind(int64_t to_ms);
  int64_t horizon_ms() const { return horizon_ms_; }
  // Gives up the values of what lapsed up to `to_ms` (UTC), and did so here up to `here` (monotonic), the earliest
  // first. After kLapseBatch of them it stops short, and goes on at the next call.
  void GiveUpValues(int64_t to_ms, MonoTime here);
  // There may be dead entries above the horizon whose value is gone, and which so can't live again.
  bool gone_ahead() const { return gone_ahead_; }
  void ForgetGoneAhead() { gone_ahead_ = false; }
  // Counts the times that it went back: what a reader was told, or not told, of lapses before no longer holds.
  uint64_t rewinds() const { return rewinds_; }
  // The expire_ms of the ephemeral entry that lapses next.
  std::optional<int64_t> NextLapse() const;

  // --- the dead: what was deleted or lapsed, oldest first; collected once everybody knows
  struct Dead {
    int64_t since_ms;  // UTC; by the clock of the node that deleted it
    std::string_view key;
    auto operator<=>(const Dead&) const = default;
  };
  const std::set<Dead>& dead() const { return dead_; }
  // Removes a dead key for good.
  void Collect(std::string_view key);
  // How many were collected, and the highest revision among them: a reader that was not there yet missed it.
  uint64_t collected() const { return collected_; }
  uint64_t collected_up_to() const { return collected_up_to_; }
  // Revisions go on above this one: a map that takes the place of another must not repeat its revisions.
  void SkipTo(uint64_t revision) { head_ = std::max(head_, revision); }

  const ByKey& by_key() const { return by_key_; }
  // The first slot whose latest change is above `revision`; null at the head.
  const Slot* NextAfter(uint64_t revision) const;
  // The first place above `revision` in the order of changes and renewals together; null at the head. `place` is where
  // the slot was found: below slot->latest() if it was renewed after that change, and so comes once more.
  const Slot* NextWithRenewals(uint64_t revision, uint64_t* place) const;

  uint64_t head() const { return head_; }
  // The revision of the latest change; renewals may have come after it.
  uint64_t last_change() const { return last_change_; }
  uint64_t live_keys() const { return live_keys_; }
  uint64_t keys() const { return by_key_.size(); }
  uint64_t bytes() const { return bytes_; }
  // Bytes of memory that all of it takes (Footprint).
  uint64_t held() const { return held_; }
  // What each owner has is counted from now on.
  void CountOwners();
  Owners::Use UseOf(std::string_view owner) const { return owners_ ? owners_->UseOf(owner) : Owners::Use{}; }
  // XOR of HashOf over the entries of each bucket that are not dead: equal vectors and horizons must mean equal hashes,
  // whatever of the dead each node has collected.
  const std::array<uint64_t, kBuckets>& hashes() const { return hashes_; }
  uint64_t hash() const { return hash_; }  // of all of them together

 private:
  friend struct Inside;  // see node.h

  static Dead DeadOf(std::string_view key, const Slot& slot);
  static bool Lapses(const Entry& entry) { return entry.ephemeral && !entry.tombstone; }
  void Count(const Slot& slot, bool add);
  // What lapsed lives again if the horizon goes back.
  static bool CanRevive(const Slot& slot) { return slot.lapsed && !slot.entry->value_gone; }
  void AwaitLapse(std::string_view key, Slot& slot);
  void Index(Slot& slot);  // counts it and puts it into the orders, under a new revision
  void Renew(Slot& slot, EntryPtr entry);
  void Unindex(Slot& slot);  // before it changes or goes

  ByKey by_key_;
  absl::btree_map<uint64_t, const Slot*> by_revision_;  // std::map's nodes stay where they are
  absl::btree_map<uint64_t, const Slot*> by_renewal_;   // those that were renewed since they changed
  // Ephemeral entries that have not lapsed, by (expire_ms, key); the keys are those of by_key_.
  absl::btree_map<std::pair<int64_t, std::string_view>, Slot*> by_expiry_;
  int64_t horizon_ms_ = 0;
  MonoTime mono_{};
  uint64_t rewinds_ = 0;
  uint64_t head_ = 0;  // the latest revision given
  uint64_t last_change_ = 0;
  uint64_t live_keys_ = 0;
  uint64_t bytes_ = 0, held_ = 0;
  std::set<Dead> dead_;         // its keys are those of by_key_
  int64_t values_gone_ms_ = 0;  // UTC: what lapsed up to then has no value any more
  bool gone_ahead_ = false;
  uint64_t collected_ = 0, collected_up_to_ = 0;
  std::array<uint64_t, kBuckets> hashes_{};
  uint64_t hash_ = 0;
  std::optional<Owners> owners_;  // nullopt: nobody asks
};

}  // namespace leasemap::core
