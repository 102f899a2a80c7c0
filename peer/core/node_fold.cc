// Processes that ended, and of which all members cover the same, become part of the past (past.h): those of nodes that
// started again, and those of nodes that left or were forgotten.
#include <algorithm>
#include <string_view>

#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

// As far as this node knows.
bool Node::HasEnded(const ReplicaId& replica) const {
  if (replica.node == replica_.self().node) return replica.incarnation < replica_.self().incarnation;
  const auto it = membership_.members().find(replica.node);
  if (it == membership_.members().end()) return true;
  const Member& member = it->second;
  if (member.linked && member.linked_as <= replica.incarnation) return false;
  return member.gone() || member.id.incarnation > replica.incarnation;
}

// Which of them all remembered members cover alike. Each has to say so itself, and that it neither is linked with that
// process nor takes it for a member: then nothing of it is under way to anybody.
void Node::KeepAlike(std::vector<ReplicaId>& ended) const {
  for (const auto& [node, member] : membership_.members()) {
    if (member.gone()) continue;
    if (member.linked_as != member.id.incarnation || !member.report || !member.relayed_by.empty()) return ended.clear();
    const Peers& peers = *links_.at(UpLinkOf(node)).peers;
    std::map<std::string_view, const MemberInfo*> known;
    for (const MemberInfo& info : peers.members) known.emplace(info.id.node, &info);
    const VersionVector& report = *member.report;
    const Meaning meaning = replica_.vector().MeaningOf(report);
    std::erase_if(ended, [&](const ReplicaId& replica) {
      if (!replica_.vector().IsAlike(report, meaning, replica)) return true;
      const auto it = known.find(replica.node);
      if (it == known.end() || it->second->id.incarnation > replica.incarnation) return false;
      return !it->second->gone() || std::count(peers.linked.begin(), peers.linked.end(), replica.node) > 0;
    });
  }
}

void Node::FoldEnded(Now now) {
  if (!readiness_.ready() || now.mono_ms < next_fold_ms_) return;
  next_fold_ms_ = now.mono_ms + kFoldEveryMs;
  std::vector<ReplicaId> ended;
  for (const auto& [replica, coverage] : replica_.vector().runs()) {
    if (coverage.exceptions.empty() && HasEnded(replica)) ended.push_back(replica);
  }
  if (ended.empty()) return;
  KeepAlike(ended);
  replica_.Fold(ended);
}

// For a peer that knows no past: with all that is known of it named.
VectorPtr Node::ForPeer(const Link& link, const VectorPtr& vector) const {
  if (link.protocol >= kProtocolPast || vector->past_mark() == PastMark()) return vector;
  VersionVector all = *vector;
  all.Learn(replica_.vector());
  return std::make_shared<const VersionVector>(all.Expanded());
}

}  // namespace leasemap::core
