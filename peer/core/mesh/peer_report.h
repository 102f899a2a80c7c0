// What the peer of a link reported last: which writes it covers, whether it has the map, and whom it knows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"

namespace leasemap::core {

class PeerReport {
 public:
  // What it covers; null before the first report. Complete: nothing of it was cut short.
  const VectorPtr& vector() const { return vector_; }
  bool complete() const { return complete_; }
  // It has the map (Report::whole); it has none, and waits only for those who have none (Report::settled).
  bool has_map() const { return has_map_; }
  bool settled() const { return settled_; }
  // Of its map at that report; 0: not to be compared.
  uint64_t map_hash() const { return map_hash_; }
  // Report::rights_hash.
  uint64_t rights_hash() const { return rights_hash_; }
  // Its floor, as told in the handshake.
  const VersionVector& floor() const { return floor_; }
  // Whom it knows, and with whom it is linked.
  const Peers& peers() const { return *peers_; }

  struct News {
    bool vector = false;  // it covers something else than before
    bool any = false;     // … or anything else is different
    bool map = false;     // it has the map, and had none before
  };
  News Take(const Report& report);
  void TakeFloor(const VectorPtr& floor) {
    if (floor) floor_ = *floor;
  }

  // What it says of the members, and whether that is to be looked at: it says something else than before (kTheirs), or
  // what is known of the members here is something else (kOurs; `members_change`: Membership::change()).
  enum class Look { kNo, kOurs, kTheirs };
  Look TakePeers(const PeersPtr& peers, uint64_t members_change);

  // Its map is another though both cover the same: since when, monotonic; 0: it is not.
  std::optional<MonoTime> differs_since() const { return differs_since_; }
  void SetDiffers(std::optional<MonoTime> since) { differs_since_ = since; }

 private:
  friend struct Inside;  // see node.h

  VectorPtr vector_;
  bool complete_ = false, has_map_ = false, settled_ = false;
  uint64_t map_hash_ = 0, rights_hash_ = 0;
  std::optional<MonoTime> differs_since_;
  VersionVector floor_;
  PeersPtr peers_ = std::make_shared<Peers>();
  uint64_t looked_change_ = 0;  // Membership::change() as of which `peers_` had nothing new to say; 0: none
};

}  // namespace leasemap::core
