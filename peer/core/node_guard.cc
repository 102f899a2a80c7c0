// What a member may not do, and what it costs it: messages beyond every reason, claims that can't be true, bytes that
// can't be read. It is told why and cut off; what it sent before stands or falls by the rules of merging alone.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {
namespace {

// Small messages that cost their receiver work, answers included: they come as often as was asked. Entries do not
// count: they are what the mesh is for, and the socket holds them back. (A session may have messages without any.)
bool IsControl(const Message& message) {
  if (const auto* live = std::get_if<Live>(&message)) return live->entries.empty();
  return !std::holds_alternative<SessionEntries>(message);
}

}  // namespace

// False if the link was closed over it.
bool Node::Allowed(Now now, LinkId id, Link& link, const Message& message) {
  const std::string& node = link.peer.self.node;
  if (IsControl(message) && !quarantine_.Charge(node, Cost::kControl, now.mono_ms)) {
    CutOff(now, id, link, absl::StrCat("more than ", kControlPerSecond, " messages a second"));
    return false;
  }
  if (std::holds_alternative<SessionRequest>(message) && !quarantine_.Charge(node, Cost::kSession, now.mono_ms)) {
    CutOff(now, id, link, absl::StrCat("more than ", kSessionsPerSecond, " sessions a second"));
    return false;
  }
  const auto* report = std::get_if<Report>(&message);
  if (report != nullptr && ClaimsUnmade(*report->vector)) {
    CutOff(now, id, link, "it claims writes of this node that were never made");
    return false;
  }
  return true;
}

// Whether it names writes of this very process that it has not made. At a handshake that is an older self to be outrun;
// later there is no honest way to it, since whoever is linked with this node believes nobody else about it
// (Believable).
bool Node::ClaimsUnmade(const VersionVector& vector) const {
  const auto own = vector.runs().find(replica_.self());
  return own != vector.runs().end() && own->second.Top() >= replica_.own_log().end();
}

void Node::CutOff(Now now, LinkId id, Link& link, const std::string& why) {
  quarantine_.CutOff(link.peer.self.node, why, now.mono_ms);
  readiness_.Drop(link.peer.self.node);
  RefuseLink(now, id, link, {kQuarantined, absl::StrCat(why, "; refused for ", ShownDuration(kQuarantineMs))});
}

void Node::OnMalformed(Now now, LinkId id, const std::string& why) {
  auto it = links_.find(id);
  if (it == links_.end()) return;
  if (it->second.phase != Link::Phase::kUp) return Drop(now, id, "");  // no member of ours, as far as anybody knows
  CutOff(now, id, it->second, absl::StrCat("what it sent can't be read: ", why));
}

// A write of the link's own that is from the future: the link goes, and who comes with such again and again stays away.
void Node::RefuseBogus(Now now, LinkId id, Link& link) {
  if (!quarantine_.Charge(link.peer.self.node, Cost::kBogus, now.mono_ms)) {
    return CutOff(now, id, link, "again and again it sends writes of its own that are from the future");
  }
  RefuseLink(now, id, link, {kClockMismatch, "a write of yours is from the future; check NTP on both hosts"});
}

// What of a peer's vector can be true, as far as this node can tell: of itself what it made, of a member that it is
// linked with what that member reported or sent. Less than is true does no harm: it is asked for again.
VectorPtr Node::Believable(const VectorPtr& vector) const {
  VersionVector out = *vector;
  bool cut = false;
  const auto limit = [&](const ReplicaId& replica, const Coverage& known) { cut |= out.Limit(replica, known); };
  limit(replica_.self(), Coverage{replica_.own_log().end() - 1, {}});
  for (const auto& [id, link] : links_) {
    if (link.phase != Link::Phase::kUp || !link.report) continue;
    const ReplicaId& member = link.peer.self;
    Coverage known;
    for (const VersionVector* source : {link.report.get(), &replica_.vector()}) {
      auto run = source->runs().find(member);
      if (run == source->runs().end()) continue;
      known.Add(1, run->second.prefix);
      for (const auto& [first, last] : run->second.exceptions) known.Add(first, last);
    }
    limit(member, known);
  }
  return cut ? std::make_shared<const VersionVector>(std::move(out)) : vector;
}

// A message to others that a client asked for: of these a node sends so few that nobody takes it for a flood.
absl::Status Node::SpendControl(Now now) {
  if (quarantine_.Charge("", Cost::kClient, now.mono_ms)) return absl::OkStatus();
  auto status = Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                        absl::StrCat("a node sends at most ", kClientPerSecond,
                                     " messages a second to others for its clients; try again in a moment"));
  SetRetryMs(status, 100);
  return status;
}

}  // namespace leasemap::core
