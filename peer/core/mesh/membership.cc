#include "peer/core/mesh/membership.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

Membership::Membership(ReplicaId self, std::vector<std::string> seeds, uint64_t seed, Timing timing)
    : self_{std::move(self), "", 0}, timing_(timing), random_(seed) {
  for (auto& name : seeds) {
    Seed one;
    one.name = std::move(name);
    seeds_.push_back(std::move(one));
  }
}

// A record of this node ID, in the place of the one that is gone for longest if there is no other.
Member* Membership::Make(const std::string& node, MonoTime mono) {
  if (members_.size() >= kMaxMembers) {
    auto oldest = members_.end();
    for (auto it = members_.begin(); it != members_.end(); ++it) {
      const bool older = oldest == members_.end() || it->second.heard_mono < oldest->second.heard_mono;
      if (it->second.gone() && older) oldest = it;
    }
    if (oldest == members_.end()) return nullptr;
    members_.erase(oldest);
  }
  ++change_;
  Member& made = members_[node];
  made.heard_mono = mono;
  return &made;
}

// What an earlier process of it covered says nothing of this one.
void Membership::Advance(Member& member, uint64_t incarnation, uint64_t generation) {
  if (incarnation != member.id.incarnation || generation % 2 != 0) {
    member.report.reset();
    member.stable.reset();
    member.relayed_by.clear();
  }
  member.id.incarnation = incarnation;
  member.generation = generation;
  ++change_;
  if (member.gone()) next_tidy_ = MonoTime();
}

const Member* Membership::Learn(const MemberInfo& info, MonoTime mono, bool* changed) {
  return LearnOf(info, mono, changed);
}

void Membership::Restore(const std::vector<MemberInfo>& members, MonoTime mono) {
  for (const MemberInfo& info : members) {
    bool changed = false;
    const Member* member = Learn(info, mono, &changed);
    if (member != nullptr && !member->gone()) LearnAddress(info.id.node, info.address, mono);
  }
}

Member* Membership::LearnOf(const MemberInfo& info, MonoTime mono, bool* changed) {
  *changed = false;
  if (info.id.node == self_.id.node) return nullptr;
  auto it = members_.find(info.id.node);
  // Of one that is gone and was never known no record is needed, and another's would have to make room for it.
  if (it == members_.end() && info.gone() && members_.size() >= kMaxMembers) return nullptr;
  Member* member = it == members_.end() ? Make(info.id.node, mono) : &it->second;
  if (member == nullptr) return nullptr;
  const bool fresh = member->id.node.empty();
  member->id.node = info.id.node;
  const uint64_t generation = Generation::Settled(info.generation);
  if (fresh || std::pair(member->id.incarnation, member->generation) < std::pair(info.id.incarnation, generation)) {
    *changed = true;
    Advance(*member, info.id.incarnation, generation);
  }
  // It is here: a peer that says otherwise is told so. Unless it says so itself, which others may hear first.
  if (member->linked && member->gone() && !Generation::HasLeft(member->generation)) {
    member->generation = Generation::Back(member->generation);
    ++change_;
  }
  if (member->address.empty() && !info.address.empty()) {
    member->address = info.address;
    ++change_;
  }
  return member;
}

Member* Membership::Find(const std::string& node) {
  auto it = members_.find(node);
  return it == members_.end() ? nullptr : &it->second;
}

bool Membership::Meet(const ReplicaId& id, const std::string& address, MonoTime mono) {
  bool changed = false;
  Member* member = LearnOf({id, address, 0}, mono, &changed);
  if (member == nullptr) return false;
  // One that said that it leaves may have done so since: if it did not, it will hear that it is taken for gone, and say
  // so itself.
  if (!Generation::HasLeft(member->generation)) member->generation = Generation::Back(member->generation);
  member->leaving = false;
  member->address = address;
  ++change_;
  return true;
}

