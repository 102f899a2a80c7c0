// All that a node holds, as a digest: what the explorer tells two states apart by.
//
// The digest has to have everything that can change what the node does next, and should have nothing else, or states
// that behave alike are not joined. So each struct is taken apart into all its fields by name (inside.cc): a field that
// is added to the core and not here does not compile, and whoever adds it says whether it counts.
#pragma once

#include "peer/core/node/node.h"
#include "tests/sim/explore/digest.h"

namespace leasemap::core {

// A friend of the core's classes.
struct Inside {
  // Of a node right after a call, its effects taken. Times count by their distance from `now`, up to the bound beyond
  // which the node makes no difference any more.
  static explore::Digest Of(const Node& node, Now now);
  static explore::Digest Of(const Message& message);
  static explore::Digest Of(const Entry& entry);

  // How far the handshake of a link has come.
  enum class Phase { kNone, kEarly, kAwaitAccept, kProbing, kUp };
  // What a node may do by itself on one of its links.
  struct Link {
    Phase phase = Phase::kNone;
    bool live = false;     // it has own writes to send
    bool serving = false;  // it serves a session
    bool asking = false;   // it has asked for one
    bool due = false;      // it lacks something, and the time to ask has come
  };
  static Link Of(const Node& node, LinkId link, Now now);

 private:
  static void PutWaits(explore::Digester& d, const Waits& waits, Now now);
  static void PutSession(explore::Digester& d, const ServedSession& session);
  static void PutLinks(explore::Digester& d, const Links& all, Now now, const Timing& timing, uint64_t report_change,
                       const VersionVector& vector);
};

}  // namespace leasemap::core
