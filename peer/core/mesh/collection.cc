#include "peer/core/mesh/collection.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {

using PeersOf = Collection::PeersOf;

// Every remembered member has reported that it covers the dot: a neighbour on its own link, others by what was relayed.
// One whose disk has taken nothing since `stopped_before` is not waited for: if it ends, and comes back with what its
// disk had, it begins again from the others' map, as one that was forgotten.
bool AllCover(const Replica& replica, const Membership& membership, MonoTime stopped_before, const Dot& dot) {
  if (!replica.vector().CoversPrefix(dot) && !replica.vector().CoversHeld(dot, replica.vector())) return false;
  const auto& members = membership.members();
  return std::all_of(members.begin(), members.end(), [&](const auto& item) {
    const Member& member = item.second;
    const bool stopped = member.disk_stopped && *member.disk_stopped < stopped_before;
    return member.gone() || stopped ||
           (member.stable && replica.vector().KnowsCovered(*member.stable, member.stable_meaning, dot));
  });
}

// As far as this node knows.
bool HasEnded(const ReplicaId& self, const Membership& membership, const ReplicaId& replica) {
  if (replica.node == self.node) return replica.incarnation < self.incarnation;
  const auto it = membership.members().find(replica.node);
  if (it == membership.members().end()) return true;
  const Member& member = it->second;
  if (member.linked && member.linked_as <= replica.incarnation) return false;
  return member.gone() || member.id.incarnation > replica.incarnation;
}

// Which of them all remembered members cover alike. Each has to say so itself, and that it neither is linked with that
// process nor takes it for a member: then nothing of it is under way to anybody.
void KeepAlike(const VersionVector& vector, const Membership& membership, PeersOf peers_of,
               std::vector<ReplicaId>& ended) {
  for (const auto& [node, member] : membership.members()) {
    if (member.gone()) continue;
    if (member.linked_as != member.id.incarnation || !member.report || !member.relayed_by.empty()) return ended.clear();
    const Peers& peers = peers_of(node);
    std::map<std::string_view, const MemberInfo*> known;
    for (const MemberInfo& info : peers.members) known.emplace(info.id.node, &info);
    const VersionVector& report = *member.report;
    const Meaning meaning = vector.MeaningOf(report);
    std::erase_if(ended, [&](const ReplicaId& replica) {
      if (!vector.IsAlike(report, meaning, replica)) return true;
      const auto it = known.find(replica.node);
      if (it == known.end() || it->second->id.incarnation > replica.incarnation) return false;
      return !it->second->gone() || std::count(peers.linked.begin(), peers.linked.end(), replica.node) > 0;
    });
  }
}

}  // namespace

int64_t KeptDeadMs(const LeaseRules& rules) { return std::max(kKeepDeadMs, rules.period_ms); }

void Collection::Collect(Now now, const LeaseRules& rules, int64_t forget_after_ms, Membership& membership,
                         Replica& replica) {
  if (now.mono < next_collect_) return;
  next_collect_ = now.mono + kCollectEveryMs;
  int64_t before_ms = now.wall_ms - KeptDeadMs(rules);
  // A writer whose clock is behind may still be in the period before.
  const int64_t behind_ms = now.wall_ms - kCollectBounds * rules.clock_bound_ms;
  if (rules.leasing) before_ms = std::min(before_ms, PeriodStartMs(rules, behind_ms));
  membership.NoteStable(replica.vector());
  std::vector<std::string> keys;
  size_t looked = 0;
  // Nobody can tell a node that knows of no other that its clock is ahead: there the hour has to pass by both clocks.
  // So it has everywhere for what lapsed: if all clocks were ahead, and are set right, it lives again.
  const MonoTime old_here = now.mono - KeptDeadMs(rules);
  const bool alone = membership.remembered() == 0;
  for (const Store::Dead& dead : replica.store().dead()) {
    if (dead.since_ms >= before_ms || looked++ == kCollectAtOnce) break;
    const Store::Slot& slot = *replica.store().FindSlot(dead.key);
    const Entry& entry = *slot.entry;
    const bool by_both = alone || slot.lapsed;
    if ((by_both && slot.changed > old_here) || !AllCover(replica, membership, now.mono - forget_after_ms, entry.dot)) {
      continue;
    }
    keys.emplace_back(dead.key);
  }
  replica.Collect(keys);
  if (looked > kCollectAtOnce && !keys.empty()) next_collect_ = now.mono;  // there may be more to go
}

void Collection::Fold(Now now, const Membership& membership, PeersOf peers_of, Replica& replica) {
  if (now.mono < next_fold_) return;
  next_fold_ = now.mono + kFoldEveryMs;
  std::vector<ReplicaId> ended;
  for (const auto& [process, coverage] : replica.vector().runs()) {
    if (coverage.exceptions.empty() && HasEnded(replica.self(), membership, process)) ended.push_back(process);
  }
  if (ended.empty()) return;
  KeepAlike(replica.vector(), membership, peers_of, ended);
  replica.Fold(ended);
}

}  // namespace leasemap::core
