#include "peer/core/membership.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/limits.h"

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
Member* Membership::Make(const std::string& node, int64_t mono_ms) {
  if (members_.size() >= kMaxMembers) {
    auto oldest = members_.end();
    for (auto it = members_.begin(); it != members_.end(); ++it) {
      const bool older = oldest == members_.end() || it->second.heard_mono_ms < oldest->second.heard_mono_ms;
      if (it->second.gone() && older) oldest = it;
    }
    if (oldest == members_.end()) return nullptr;
    members_.erase(oldest);
  }
  ++change_;
  Member& made = members_[node];
  made.heard_mono_ms = mono_ms;
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
  if (member.gone()) next_tidy_ms_ = 0;
}

const Member* Membership::Learn(const MemberInfo& info, int64_t mono_ms, bool* changed) {
  return LearnOf(info, mono_ms, changed);
}

Member* Membership::LearnOf(const MemberInfo& info, int64_t mono_ms, bool* changed) {
  *changed = false;
  if (info.id.node == self_.id.node) return nullptr;
  auto it = members_.find(info.id.node);
  // Of one that is gone and was never known no record is needed, and another's would have to make room for it.
  if (it == members_.end() && info.gone() && members_.size() >= kMaxMembers) return nullptr;
  Member* member = it == members_.end() ? Make(info.id.node, mono_ms) : &it->second;
  if (member == nullptr) return nullptr;
  const bool fresh = member->id.node.empty();
  member->id.node = info.id.node;
  const uint64_t generation = Generation::Settled(info.generation);
  if (fresh || std::pair(member->id.incarnation, member->generation) < std::pair(info.id.incarnation, generation)) {
    *changed = true;
    Advance(*member, info.id.incarnation, generation);
  }
  // It is here: whoever says otherwise is told so. Unless it says so itself, which others may hear first.
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

bool Membership::Meet(const ReplicaId& id, const std::string& address, int64_t mono_ms) {
  bool changed = false;
  Member* member = LearnOf({id, address, 0}, mono_ms, &changed);
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
  member.heard_mono_ms = now.mono_ms;
  member.heard_wall_ms = now.wall_ms;
  ++change_;
  ++linked_change_;
  return news;
}

bool Membership::LinkDown(const std::string& node, uint64_t other, int64_t mono_ms) {
  Member* member = Find(node);
  if (member == nullptr) return false;
  member->linked = other != 0;
  member->linked_as = other;
  ++change_;
  ++linked_change_;
  if (!member->linked) member->lost_mono_ms = mono_ms;
  return !member->linked;
}

void Membership::Heard(const std::string& node, Now now) {
  Member* member = Find(node);
  if (member == nullptr) return;
  member->heard_mono_ms = now.mono_ms;
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

void Membership::Reported(const ReplicaId& id, const VectorPtr& vector, int64_t mono_ms) {
  Member* member = Find(id.node);
  if (member == nullptr || member->id != id) return;
  member->report = vector;
  member->report_incarnation = id.incarnation;
  member->report_mono_ms = mono_ms;
  member->relayed_by.clear();
}

void Membership::Relayed(const std::string& by, const std::vector<Relay>& relays, int64_t mono_ms) {
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
    member->report_mono_ms = mono_ms;
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

std::vector<std::string> Membership::LongestSilent(int64_t since_mono_ms) const {
  std::vector<std::pair<int64_t, std::string>> silent;
  for (const auto& [node, member] : members_) {
    if (!member.linked && !member.gone() && member.relayed_by.empty() && member.heard_mono_ms < since_mono_ms) {
      silent.emplace_back(member.heard_mono_ms, node);
    }
  }
  std::sort(silent.begin(), silent.end());
  std::vector<std::string> names;
  for (auto& [heard_ms, node] : silent) names.push_back(std::move(node));
  return names;
}

std::vector<std::string> Membership::ForgetSilent(int64_t since_mono_ms) {
  std::vector<std::string> silent;
  for (const auto& [node, member] : members_) {
    const int64_t heard_ms = std::max(member.heard_mono_ms, member.relayed_by.empty() ? 0 : member.report_mono_ms);
    if (!member.linked && !member.gone() && heard_ms < since_mono_ms) silent.push_back(node);
  }
  for (const auto& node : silent) Forget(node);
  return silent;
}

void Membership::LearnAddress(const std::string& node, const std::string& address, int64_t mono_ms) {
  if (address.empty()) return;
  auto it = targets_.find(address);
  if (it == targets_.end()) {
    if (!HasRoom()) return;
    it = targets_.emplace(address, Target{}).first;
    due_ms_.reset();
    it->second.next_ms = mono_ms + random_.Below(50);  // two nodes that hear of each other at once rarely cross
    ++change_;
  }
  if (it->second.self || it->second.node == node) return;
  it->second.node = node;
  ++change_;
}

void Membership::OnResolved(const std::string& name, const std::vector<std::string>& addresses, const std::string& why,
                            int64_t mono_ms) {
  due_ms_.reset();
  for (Seed& seed : seeds_) {
    if (seed.name != name) continue;
    seed.resolving = false;
    seed.tried = true;
    seed.next_ms = mono_ms + (addresses.empty() ? 500 : timing_.resolve_every) + random_.Below(500);
    seed.cause = addresses.empty() ? why : "";
    if (addresses.empty()) continue;  // a name that fails now may stand for the same addresses later: keep them
    std::set<std::string> now(addresses.begin(), addresses.end());
    if (seed.addresses != now) {
      ++change_;
      next_tidy_ms_ = 0;
    }
    seed.addresses = std::move(now);
    for (const auto& address : seed.addresses) {
      if (targets_.contains(address) || HasRoom()) targets_[address].seed = true;
    }
  }
}

// Drops addresses that nobody stands for any more: no seed's name, and no member that is there. One that is dialled, or
// that a link is on, goes when that has ended.
void Membership::Tidy() {
  std::set<std::string> named;
  for (const Seed& seed : seeds_) named.insert(seed.addresses.begin(), seed.addresses.end());
  for (auto it = targets_.begin(); it != targets_.end();) {
    Target& target = it->second;
    target.seed = named.contains(it->first);
    const auto member = members_.find(target.node);
    const bool there = member != members_.end() && !member->second.gone();
    const bool keep = target.seed || target.dialing || there;
    it = keep ? std::next(it) : targets_.erase(it);
    if (!keep) ++change_;
  }
}

// Makes room for one more address, in the place of the one that is least likely to be of use.
bool Membership::HasRoom() {
  if (targets_.size() < kMaxTargets) return true;
  auto worst = targets_.end();
  for (auto it = targets_.begin(); it != targets_.end(); ++it) {
    const Target& target = it->second;
    if (target.dialing || Linked(target) || !(target.self || target.failed || target.refused)) continue;
    if (worst == targets_.end() || worst->second.backoff_ms < target.backoff_ms) worst = it;
  }
  if (worst == targets_.end()) return false;
  targets_.erase(worst);
  ++change_;
  return true;
}

Membership::Target* Membership::TargetAt(const std::string& address) {
  auto it = targets_.find(address);
  return it == targets_.end() ? nullptr : &it->second;
}

void Membership::Retry(Target& target, int64_t mono_ms, int64_t least_ms) {
  due_ms_.reset();
  target.dialing = false;
  target.backoff_ms = std::clamp(target.backoff_ms * 2, std::max(timing_.dial_min, least_ms), timing_.dial_max);
  target.next_ms = mono_ms + target.backoff_ms / 2 + random_.Below(target.backoff_ms);
}

void Membership::OnDialFailed(const std::string& address, const std::string& why, int64_t mono_ms) {
  Target* target = TargetAt(address);
  if (target == nullptr) return;
  if (!target->seed && target->node.empty()) {  // of a seed that is none any more
    due_ms_.reset();
    targets_.erase(address);
    return;
  }
  target->failed = true;
  target->cause = why;
  if (!target->failing_since_ms) target->failing_since_ms = mono_ms;
  Retry(*target, mono_ms, 0);
}

void Membership::OnRefused(const RefusedDial& refusal, int64_t mono_ms) {
  Target* target = TargetAt(refusal.address);
  if (target == nullptr) return;
  target->refused = refusal;
  target->cause = absl::StrCat(refusal.reason, ": ", refusal.message);
  target->answered = target->self = false;
  target->failing_since_ms.reset();
  Retry(*target, mono_ms, 1000);  // what refuses once will seldom accept a moment later
}

void Membership::OnSelf(const std::string& address, int64_t mono_ms) {
  Target* target = TargetAt(address);
  if (target == nullptr) return;
  due_ms_.reset();
  const int64_t backoff_ms = target->self ? std::min(2 * target->backoff_ms, timing_.self_retry) : timing_.dial_max / 3;
  const bool seed = target->seed;
  *target = Target();
  target->seed = seed;
  target->self = true;
  target->backoff_ms = backoff_ms;
  target->next_ms = mono_ms + backoff_ms / 2 + random_.Below(backoff_ms);
  ++change_;
}

void Membership::OnLocal(const std::string& local, int64_t mono_ms) {
  if (locals_.size() >= kMaxLocals || !locals_.insert(local).second) return;
  due_ms_.reset();
  for (auto& [address, target] : targets_) {
    if (target.self && address != local) target.next_ms = std::min(target.next_ms, mono_ms);
  }
}

void Membership::OnAnswered(const std::string& address, const std::string& node) {
  Target* target = TargetAt(address);
  if (target == nullptr) return;
  target->answered = true;
  target->self = false;
  target->refused.reset();
  target->failing_since_ms.reset();
  target->cause.clear();
  if (target->node != node) ++change_;
  target->node = node;
  target->backoff_ms = 0;
}

void Membership::OnLost(const std::string& address, int64_t mono_ms) {
  if (Target* target = TargetAt(address)) Retry(*target, mono_ms, 0);
}

bool Membership::Linked(const Target& target) const {
  auto it = members_.find(target.node);
  return it != members_.end() && it->second.linked;
}

void Membership::Tick(int64_t mono_ms, Effects& effects) {
  due_ms_.reset();
  if (mono_ms >= next_tidy_ms_) {
    Tidy();
    next_tidy_ms_ = mono_ms + kTidyEveryMs;
  }
  for (Seed& seed : seeds_) {
    if (seed.resolving || seed.next_ms > mono_ms) continue;
    seed.resolving = true;
    effects.resolve.push_back(seed.name);
  }
  for (auto& [address, target] : targets_) {
    if (target.dialing || target.next_ms > mono_ms) continue;
    if (Linked(target)) {
      // All of them are looked at again together: a node with many members wakes up for them once.
      target.next_ms = (mono_ms / timing_.heartbeat + 1) * timing_.heartbeat;
      continue;
    }
    target.dialing = true;
    effects.dial.push_back(address);
  }
}

int64_t Membership::NextDue(int64_t mono_ms) const {
  if (!due_ms_) {
    due_ms_ = INT64_MAX;
    for (const Seed& seed : seeds_) {
      if (!seed.resolving) due_ms_ = std::min(*due_ms_, seed.next_ms);
    }
    for (const auto& [address, target] : targets_) {
      if (!target.dialing) due_ms_ = std::min(*due_ms_, target.next_ms);
    }
  }
  return std::min(mono_ms + timing_.heartbeat, *due_ms_);
}

bool Membership::AllTried() const {
  for (const Seed& seed : seeds_) {
    if (!seed.tried) return false;
  }
  for (const auto& [address, target] : targets_) {
    const bool tried = target.self || target.answered || target.refused || target.failed;
    if (!tried && !Linked(target)) return false;
  }
  return true;
}

std::vector<Unlinked> Membership::Unanswered() const {
  std::vector<Unlinked> out;
  for (const Seed& seed : seeds_) {
    if (seed.addresses.empty()) out.push_back({seed.name, CauseOf(seed)});
  }
  for (const auto& [address, target] : targets_) {
    if (target.self || target.answered || target.refused || Linked(target)) continue;
    out.push_back({address, target.cause.empty() ? "no answer yet" : target.cause});
  }
  return out;
}

std::vector<RefusedDial> Membership::Refusals(int64_t mono_ms, int64_t forgotten_ms) const {
  std::vector<RefusedDial> out;
  for (const auto& [address, target] : targets_) {
    const bool over = target.failing_since_ms && mono_ms - *target.failing_since_ms >= forgotten_ms;
    if (target.refused && !over && !Linked(target)) out.push_back(*target.refused);
  }
  return out;
}

std::string Membership::CauseOf(const Seed& seed) const {
  if (!seed.cause.empty()) return seed.cause;
  if (seed.addresses.empty()) return "its name is being resolved";
  for (const std::string& address : seed.addresses) {
    const auto it = targets_.find(address);
    if (it == targets_.end() || it->second.cause.empty()) continue;
    return address == seed.name ? it->second.cause : absl::StrCat(address, ": ", it->second.cause);
  }
  return "no answer yet";
}

std::vector<Unlinked> Membership::UnlinkedSeeds() const {
  std::vector<Unlinked> out;
  for (const Seed& seed : seeds_) {
    const bool leads = std::any_of(seed.addresses.begin(), seed.addresses.end(), [&](const std::string& address) {
      const auto it = targets_.find(address);
      return it != targets_.end() && (it->second.self || Linked(it->second));
    });
    if (!leads) out.push_back({seed.name, CauseOf(seed)});
  }
  return out;
}

std::vector<Unlinked> Membership::UnreachableMembers() const {
  std::vector<Unlinked> out;
  for (const auto& [node, member] : members_) {
    if (member.linked || member.gone()) continue;
    const auto target = targets_.find(member.address);
    const bool known = target != targets_.end() && !target->second.cause.empty();
    out.push_back({node, absl::StrCat(member.address, ": ", known ? target->second.cause : "not linked")});
  }
  return out;
}

void Membership::Moved(const std::string& node, const std::string& address, int64_t mono_ms) {
  for (auto it = targets_.begin(); it != targets_.end();) {
    const Target& target = it->second;
    const bool stale = target.node == node && it->first != address && !target.seed && !target.dialing;
    it = stale ? targets_.erase(it) : std::next(it);
    if (stale) ++change_;
  }
  LearnAddress(node, address, mono_ms);
}

void Membership::SetSeeds(const std::vector<std::string>& names) {
  std::vector<Seed> seeds;
  std::set<std::string> kept;  // addresses
  for (const auto& name : names) {
    auto it = std::find_if(seeds_.begin(), seeds_.end(), [&](const Seed& seed) { return seed.name == name; });
    if (it == seeds_.end()) {
      seeds.emplace_back().name = name;
    } else {
      kept.insert(it->addresses.begin(), it->addresses.end());
      seeds.push_back(std::move(*it));
    }
  }
  seeds_ = std::move(seeds);
  for (auto it = targets_.begin(); it != targets_.end();) {
    Target& target = it->second;
    if (target.seed && !kept.contains(it->first)) target.seed = false;
    const bool unknown = !target.seed && !target.self && !target.dialing && target.node.empty();
    it = unknown ? targets_.erase(it) : std::next(it);
  }
  due_ms_.reset();
  ++change_;
}

}  // namespace leasemap::core
