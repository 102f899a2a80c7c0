#include "peer/core/mesh/reports.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "peer/core/data/limits.h"
#include "peer/core/mesh/named_vector.h"

namespace leasemap::core {

Reports::Claims Reports::ClaimsOf(bool has_map, const Replica& replica, const Membership& membership) {
  return {.vector = SharedVector(replica, membership),
          .map_hash = replica.store().hash(),
          .has_map = has_map,
          .whole = WholeVector(replica, membership),
          .floor = std::make_shared<const VersionVector>(replica.floor()),
          .keys = replica.store().live_keys(),
          .collected_epoch = replica.ceiling().collected_epoch()};
}

void Reports::Claim(Claims claims) {
  claims_ = std::move(claims);
  next_.reset();
  Changed();
}

void Reports::Saved() {
  if (next_) Claim(*std::move(next_));
}

Report Reports::Make(const Own& own, const Replica& replica, const Membership& membership, Link& link) const {
  Report report;
  const VectorPtr whole = claims_ ? claims_->vector : SharedVector(replica, membership);
  if (whole->exceptions() <= kReportExceptions) {
    report.vector = whole;
  } else {
    report.vector = std::make_shared<const VersionVector>(whole->CutShort(kReportExceptions, &report.cut_short));
  }
  report.whole = own.has_map && (!claims_ || claims_->has_map);
  report.settled = own.settled;
  report.holds_map = own.holds_map;
  report.disk_stopped = !replica.saving().state().takes();
  report.rights_hash = rights_hash_;
  if (own.tells_ceiling) report.ceiling_ms = replica.ceiling().at_ms();
  report.map_hash = !own.tells_hash ? 0 : claims_ ? claims_->map_hash : replica.store().hash();
  report.peers = membership.Peers();
  link.told.UpdateRelayed(membership, link.node(), link.theirs.peers().linked);
  for (const std::string& node : link.told.relayed()) {
    const auto it = membership.members().find(node);
    if (it == membership.members().end()) continue;  // it left, and made room for another
    const Member& member = it->second;
    if (!member.report || !member.relayed_by.empty()) continue;
    const VectorPtr& theirs = member.report;  // whole, if it is that of the handshake
    const bool brief = theirs->past() == nullptr;
    report.relays.push_back({member.id, brief ? theirs : std::make_shared<const VersionVector>(theirs->Brief())});
  }
  return report;
}

Report Reports::Tell(MonoTime mono, const Own& own, const Replica& replica, const Membership& membership,
                     Link& link) const {
  Report report = Make(own, replica, membership, link);
  link.told.Told(mono, change(replica), report.cut_short);
  return report;
}

bool Reports::IsDue(MonoTime mono, const Replica& replica, const Links& links, const Link& link) const {
  return link.up() && !link.told.IsUpToDate(change(replica)) && mono >= link.told.Due(links.size(), timing_);
}

MonoTime Reports::NextDue(const Replica& replica, const Links& links) const {
  MonoTime due = MonoTime::Never();
  for (const auto& [id, link] : links) {
    if (link.up() && !link.told.IsUpToDate(change(replica))) {
      due = std::min(due, link.told.Due(links.size(), timing_));
    }
  }
  return due;
}

void Reports::NoteMembers(MonoTime mono, const PeersPtr& peers, const std::string& self, Membership& membership,
                          Link& link) {
  const PeerReport::Look look = link.theirs.TakePeers(peers, membership.change());
  if (look == PeerReport::Look::kNo) return;
  if (look == PeerReport::Look::kTheirs) link.told.PeersChanged();
  const auto& members = membership.members();
  auto next = members.begin();
  for (const MemberInfo& info : peers->members) {
    if (info.id.node == self) {
      if (membership.HeardOfSelf(info)) Changed();
      continue;
    }
    // Both lists are in one order, and mostly say the same.
    if (next != members.end() && next->first != info.id.node) ++next;
    if (next == members.end() || next->first != info.id.node) next = members.find(info.id.node);
    const bool known = next != members.end();
    if (known && info.id == link.member()) membership.HeardLeaving(info.id, info.gone());
    if (known && next->second.linked && next->second.id == info.id && next->second.generation == info.generation &&
        !info.gone()) {
      continue;
    }
    bool changed = false;
    MemberInfo said = info;
    if (info.id == link.member() && info.gone()) {
      // Its own word, later than the handshake: it holds against all that others say of this incarnation.
      const bool higher = known && next->second.id == info.id && next->second.generation > info.generation;
      said.generation = Generation::Leave(higher ? next->second.generation : info.generation);
    }
    const Member* member = membership.Learn(said, mono, &changed);
    if (member != nullptr && !member->linked && !member->gone()) {
      membership.LearnAddress(info.id.node, info.address, mono);
    }
    if (changed) Changed();
  }
}

void Reports::NoteRelayed(const std::string& peer, const Membership& membership, Links& links) {
  for (auto& [id, link] : links) {
    if (!link.up()) continue;
    link.told.UpdateRelayed(membership, link.node(), link.theirs.peers().linked);
    if (link.told.Relays(peer)) return Changed();
  }
}

}  // namespace leasemap::core
