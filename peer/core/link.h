// One link of a node, and all that the node knows of it and of the peer at its other end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peer/core/ceiling.h"
#include "peer/core/limits.h"
#include "peer/core/message.h"
#include "peer/core/session.h"
#include "peer/core/version_vector.h"

namespace leasemap::core {

// What the peer claimed at a time when this node lacked some of it, and still does.
struct Lack {
  VectorPtr claimed;
  int64_t since_ms;
};

struct Link {
  // How far the handshake has come. Probing: it is done but for another link of the same member, which may be dead.
  enum class Phase { kHelloSent, kAwaitHello, kAwaitAccept, kProbing, kUp };

  Phase phase;
  bool dialed;          // by this node
  std::string address;  // what was dialled, or the remote end
  std::string local;    // this end
  Hello peer;           // after their Hello
  bool helloed = false;
  uint32_t protocol = kProtocolMin;  // the highest that both ends speak; after their Hello
  bool settled = false;              // the membership knows how this dial ended
  int64_t opened_ms = 0;             // monotonic, as all below
  int64_t sent_ms = 0;               // when our Hello (dialer) or Hello answer (acceptor) left
  int64_t heard_ms = 0;              // when anything came
  std::optional<int64_t> piece_ms;   // when a piece of the message that is under way came; nullopt: none is
  bool clock_agrees = false;         // measured in the handshake: its clock and ours are within the bound
  int64_t ping_ms = 0;               // when the last ping left
  int64_t probe_until_ms = 0;
  int64_t probed_heard_ms = 0;
  LinkId probed = 0;  // the first link that this one waits for
  // Replication, once up.
  uint64_t live_next = 1;  // the next own seq to send
  uint64_t live_new = 1;   // from this one on it was made since the link is up
  VectorPtr report;        // what the peer covers
  bool report_whole = false;
  bool peer_whole = false;                     // it has the map
  bool peer_settled = false;                   // it has none, and waits only for those who have none (Report::settled)
  CeilingWord told;                            // our ceiling, as told in the handshake
  CeilingWord word;                            // its ceiling, as told last
  bool tells_ceiling = false;                  // it is no older peer, which has none
  bool shunned = false;                        // its map is not taken: it has to yield itself
  uint64_t map_hash = 0;                       // of its map at that report; 0: not to be compared
  int64_t differs_since_ms = 0;                // its map is another though the vectors are equal; 0: no
  VersionVector peer_floor;                    // as told in the handshake
  PeersPtr peers = std::make_shared<Peers>();  // whom the peer knows and is linked with
  std::vector<ReplicaId> names;                // the former, and as which incarnation; ascending
  uint64_t names_change = 0;         // Membership::change() as of which `peers` had nothing new to say; 0: none
  std::vector<std::string> relayed;  // members that are linked here and not there: it hears of them from us
  uint64_t relayed_change = 0;  // Membership::linked_change() as of which `relayed` was found; 0: to be found again
  bool fetch_now = false;       // its handshake report covered more than we do: ask at once
  std::optional<Lack> lack;
  VectorPtr looked_at;                                     // the report that UpdateLack compared last …
  uint64_t looked_change = 0;                              // … and the Replica::change() that it compared it with
  int64_t avoid_until_ms = 0, asked_ms = -kSessionMostMs;  // a session with it failed; it was asked for one last
  int64_t reported_ms = 0;
  bool report_now = false;       // the peer waits for an ack
  uint64_t reported_change = 0;  // Node's report_change() that it was told of
  bool reported_short = false;   // what it was told last was cut short
  std::optional<ServedSession> serving;
};

}  // namespace leasemap::core
