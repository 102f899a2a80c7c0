// A map that was given up for a peer's (node_reset.cc), until all of it that the others lacked was submitted again.
//
// The old map is kept until the new one is here: if the peer dies meanwhile and nobody else is found, the node takes
// its own back. A node that gave it up for a lower ceiling goes on to serve reads from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "peer/core/data/lease.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/timing.h"
#include "peer/core/data/version_vector.h"
#include "peer/core/mesh/links.h"
#include "peer/core/sync/ceiling.h"
#include "peer/core/sync/map_state.h"
#include "peer/core/sync/replica.h"
#include "peer/core/sync/store.h"

namespace leasemap::core {

class Retirement {
 public:
  Retirement(const LeaseRules& rules, Timing timing) : rules_(rules), timing_(timing) {}

  // --- what there is
  bool any() const { return retired_.has_value(); }
  // Reads are served from the old map until the new one is here, and writes are refused.
  bool serves() const { return retired_ && retired_->serves; }
  // Only if any().
  const MapState& map() const { return retired_->map; }
  // It was given up for another ceiling, and that of a part of a map that no ready member has.
  bool for_ceiling() const { return retired_ && retired_->for_ceiling; }
  bool for_part() const { return retired_ && retired_->for_part; }
  // A whole map was given up, so only a ready member's ends the reset.
  bool NeedsReadyMember(bool has_full_map) const {
    return retired_ && retired_->whole && !retired_->for_part && !has_full_map;
  }
  // How often a map was given up, and how often that was for another ceiling.
  uint64_t resets() const { return resets_; }
  uint64_t yields() const { return yields_; }
  // Counts the times that reads were given another map: what was read of the one before no longer holds.
  uint64_t maps() const { return maps_; }

  // --- giving up
  struct Reason {
    bool has_full_map = false, ready = false;  // as of now
    VectorPtr peer;                            // what the peer covers for which it is given up; null: unknown
    std::optional<LowerCeiling> ceiling;       // if it is given up for that
  };
  // Empties the replica, which goes on under `incarnation`, and keeps its map.
  void GiveUp(Now now, uint64_t incarnation, Reason reason, Replica& replica);
  // The entry of the old map that is the same: the new map shares it, so that a reset does not take the memory twice.
  EntryPtr Share(const EntryPtr& entry) const;
  // Ephemeral keys of a map that is read lapse, too. How many changed.
  size_t FollowClock(Now now);

  // --- its end
  // Nothing that the peer had for whose map the old one was given up may be missing from reads for a moment: whether it
  // is all here. If the peer is gone with what only it had, the old map is asked for that.
  bool HasPeersMap(Now now, const Replica& replica);
  // Nobody was found to take a map from for long enough: the old one is better than none, with its ceiling.
  bool MayTakeBack(Now now, bool has_full_map, const Replica& replica, const Links& links) const;
  struct Back {
    bool served, whole;  // as it was while it was given up
  };
  // Puts it back into the replica.
  Back TakeBack(Now now, Replica& replica);
  // What comes next of it to be submitted again, kResubmitAtOnce at most. If done() then, End is to be called. The peer
  // and the new map cover what NeedsResubmit denies.
  std::vector<const Store::Slot*> Next();
  bool NeedsResubmit(const Dot& dot, const Replica& replica) const;
  bool done() const { return retired_->submitted_all; }
  // All of it was submitted again. Whether reads went on by it till now.
  bool End();

 private:
  friend struct Inside;  // see node.h

  struct Retired {
    explicit Retired(const LeaseRules& rules) : map(rules) {}
    MapState map;
    bool whole = false;                    // else a part
    bool serves = false;                   // reads go on by it
    bool for_ceiling = false;              // given up for one that is lower
    bool for_part = false;                 // … that no ready member has (LowerCeiling::of_part)
    VectorPtr peer;                        // Reason::peer
    MonoTime since{};                      // monotonic
    std::optional<std::string> submitted;  // keys up to here
    bool submitted_all = false;
  };

  int64_t PatienceMs() const { return 2 * timing_.silent; }
  std::vector<EntryPtr> Unsubmitted(const Replica& replica) const;

  const LeaseRules rules_;
  const Timing timing_;
  std::optional<Retired> retired_;
  uint64_t resets_ = 0, yields_ = 0, maps_ = 0;
};

}  // namespace leasemap::core
