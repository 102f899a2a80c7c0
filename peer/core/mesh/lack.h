// What this node lacks of what one peer has, and when to ask that peer for it. All times are monotonic milliseconds.
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
#include "peer/core/data/timing.h"
#include "peer/core/mesh/liveness.h"
#include "peer/core/sync/replica.h"

namespace leasemap::core {

class Lack {
 public:
  // Something was lacked when it was looked at last.
  bool any() const { return claim_.has_value(); }

  // Compares `report`, the peer's latest, with what is here.
  void Update(int64_t mono_ms, const VectorPtr& report, const Replica& replica);
  // An entry came without the value that it keeps, and that value is not here. Its dot stays uncovered: a session
  // brings it whole, at once.
  void LackValue(int64_t mono_ms, const Dot& dot);
  // What the peer reported in the handshake is asked for without delay.
  void FetchNow(bool now) { fetch_now_ = now; }

  // When to ask for a session about it. Later while a large message is under way on the link: it may be what is
  // lacked. Only if any().
  int64_t DueMs(int64_t mono_ms, const Liveness& alive, const Timing& timing) const;
  bool IsDue(int64_t mono_ms, const Liveness& alive, const Timing& timing) const {
    return any() && mono_ms >= DueMs(mono_ms, alive, timing);
  }
  // The peer is not asked before this time: a session with it failed, or brought less than it claimed.
  int64_t avoid_until_ms() const { return avoid_until_ms_; }
  void Avoid(int64_t until_ms) { avoid_until_ms_ = until_ms; }
  // The peer was asked for a session.
  void Asked(int64_t mono_ms) { asked_ms_ = mono_ms; }
  // Its session was joined at this time. What that did not bring another will not bring at once.
  void Joined(int64_t mono_ms, const Replica& replica, const Timing& timing);

 private:
  friend struct Inside;  // see node.h

  // What the peer claimed at a time when this node lacked some of it.
  struct Claim {
    VectorPtr claimed;
    int64_t since_ms;
  };
  std::optional<Claim> claim_;
  bool fetch_now_ = false;
  VectorPtr looked_at_;         // the report that Update compared last …
  uint64_t looked_change_ = 0;  // … and the Replica::change() with which it compared it
  int64_t avoid_until_ms_ = 0;
  int64_t asked_ms_ = -kSessionMostMs;  // when a session was asked for last
};

}  // namespace leasemap::core
