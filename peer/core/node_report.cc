// Reports: what neighbours tell one another about what they cover, whom they know, and what others told them.
//
// With many members they are most of what a node does: each change makes a report to every member, and one comes from
// each. So what they say of the members is made once for all of them, and looked at only when it is something new.
#include <algorithm>

#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

// For a peer that knows no past: with all that is known of it named.
VectorPtr Node::ForPeer(const Link& link, const VectorPtr& vector) const {
  if (link.protocol >= kProtocolPast || vector->past_mark() == PastMark()) return vector;
  VersionVector all = *vector;
  all.Learn(replica_.vector());
  return std::make_shared<const VersionVector>(all.Expanded());
}

void Node::UpdateRelayed(Link& link) const {
  if (link.relayed_change == membership_.linked_change()) return;
  link.relayed_change = membership_.linked_change();
  link.relayed.clear();
  const auto& linked = link.peers->linked;
  auto there = linked.begin();  // in the same order as the members
  for (const auto& [node, member] : membership_.members()) {
    while (there != linked.end() && *there < node) ++there;
    const bool linked_there = there != linked.end() && *there == node;
    if (member.linked && !linked_there && node != link.peer.self.node) link.relayed.push_back(node);
  }
}

Report Node::MakeReport(Link& link) const {
  Report report;
  const VectorPtr whole = ForPeer(link, replica_.Shared(membership_));
  if (whole->exceptions() <= kReportExceptions) {
    report.vector = whole;
  } else {
    report.vector = std::make_shared<const VersionVector>(whole->CutShort(kReportExceptions, &report.cut_short));
  }
  report.whole = readiness_.has_full_map();
  report.settled = readiness_.settled();
  report.holds_map = HoldsMap();
  if (clock_guard_.settled()) report.ceiling_ms = replica_.ceiling().at_ms();
  report.map_hash = clock_guard_.trusted() ? replica_.store().hash() : 0;
  report.peers = membership_.Peers();
  UpdateRelayed(link);
  for (const std::string& node : link.relayed) {
    const auto it = membership_.members().find(node);
    if (it == membership_.members().end()) continue;  // it left, and made room for another
    const Member& member = it->second;
    if (!member.report || !member.relayed_by.empty()) continue;
    const VectorPtr& theirs = member.report;  // whole, if it is that of the handshake
    const bool brief = theirs->past() == nullptr;
    const VectorPtr vector = brief ? theirs : std::make_shared<const VersionVector>(theirs->Brief());
    report.relays.push_back({member.id, ForPeer(link, vector)});
  }
  return report;
}

// When the link's next report may leave. One that has to be cut short counts for nothing but what is lacked, which is
// asked for after `lack` at the earliest: so often is often enough. (In a session a node has thousands of exceptions,
// and every report another few hundred.)
int64_t Node::ReportDue(const Link& link) const {
  if (link.reported_short) return link.reported_ms + std::max(options_.timing.lack, options_.timing.report_every);
  const int64_t least = kReportNowMs * std::max<int64_t>(1, static_cast<int64_t>(links_.size() / 4));
  return link.reported_ms +
         (link.report_now ? std::min(least, options_.timing.report_every) : options_.timing.report_every);
}

void Node::SendReports(Now now) {
  for (auto& [id, link] : links_) SendReportIfDue(now, id, link);
}

void Node::SendReportIfDue(Now now, LinkId id, Link& link) {
  if (link.phase != Link::Phase::kUp || link.reported_change == report_change() || now.mono_ms < ReportDue(link))
    return;
  SendReport(now, id, link);
}

void Node::SendReport(Now now, LinkId id, Link& link) {
  link.report_now = false;
  link.reported_change = report_change();
  link.reported_ms = now.mono_ms;
  Report report = MakeReport(link);
  link.reported_short = report.cut_short;
  effects_.send.push_back({id, std::move(report)});
}

void Node::OnReport(Now now, LinkId, Link& link, const Report& report) {
  const bool whole = !report.cut_short;
  const bool news = !link.report || (whole && link.report != report.vector && *link.report != *report.vector);
  const uint64_t before = membership_.change();
  effects_.changed |= news || !whole || link.report_whole != whole || link.peer_whole != report.whole;
  link.report = report.vector;
  link.report_whole = whole;
  // Who was linked without a map and is ready now has one that is to be taken over.
  if (report.whole && !link.peer_whole) readiness_.OnLinked(link.peer.self, report.vector, true, report.keys);
  link.peer_whole = report.whole;
  link.peer_settled = report.settled;
  link.map_hash = report.map_hash;
  const CeilingWord before_word = link.word;
  NoteCeiling(link, report);
  check_ceilings_ |= before_word.map != link.word.map || before_word.part != link.word.part ||
                     before_word.ceiling_ms != link.word.ceiling_ms;
  NoteMembers(now, report.peers, link);
  if (whole) membership_.Reported(link.peer.self, report.vector, now.mono_ms);
  membership_.Relayed(link.peer.self.node, report.relays, now.mono_ms);
  // Members that this neighbour's other neighbours are not linked with hear of it through us.
  if (news) {
    const bool relayed = std::any_of(links_.begin(), links_.end(), [&](auto& item) {
      if (item.second.phase != Link::Phase::kUp) return false;
      UpdateRelayed(item.second);
      const auto& to = item.second.relayed;
      return std::binary_search(to.begin(), to.end(), link.peer.self.node);
    });
    if (relayed) ++report_change_;
  }
  effects_.changed |= membership_.change() != before || !report.relays.empty();
  UpdateLack(now, link);
  if (link.lack) AskForSession(now);
  UpdateReady(now);
}

// What the peer says of the members. The same again, while nothing is changed here, makes no difference.
void Node::NoteMembers(Now now, const PeersPtr& peers, Link& link) {
  if (link.peers != peers) {
    if (*link.peers != *peers) link.names_change = 0;
    link.peers = peers;
  }
  if (link.names_change == membership_.change()) return;
  if (link.names_change == 0) {
    link.relayed_change = 0;
    link.names.clear();
    for (const MemberInfo& info : peers->members) link.names.push_back(info.id);
    std::sort(link.names.begin(), link.names.end());
  }
  link.names_change = membership_.change();
  const auto& members = membership_.members();
  auto next = members.begin();
  for (const MemberInfo& info : peers->members) {
    if (info.id.node == replica_.self().node) {
      if (membership_.HeardOfSelf(info)) ++report_change_;
      continue;
    }
    // Both lists are in one order, and mostly say the same.
    if (next != members.end() && next->first != info.id.node) ++next;
    if (next == members.end() || next->first != info.id.node) next = members.find(info.id.node);
    const bool known = next != members.end();
    if (known && info.id == link.peer.self) membership_.HeardLeaving(info.id, info.gone());
    if (known && next->second.linked && next->second.id == info.id && next->second.generation == info.generation &&
        !info.gone()) {
      continue;
    }
    bool changed = false;
    MemberInfo said = info;
    if (info.id == link.peer.self && info.gone()) {
      // Its own word, later than the handshake: it stands against all that others say of this incarnation.
      const bool higher = known && next->second.id == info.id && next->second.generation > info.generation;
      said.generation = Generation::Leave(higher ? next->second.generation : info.generation);
    }
    const Member* member = membership_.Learn(said, now.mono_ms, &changed);
    if (member != nullptr && !member->linked && !member->gone()) {
      membership_.LearnAddress(info.id.node, info.address, now.mono_ms);
    }
    if (changed) ++report_change_;
  }
}

}  // namespace leasemap::core
