// Whose a node ID is: of two links of one member which stays, and when another process may take the name over
// (docs/decisions/0018).
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"
#include "peer/core/refusals.h"

namespace leasemap::core {

// Whether the node ID of this Hello belongs to another process, at another address: one that was heard a moment ago, or
// that a neighbour is linked with. A process that comes back where its predecessor was takes its place at once.
bool Node::NameIsHeld(Now now, const Hello& hello) const {
  const auto it = membership_.members().find(hello.self.node);
  if (it == membership_.members().end()) return false;
  const Member& member = it->second;
  const bool elsewhere = !hello.advertise.empty() && member.address != hello.advertise;
  const bool other = member.id != hello.self && elsewhere;
  if (!other || member.gone()) return false;
  if (member.heard_wall_ms != 0 && now.mono_ms - member.heard_mono_ms < options_.timing.name_hold) return true;
  return std::any_of(links_.begin(), links_.end(), [&](const auto& item) {
    const Link& link = item.second;
    if (link.phase != Link::Phase::kUp || link.peer.self.node == hello.self.node) return false;
    // It may be linked with this very process already. (Of an earlier incarnation, after a clock went back, hearsay
    // does not tell.)
    const auto& [known, linked] = *link.peers;
    const bool this_one =
        std::any_of(known.begin(), known.end(), [&](const MemberInfo& one) { return one.id == hello.self; });
    return !this_one && std::binary_search(linked.begin(), linked.end(), hello.self.node);
  });
}

// Of two links between the same two processes the one that the smaller ID dialled stays; both sides find the same.
Node::Duplicate Node::CheckDuplicate(Now now, LinkId id, const Link& link) const {
  const LinkId first = UpLinkOf(link.peer.self.node);
  if (first == 0 || first == id || links_.at(first).peer.self != link.peer.self) {
    if (NameIsHeld(now, link.peer)) return Duplicate::kHeld;
    const bool successor = first == 0 || links_.at(first).peer.self < link.peer.self;
    return successor ? Duplicate::kNone : Duplicate::kProbe;
  }
  const bool dialed_by_smaller = link.dialed == (replica_.self().node < link.peer.self.node);
  if (dialed_by_smaller) return Duplicate::kNone;
  return link.dialed ? Duplicate::kYield : Duplicate::kProbe;
}

void Node::Probe(Now now, LinkId id, Link& link) {
  size_t probes = 0;
  for (const auto& [other_id, other] : links_) probes += other.phase == Link::Phase::kProbing;
  if (probes >= kMaxProbes) {
    return Drop(now, id, absl::StrCat(link.address, ": as many links as may be wait for another's probe"));
  }
  link.phase = Link::Phase::kProbing;
  link.probed = UpLinkOf(link.peer.self.node);
  link.probed_heard_ms = links_.at(link.probed).heard_ms;
  link.probe_until_ms = now.mono_ms + options_.timing.probe;
  effects_.send.push_back({link.probed, Ping{static_cast<uint64_t>(now.mono_ms)}});
}

void Node::EndProbes(Now now) {
  std::vector<LinkId> probing;
  for (const auto& [id, link] : links_) {
    if (link.phase == Link::Phase::kProbing) probing.push_back(id);
  }
  for (const LinkId id : probing) {
    Link& link = links_.at(id);
    auto first = links_.find(link.probed);
    const bool gone = first == links_.end() || first->second.phase != Link::Phase::kUp;
    if (!gone && first->second.heard_ms > link.probed_heard_ms) {
      const bool same = first->second.peer.self == link.peer.self;
      RefuseLink(now, id, link,
                 same ? Refuse{kDuplicate, replica_.self().node}
                      : Refuse{kDuplicateId, absl::StrCat("another running node is named ", link.peer.self.node)});
    } else if (gone || now.mono_ms >= link.probe_until_ms) {
      if (!gone) Drop(now, link.probed, absl::StrCat("silent; ", link.peer.self.node, " linked anew"));
      Answer(now, id, links_.at(id));
    }
  }
}

}  // namespace leasemap::core
