// How this node gets what it lacks: by a session with one peer at a time (session.h).
//
// Which peer: the first link, by ID, over which something has been lacked for long enough (lack.h). A session that
// brings nothing for a while ends; one that brings nothing whole, over a thin link, gives way to another member.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "peer/core/data/effects.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/timing.h"
#include "peer/core/mesh/links.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/sync/replica.h"
#include "peer/core/sync/session.h"

namespace leasemap::core {

class CatchUp {
 public:
  explicit CatchUp(Timing timing) : timing_(timing) {}

  // --- the session that was asked for
  bool IsAsking(LinkId link) const { return asked_ && asked_->link == link; }
  // … because the maps differ: what it brings is taken though its dot is covered.
  bool TakesCovered(LinkId link) const { return IsAsking(link) && asked_->all; }
  // A message of a session came, or a piece of one.
  void Heard(MonoTime mono, LinkId link, uint64_t session);
  void HeardPiece(MonoTime mono, LinkId link);
  // Something that came on the link had to be left out: a session's end is not joined then.
  void LeftOut(LinkId link);
  // The link is closed.
  void Closed(LinkId link);
  // The map was given up, and with it what was asked for.
  void Stop() { asked_.reset(); }

  enum class Ended {
    kNone,    // it was given up before
    kBelow,   // the peer collected writes that this node lacks: the handshake has to judge again
    kNoUse,   // something of it was left out
    kJoined,  // all that the peer covered when it began is here
  };
  Ended End(Now now, LinkId id, const SessionEnd& end, Links& links, Replica& replica);

  // --- asking
  // Asks for what is lacked, if it is time, or ends the session that stands still; appends what is to be sent.
  void Ask(Now now, Links& links, Replica& replica, const Membership& membership, std::vector<Effects::Send>& send);
  // Equal vectors mean equal maps. If they don't for some seconds, something is broken: an alarm, and all of the
  // buckets that differ are fetched, whatever is covered. Both sides do so, and so end with the same. `comparable`: the
  // node is ready, and its clock is trusted. Returns the texts of alarms.
  std::vector<std::string> CompareHashes(Now now, bool comparable, Links& links, const Replica& replica,
                                         const Membership& membership, std::vector<Effects::Send>& send);
  uint64_t alarms() const { return alarms_; }  // ever

  // Monotonic: Ask has something to do then.
  MonoTime NextDue(Now now, const Links& links) const;

 private:
  friend struct Inside;  // see node.h

  Link* LinkToAsk(Now now, Links& links, const Replica& replica, LinkId* id) const;
  void Begin(Now now, LinkId link, bool all, int64_t turn_ms);

  const Timing timing_;
  std::optional<AskedSession> asked_;
  uint64_t next_session_ = 1;
  uint64_t alarms_ = 0;
};

}  // namespace leasemap::core
