// What keeps a link alive: heartbeats, the pieces of what takes long, and probes of a link that may be dead.
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/refusals.h"
#include "peer/core/node/node_handshake.h"

namespace leasemap::core {

void Node::OnPiece(Now now, LinkId id) {
  Link* link = links_.Find(id);
  if (link == nullptr) return;
  link->alive.HeardPiece(now.mono);
  if (link->up()) membership_.Heard(link->node(), now);
  catch_up_.HeardPiece(now.mono, id);
}

// Pings, ends links that are silent for too long, and probes: a link that waits for another one of its member goes on
// if that is dead, and else ends.
void Node::KeepAlive(Now now) {
  const Links::Beats beats = links_.Beat(now.mono);
  for (const LinkId id : beats.ping) Send(id, Ping{static_cast<uint64_t>(now.mono.ms())});
  for (const auto& [id, why] : beats.dead) {
    if (links_.contains(id)) Drop(now, id, why);
  }
  for (const LinkId id : links_.Probing()) {
    const auto [end, first] = links_.LookAtProbe(now.mono, id);
    if (end == Links::Probed::kWaits) continue;
    Link& link = *links_.Find(id);
    if (end == Links::Probed::kHeard) {
      const bool same = links_.at(first).member() == link.member();
      Handshake(*this, now, id, link)
          .TurnAway(same ? Refuse{kDuplicateReason, replica_.self().node}
                         : Refuse{kDuplicateIdReason, absl::StrCat("another running node is named ", link.node())});
      continue;
    }
    if (end == Links::Probed::kSilent) Drop(now, first, absl::StrCat("silent; ", link.node(), " linked again"));
    Handshake(*this, now, id, link).Answer();
  }
}

}  // namespace leasemap::core
