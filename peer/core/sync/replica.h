// This node's copy of the map: its entries, which writes it covers, its own writes of late and which of them lost, the
// incarnation under which it makes them, and the room for all that. Nothing else writes any of it.
//
// A change of the vector can't go unnoticed: `change` counts it, which makes reports due (Reports::change), and
// TakeNews says what watches have to look at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "peer/core/data/effects.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/image.h"
#include "peer/core/data/lease.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/node_options.h"
#include "peer/core/sync/conflicts.h"
#include "peer/core/sync/map_state.h"
#include "peer/core/sync/own_log.h"
#include "peer/core/sync/room.h"
#include "peer/core/sync/saving.h"

namespace leasemap::core {

// Ordered by start time: 44 bits of milliseconds, then 20 random bits, for two starts in one millisecond. It is `above`
// that one: of the next millisecond then, with random bits, too, since a clock and a disk that both went back would
// come to the same number a second time.
uint64_t NewIncarnation(int64_t wall_ms, uint64_t above, uint64_t seed);

class Replica {
 public:
  // Empty, under an incarnation above `above`.
  Replica(const NodeOptions& options, Now now, uint64_t above);

  // --- who writes
  const ReplicaId& self() const { return self_; }
  // Whether it is this process, under its present incarnation or (of the last kMaxOwnIncarnations) an earlier one, or
  // one before it whose map was read back.
  bool IsOwn(const ReplicaId& replica) const;
  // Whether this process has to tell that a write of that one lost: its own, or of one whose map it goes on with. (What
  // was given up is submitted again, as its own.)
  bool TellsLossesOf(const ReplicaId& replica) const;
  // From now on this node writes under another one, which is above the present: its log begins again.
  void TakeIncarnation(uint64_t incarnation);

  // --- what is there
  const MapState& map() const { return map_; }
  const Store& store() const { return map_.store; }
  const VersionVector& vector() const { return map_.vector; }
  const VersionVector& floor() const { return map_.floor; }
  const Ceiling& ceiling() const { return map_.ceiling; }
  const OwnLog& own_log() const { return own_log_; }
  Stamp last_stamp() const { return clock_.last(); }
  // Counts changes of the vector.
  uint64_t change() const { return change_; }
  struct News {
    bool changed = false;  // something that every watch has to look at
    bool renewed = false;  // leases were renewed: for watches that asked for that
  };
  // What is new since the last call.
  News TakeNews();
  // The entry is the key's present one.
  bool IsPresent(const Entry& entry) const;
  // This process did not make all of its own writes that `vector` covers. At a handshake that is an older self to be
  // outrun; later there is no honest way to it, since a member that is linked with this node believes nobody else about
  // it (Links::Believable).
  bool ClaimsUnmade(const VersionVector& vector) const;

  // --- the vector for messages
  // The processes that are present, which it names: see named_vector.h.
  using Present = absl::FunctionRef<std::vector<ReplicaId>()>;
  // In short. Made when first needed after a change; `members_change` counts changes of who is present.
  VectorPtr Shared(uint64_t members_change, Present present) const;
  // With all that is known of the past, for sessions and handshakes, in which each dot counts.
  VectorPtr Whole(Present present) const;

  // --- writes
  // The stamp that a write gets: above all that was made or seen, and above `above`.
  Stamp NextStamp(int64_t wall_ms, Stamp above) const { return clock_.Peek(wall_ms, above); }
  // The dot that the next write of this node gets.
  Dot NextDot() const { return {self_, own_log_.end()}; }
  // Gives a write of this node its dot, and puts it into the own log. The caller applies it at once.
  EntryPtr Sign(std::shared_ptr<Entry> draft);
  struct Applied {
    bool won = false;    // the entry is the key's now
    bool again = false;  // its dot was covered already: it was fetched after an alarm
    EntryPtr loser;      // what does not stand; null: there was nothing
    EntryPtr winner;     // what does
  };
  // The one way into the map, for a local and a received write: merges it and covers exactly its dot.
  Applied Apply(const EntryPtr& entry);

  // --- writes that lost
  const Conflicts& conflicts() const { return conflicts_; }
  // A write that this process took lost to another lease's. False if it was no conflict (IsConflict), or was told
  // before.
  bool NoteConflict(const EntryPtr& loser, const EntryPtr& winner, int64_t wall_ms);

