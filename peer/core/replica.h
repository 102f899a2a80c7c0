// This node's copy of the map: its entries, which writes it covers, its own writes of late, and the incarnation under
// which it makes them. Nothing else writes any of it.
//
// A change of the vector can't go unnoticed: `change` counts it, which makes reports due (Node::report_change), and
// TakeNews says what watches have to look at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "peer/core/effects.h"
#include "peer/core/entry.h"
#include "peer/core/hybrid_clock.h"
#include "peer/core/image.h"
#include "peer/core/map_state.h"
#include "peer/core/membership.h"
#include "peer/core/message.h"
#include "peer/core/node_options.h"
#include "peer/core/own_log.h"

namespace leasemap::core {

// Ordered by start time: 44 bits of milliseconds, then 20 random bits, for two starts in one millisecond. It is `above`
// that one: of the next millisecond then, with random bits, too, since a clock and a disk that both went back would
// come to the same number a second time.
uint64_t NewIncarnation(int64_t wall_ms, uint64_t above, uint64_t seed);

class Replica {
 public:
  // Empty, under an incarnation above `above`.
  Replica(const NodeOptions& options, size_t own_log_bytes, Now now, uint64_t above);

  // --- who writes
  const ReplicaId& self() const { return self_; }
  // Whether it is this process, under its present incarnation or (of the last kMaxOwnIncarnations) an earlier one.
  bool IsOwn(const ReplicaId& replica) const;
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
  // The vector for messages: with those processes by name that are present, and short. Made when first needed after a
  // change. Whole: with all that is known of the past, for sessions and handshakes, in which each dot counts.
  VectorPtr Shared(const Membership& membership) const;
  VectorPtr Whole(const Membership& membership) const;

  // --- writes
  // The stamp that a write gets: above all that was made or seen, and above `above`.
  Stamp NextStamp(int64_t wall_ms, Stamp above) const { return clock_.Peek(wall_ms, above); }
  // The dot that the next write of this node gets.
  Dot NextDot() const { return {self_, own_log_.end()}; }
  // Gives a write of this node its dot, and puts it into the own log. The caller applies it at once.
  EntryPtr Sign(std::shared_ptr<Entry> draft);
  struct Applied {
    bool stands = false;  // the entry is the key's now
    bool again = false;   // its dot was covered already: it was fetched after an alarm
    EntryPtr loser;       // what does not stand; null: there was nothing
    EntryPtr winner;      // what does
  };
  // The one way into the map, for a local and a received write: merges it and covers exactly its dot.
  Applied Apply(const EntryPtr& entry);

  // --- what others have
  // A session is over: all that its peer covered when it began is here.
  void TakeSession(int64_t mono_ms, const VersionVector& vector, const VersionVector& floor);
  void JoinFloor(int64_t mono_ms, const VersionVector& floor) { map_.JoinFloor(mono_ms, floor); }

  // --- time, and what can go
  void NoteTime(int64_t mono_ms) { map_.store.NoteTime(mono_ms); }
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

  // --- all of it
  // Empties the map, under another incarnation and that ceiling, and returns the one that was there.
  MapState GiveUp(Now now, int64_t ceiling_ms, uint64_t incarnation);
  // What is here becomes one with a map that was given up.
  void TakeBack(int64_t mono_ms, MapState old);
  // What an image of an earlier process holds. The first thing that is done.
  void Restore(int64_t mono_ms, const Image& image);

 private:
  friend struct Inside;  // see node.h

  void Changed(bool only_renewed = false);
  void FoldFloor();

  const LeaseRules rules_;
  ReplicaId self_;
  std::vector<uint64_t> own_incarnations_;  // of this process, the present one last
  HybridClock clock_;
  MapState map_;
  OwnLog own_log_;
  uint64_t change_ = 1;
  News news_;
  mutable VectorPtr shared_;             // none since the last change …
  mutable uint64_t shared_members_ = 0;  // … and as of which Membership::change() it names who is there
};

}  // namespace leasemap::core