bool Membership::LinkUp(const ReplicaId& id, Now now) {
  Member& member = members_.at(id.node);
  const bool news = !member.linked;
  member.linked = true;
  member.linked_as = id.incarnation;
  member.heard_mono = now.mono;
  member.heard_wall_ms = now.wall_ms;
  ++change_;
  ++linked_change_;
  return news;
}

bool Membership::LinkDown(const std::string& node, uint64_t other, MonoTime mono) {
  Member* member = Find(node);
  if (member == nullptr) return false;
  member->linked = other != 0;
  member->linked_as = other;
  ++change_;
  ++linked_change_;
  if (!member->linked) member->lost_mono = mono;
  return !member->linked;
}

void Membership::Heard(const std::string& node, Now now) {
  Member* member = Find(node);
  if (member == nullptr) return;
  member->heard_mono = now.mono;
  member->heard_wall_ms = now.wall_ms;
}

void Membership::Measured(const std::string& node, int64_t offset_ms) {
  Member* member = Find(node);
  if (member == nullptr) return;
  member->offset_ms = offset_ms;
  member->measured = true;
}

void Membership::HeardLeaving(const ReplicaId& id, bool leaving) {
  Member* member = Find(id.node);
  if (member == nullptr || member->leaving == leaving) return;
  member->leaving = leaving;
  ++change_;
}

void Membership::Reported(const ReplicaId& id, const VectorPtr& vector, MonoTime mono) {
  Member* member = Find(id.node);
  if (member == nullptr || member->id != id) return;
  member->report = vector;
  member->report_incarnation = id.incarnation;
  member->report_mono = mono;
  member->relayed_by.clear();
}

void Membership::ReportedDisk(const ReplicaId& id, bool stopped, MonoTime mono) {
  Member* member = Find(id.node);
  if (member == nullptr || member->id != id || member->disk_stopped.has_value() == stopped) return;
  member->disk_stopped = stopped ? std::optional(mono) : std::nullopt;
}

void Membership::Relayed(const std::string& by, const std::vector<Relay>& relays, MonoTime mono) {
  // Whom this neighbour no longer relays it no longer hears.
  if (any_relayed_) {
    any_relayed_ = false;
    for (auto& [node, member] : members_) {
      if (member.relayed_by == by) member.relayed_by.clear();
      any_relayed_ |= !member.relayed_by.empty();
    }
  }
  for (const Relay& relay : relays) {
    Member* member = Find(relay.member.node);
    if (member == nullptr || member->linked || member->gone() || relay.member != member->id) continue;
    member->report = relay.vector;
    member->report_incarnation = relay.member.incarnation;
    member->report_mono = mono;
    member->relayed_by = by;
    any_relayed_ = true;
  }
}

// A report alone is not enough: what its member had made before it covered a dot, and is still on its way here, could
// bring back what the dot replaced.
void Membership::NoteStable(const VersionVector& vector) {
  for (auto& [node, member] : members_) {
    if (member.gone()) continue;
    if (member.report && member.report != member.stable && member.report_incarnation == member.id.incarnation) {
      if (vector.Covers(*member.report)) member.stable = member.report;
    }
    if (member.stable) member.stable_meaning = vector.MeaningOf(*member.stable);
  }
}

PeersPtr Membership::Peers() const {
  if (peers_ && peers_change_ == change_) return peers_;
  auto peers = std::make_shared<core::Peers>();
  peers->members.push_back(self_);
  for (const auto& [node, member] : members_) {
    // As which incarnation it is linked, not one that was only heard of: what comes of that one ends with its link.
    const uint64_t incarnation = member.linked_as != 0 ? member.linked_as : member.id.incarnation;
    const bool older = incarnation != member.id.incarnation;
    peers->members.push_back({{node, incarnation}, member.address, older ? 0 : member.generation});
    if (member.linked) peers->linked.push_back(node);
  }
  peers_change_ = change_;
  peers_ = std::move(peers);
  return peers_;
}

