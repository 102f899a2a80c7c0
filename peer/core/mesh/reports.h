// Reports: what neighbours tell one another about what they cover, whom they know, and what others told them.
//
// With many members they are most of what a node does: each change makes a report to every member, and one comes from
// each. So what they say of the members is made once for all of them, and looked at only when it is something new.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "peer/core/data/effects.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/timing.h"
#include "peer/core/mesh/links.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/sync/replica.h"

namespace leasemap::core {

class Reports {
 public:
  explicit Reports(Timing timing) : timing_(timing) {}

  // What a report says of this node beside its replica and the members.
  struct Own {
    bool has_map, settled, holds_map;  // Report::whole, settled and holds_map
    bool tells_ceiling;                // it is sure of its clock, so its ceiling counts
    bool tells_hash;                   // its clock is trusted, so its map can be compared
  };

  // With a disk, reports tell what is on it. This is what a report says of this node's map, of one moment. (Of the
  // members it tells what is known now: nobody counts on a node for that.)
  struct Claims {
    VectorPtr vector;  // in short
    uint64_t map_hash = 0;
    bool has_map = false;
    // For handshakes.
    VectorPtr whole, floor;
    uint64_t keys = 0, collected_epoch = 0;
  };
  static Claims ClaimsOf(bool has_map, const Replica& replica, const Membership& membership);
  // The map is as it is on the disk: reports tell of it from now on.
  void Claim(Claims claims);
  // They will once Saved is called; a piece of the map that has all of it is on its way to the disk.
  void ClaimOnceSaved(Claims claims) { next_ = std::move(claims); }
  void Saved();
  // What may be said now of the map. Null without a disk: all of it.
  const Claims* claims() const { return claims_ ? &*claims_ : nullptr; }

  // Of the file of rights that this node goes by (Report::rights_hash).
  void SetRightsHash(uint64_t hash) { rights_hash_ = hash, Changed(); }
  uint64_t rights_hash() const { return rights_hash_; }

  // Something changed that reports tell, beside the replica's vector, which counts itself.
  void Changed() { ++change_; }
  uint64_t change(const Replica& replica) const { return change_ + (claims_ ? 0 : replica.change()); }

  // The report for the link's peer.
  Report Make(const Own& own, const Replica& replica, const Membership& membership, Link& link) const;
  // … which leaves now.
  Report Tell(MonoTime mono, const Own& own, const Replica& replica, const Membership& membership, Link& link) const;
  // Whether the peer was not told the latest, and may be told now.
  bool IsDue(MonoTime mono, const Replica& replica, const Links& links, const Link& link) const;
  // Monotonic: the next one that may leave.
  MonoTime NextDue(const Replica& replica, const Links& links) const;

  // What the peer says of the members. The same again, while nothing is changed here, makes no difference.
  void NoteMembers(MonoTime mono, const PeersPtr& peers, const std::string& self, Membership& membership, Link& link);
  // The peer covers something new: members that it is not linked with hear of it through this node.
  void NoteRelayed(const std::string& peer, const Membership& membership, Links& links);

 private:
  friend struct Inside;  // see node.h

  const Timing timing_;
  uint64_t change_ = 1;
  std::optional<Claims> claims_, next_;
  uint64_t rights_hash_ = 0;
};

}  // namespace leasemap::core
