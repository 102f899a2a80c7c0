// What a member may not do, and what it costs it: messages beyond every reason, claims that can't be true, bytes that
// can't be read. It is told why and cut off. What it sent before is judged by the rules of merging alone.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/node_handshake.h"

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
  const std::string& node = link.node();
  Quarantine& quarantine = links_.quarantine();
  if (IsControl(message) && !quarantine.Charge(node, Cost::kControl, now.mono)) {
    CutOff(now, id, link, absl::StrCat("more than ", kControlPerSecond, " messages a second"));
    return false;
  }
  if (std::holds_alternative<SessionRequest>(message) && !quarantine.Charge(node, Cost::kSession, now.mono)) {
    CutOff(now, id, link, absl::StrCat("more than ", kSessionsPerSecond, " sessions a second"));
    return false;
  }
  const auto* report = std::get_if<Report>(&message);
  if (report != nullptr && replica_.ClaimsUnmade(*report->vector)) {
    CutOff(now, id, link, "it claims writes of this node that were never made");
    return false;
  }
  return true;
}

void Node::CutOff(Now now, LinkId id, Link& link, const std::string& why) {
  links_.quarantine().CutOff(link.node(), why, now.mono);
  readiness_.Drop(link.node());
  Handshake(*this, now, id, link)
      .TurnAway({kQuarantined, absl::StrCat(why, "; refused for ", ShownDuration(kQuarantineMs))});
}

void Node::OnMalformed(Now now, LinkId id, const std::string& why) {
  Link* link = links_.Find(id);
  if (link == nullptr) return;
  if (!link->up()) return Drop(now, id, "");  // no member of ours, as far as anybody knows
  CutOff(now, id, *link, absl::StrCat("what it sent can't be read: ", why));
}

// A write of the link's own that is from the future: the link goes, and who comes with such again and again stays away.
void Node::RefuseBogus(Now now, LinkId id, Link& link) {
  if (!links_.quarantine().Charge(link.node(), Cost::kBogus, now.mono)) {
    return CutOff(now, id, link, "again and again it sends writes of its own that are from the future");
  }
  Handshake(*this, now, id, link)
      .TurnAway({kClockMismatch, "a write of yours is from the future; check NTP on both hosts"});
}

}  // namespace leasemap::core