void Membership::TakeIncarnation(uint64_t incarnation) {
  self_.id.incarnation = incarnation;
  ++change_;
}

bool Membership::Leave() {
  if (std::exchange(leaving_, true)) return false;
  self_.generation = Generation::Leave(self_.generation);
  ++change_;
  return true;
}

bool Membership::HeardOfSelf(const MemberInfo& info) {
  if (info.id != self_.id || info.generation <= self_.generation) return false;
  const uint64_t said = Generation::Settled(info.generation);
  self_.generation = leaving_ ? Generation::Leave(said) : Generation::Back(said);
  ++change_;
  return true;
}

std::vector<ReplicaId> Membership::Present() const {
  std::vector<ReplicaId> present = {self_.id};
  for (const auto& [node, member] : members_) {
    if (member.linked_as != 0) present.push_back({node, member.linked_as});
    if (!member.gone()) present.push_back(member.id);
  }
  return present;
}

size_t Membership::remembered() const {
  if (remembered_change_ != change_) {
    remembered_change_ = change_;
    remembered_ = static_cast<size_t>(
        std::count_if(members_.begin(), members_.end(), [](const auto& item) { return !item.second.gone(); }));
  }
  return remembered_;
}

bool Membership::Forget(const std::string& node) {
  Member* member = Find(node);
  if (member == nullptr) return false;
  HeardLeaving(member->id, false);  // if it left before, it is as good as any that is forgotten
  if (member->gone()) return false;
  Advance(*member, member->id.incarnation, member->generation + 1);
  return true;
}

std::vector<std::string> Membership::LongestSilent(MonoTime since_mono) const {
  std::vector<std::pair<MonoTime, std::string>> silent;
  for (const auto& [node, member] : members_) {
    if (!member.linked && !member.gone() && member.relayed_by.empty() && member.heard_mono < since_mono) {
      silent.emplace_back(member.heard_mono, node);
    }
  }
  std::sort(silent.begin(), silent.end());
  std::vector<std::string> names;
  names.reserve(silent.size());
  for (auto& [heard, node] : silent) names.push_back(std::move(node));
  return names;
}

std::vector<std::string> Membership::ForgetSilent(MonoTime since_mono) {
  std::vector<std::string> silent;
  for (const auto& [node, member] : members_) {
    const MonoTime heard = std::max(member.heard_mono, member.relayed_by.empty() ? MonoTime() : member.report_mono);
    if (!member.linked && !member.gone() && heard < since_mono) silent.push_back(node);
  }
  for (const auto& node : silent) Forget(node);
  return silent;
}

std::vector<std::string> Membership::MakeRoom(MonoTime mono, const VersionVector& vector) {
  std::vector<std::string> forgotten;
  const size_t most = kMaxMembers - kMemberRoom;
  if (remembered() <= most) return forgotten;
  for (const auto& node : LongestSilent(mono - kGoneMs)) {
    const Member& member = members_.at(node);
    if (!member.report || !vector.Covers(*member.report)) continue;
    if (Forget(node)) forgotten.push_back(node);
    if (remembered() <= most) break;
  }
  return forgotten;
}

std::string Membership::NoRoomText() const {
  const auto silent = LongestSilent(MonoTime::Never());
  std::string text = absl::StrCat(Shown(self_.id.node), " remembers ", remembered(), " members, as many as it can");
  if (silent.empty()) return absl::StrCat(text, ", and all of them answer: the cluster is full");
  absl::StrAppend(&text, "; ", silent.size(), " are silent, for longest");
  for (size_t n = 0; n < std::min<size_t>(silent.size(), 3); ++n) absl::StrAppend(&text, n > 0 ? ", " : " ", silent[n]);
  return absl::StrCat(text, "; those that won't come back can be forgotten (leasemap forget NODE_ID)");
}

}  // namespace leasemap::core