  // --- room
  const Room& room() const { return room_; }
  // Bytes of memory: the map, and what is kept beside it. Entries that are in the map and in the own log count twice.
  uint64_t held_bytes() const { return map_.store.held() + own_log_.bytes() + conflicts_.bytes(); }
  // KEY_LIMIT or BYTES_LIMIT if a local write has no room. `previous`: the entry that it replaces, or null; `value`:
  // what it sets, or null.
  absl::Status CheckRoom(const Entry* previous, const std::string& key, const std::string* value) const;
  // KEY_LIMIT or BYTES_LIMIT if a local write by this holder makes its owner's part of the map larger than `most`; 0 is
  // no bound. `previous`: the entry that it replaces, or null if none is there for readers.
  absl::Status CheckOwner(const Owners::Use& most, const std::string& holder, const Entry* previous,
                          const std::string& key, const std::string* value) const;
  // Whether a member's entry has room; if not, that it was left out is remembered.
  bool HasRoomFor(const Entry& entry);

  // --- what others have
  // A session is over: all that its peer covered when it began is here.
  void TakeSession(MonoTime mono, const VersionVector& vector, const VersionVector& floor);
  void JoinFloor(MonoTime mono, const VersionVector& floor) { map_.JoinFloor(mono, floor); }

  // --- time, and what can go
  void NoteTime(MonoTime mono) { map_.store.NoteTime(mono); }
  size_t FollowClock(Now now, const LeaseRules& rules, int64_t keep_ms) {
    return map_.FollowClock(now, rules, keep_ms);
  }
  void ForgetGoneAhead() { map_.store.ForgetGoneAhead(); }
  // Processes that ended, and that all members cover alike, become part of the past.
  void Fold(const std::vector<ReplicaId>& ended);
  // Lets go of dead keys that all members cover: the floor says so.
  void Collect(const std::vector<std::string>& keys);

  // --- the ceiling (ceiling.h)
  bool FixCeiling(int64_t wall_ms) { return map_.ceiling.Fix(wall_ms); }
  void TakeCeiling(int64_t ceiling_ms) { map_.ceiling.Take(ceiling_ms); }
  void NoteCollectedEpoch(uint64_t epoch) { map_.ceiling.Collected(epoch); }
  // What is bogus here now.
  Reach ReachAt(int64_t wall_ms) const { return map_.ceiling.ReachAt(wall_ms); }
  // For people: the ceiling, and how this node came to it; empty: none.
  const std::string& ceiling_note() const { return ceiling_note_; }
  void NoteCeiling(std::string note) { ceiling_note_ = std::move(note); }
  // What admission has to know of a key (null: it is not there) beside its entry.
  Standing StandingOf(Now now, const Store::Slot* slot) const;
  // LeaseEnd of an entry of this map or of one that was given up.
  int64_t LeaseEndOf(Now now, const Store::Slot& slot) const;

  // --- all of it
  // Empties the map, under another incarnation and that ceiling, and returns the one that was there.
  MapState GiveUp(Now now, int64_t ceiling_ms, uint64_t incarnation);
  // What is here becomes one with a map that was given up.
  void TakeBack(MonoTime mono, MapState old);
  // The entries of a backup, which were applied, are all of what it covered.
  void EndRestore(MonoTime mono, const Image& image);
  // What an image of an earlier process holds. The first thing that is done.
  void Restore(MonoTime mono, const Image& image);

  // --- the disk
  const Saving& saving() const { return saving_; }
  // All that was applied is on the disk; without one it counts as that.
  bool saved() const { return !saving_.disk() || saving_.saved_change() == change_; }
  // The image of it, but for the entries.
  void Describe(Image& image) const;
  bool SaveIsDue(uint64_t members_change, bool whole) const;
  // Only if it is due. `image`: what others than the replica know of it.
  Unsaved TakeUnsaved(uint64_t members_change, Image image);
  bool Saved() { return saving_.Saved(); }
  void SaveFailed() { saving_.Failed(); }
  void SetDiskState(DiskState state) { saving_.SetState(std::move(state)); }

 private:
  friend struct Inside;  // see node.h

  void Changed(bool only_renewed = false);
  Saving::Rest RestOf(uint64_t members_change, bool whole) const;
  void FoldFloor();
  MapState NewMap() const;

  const LeaseRules rules_;
  const bool counts_owners_;
  Room room_;
  ReplicaId self_;
  std::vector<uint64_t> own_incarnations_;  // of this process, the present one last
  uint64_t restored_incarnation_ = 0;       // the last of those whose map was read back; 0: none was …
  uint64_t goes_on_incarnation_ = 0;        // … or, here, it was given up since
  HybridClock clock_;
  MapState map_;
  OwnLog own_log_;
  Conflicts conflicts_;
  Saving saving_;
  std::string ceiling_note_;
  uint64_t change_ = 1;
  News news_;
  mutable VectorPtr shared_;             // none since the last change …
  mutable uint64_t shared_members_ = 0;  // … and as of which `members_change` it names who is present
};

}  // namespace leasemap::core
