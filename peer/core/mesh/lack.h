// What this node lacks of what one peer has, and when to ask that peer for it.
//
// A report that covers more than this node does is kept, with the time of its coming, until all of it is here. An old
// report is kept for that, not the first dot that is lacked: under a steady flow of writes that is a fresh one each
// time, and would hide what is lacked for long.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "peer/core/data/limits.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/timing.h"
#include "peer/core/mesh/liveness.h"
#include "peer/core/sync/replica.h"

namespace leasemap::core {

class Lack {
 public:
  // Something was lacked when it was looked at last.
  bool any() const { return claim_.has_value(); }

  // Compares `report`, the peer's latest, with what is here.
  void Update(MonoTime mono, const VectorPtr& report, const Replica& replica);
  // An entry came without the value that it keeps, and that value is not here. Its dot stays uncovered: a session
  // brings it whole, at once.
  void LackValue(MonoTime mono, const Dot& dot);
  // What the peer reported in the handshake is asked for without delay.
  void FetchNow(bool now) { fetch_now_ = now; }

  // When to ask for a session about it. Later while a large message is under way on the link: it may be what is
  // lacked. Only if any().
  MonoTime Due(MonoTime mono, const Liveness& alive, const Timing& timing) const;
  bool IsDue(MonoTime mono, const Liveness& alive, const Timing& timing) const {
    return any() && mono >= Due(mono, alive, timing);
  }
  // The peer is not asked before this time: a session with it failed, or brought less than it claimed.
  MonoTime avoid_until() const { return avoid_until_; }
  void Avoid(MonoTime until) { avoid_until_ = until; }
  // The peer was asked for a session.
  void Asked(MonoTime mono) { asked_ = mono; }
  // Its session was joined at this time. What that did not bring another will not bring at once.
  void Joined(MonoTime mono, const Replica& replica, const Timing& timing);

 private:
  friend struct Inside;  // see node.h

  // What the peer claimed at a time when this node lacked some of it.
  struct Claim {
    VectorPtr claimed;
    MonoTime since{};
  };
  std::optional<Claim> claim_;
  bool fetch_now_ = false;
  VectorPtr looked_at_;         // the report that Update compared last …
  uint64_t looked_change_ = 0;  // … and the Replica::change() with which it compared it
  MonoTime avoid_until_{};
  MonoTime asked_{-kSessionMostMs};  // when a session was asked for last
};

}  // namespace leasemap::core
