#include "peer/core/membership.h"

#include <algorithm>

#include "peer/core/limits.h"

namespace leasemap::core {

Membership::Membership(std::string self, std::vector<std::string> seeds, uint64_t seed, Timing timing)
    : self_(std::move(self)), timing_(timing), random_(seed) {
  for (auto& name : seeds) {
    Seed one;
    one.name = std::move(name);
    seeds_.push_back(std::move(one));
  }
}

Member* Membership::Remember(const ReplicaId& id, const std::string& address, int64_t mono_ms) {
  if (id.node == self_) return nullptr;
  auto it = members_.find(id.node);
  if (it == members_.end()) {
    if (members_.size() >= kMaxMembers) return nullptr;
    it = members_.emplace(id.node, Member{}).first;
    it->second.id = id;
    it->second.heard_mono_ms = mono_ms;
  }
  Member& member = it->second;
  member.id = std::max(member.id, id);
  if (member.address.empty()) member.address = address;
  return &member;
}

void Membership::LearnAddress(const std::string& node, const std::string& address, int64_t mono_ms) {
  if (address.empty()) return;
  auto it = targets_.find(address);
  if (it == targets_.end()) {
    if (targets_.size() >= kMaxTargets) return;
    it = targets_.emplace(address, Target{}).first;
    it->second.next_ms = mono_ms + random_.Below(50);  // two nodes that hear of each other at once rarely cross
  }
  if (!it->second.self) it->second.node = node;
}

void Membership::OnResolved(const std::string& name, const std::vector<std::string>& addresses, int64_t mono_ms) {
  for (Seed& seed : seeds_) {
    if (seed.name != name) continue;
    seed.resolving = false;
    seed.tried = true;
    seed.next_ms = mono_ms + (addresses.empty() ? 500 : timing_.resolve_every) + random_.Below(500);
    if (addresses.empty()) continue;  // a name that fails now may stand for the same addresses later: keep them
    std::set<std::string> now(addresses.begin(), addresses.end());
    for (const auto& old : seed.addresses) {
      Target* target = now.contains(old) ? nullptr : Find(old);
      if (target != nullptr && !target->dialing && target->node.empty()) targets_.erase(old);
    }
    for (const auto& address : now) {
      if (targets_.size() >= kMaxTargets && !targets_.contains(address)) break;
      targets_[address].seed = true;
    }
    seed.addresses = std::move(now);
  }
}

Membership::Target* Membership::Find(const std::string& address) {
  auto it = targets_.find(address);
  return it == targets_.end() ? nullptr : &it->second;
}

void Membership::Retry(Target& target, int64_t mono_ms, int64_t least_ms) {
  target.dialing = false;
  target.backoff_ms = std::clamp(target.backoff_ms * 2, std::max(timing_.dial_min, least_ms), timing_.dial_max);
  target.next_ms = mono_ms + target.backoff_ms / 2 + random_.Below(target.backoff_ms);
}

void Membership::OnDialFailed(const std::string& address, int64_t mono_ms) {
  Target* target = Find(address);
  if (target == nullptr) return;
  target->failed = true;
  target->refused = false;
  Retry(*target, mono_ms, 0);
}

void Membership::OnRefused(const std::string& address, int64_t mono_ms) {
  Target* target = Find(address);
  if (target == nullptr) return;
  target->refused = true;
  target->answered = false;
  Retry(*target, mono_ms, 1000);  // what refuses once will seldom accept a moment later
}

void Membership::OnSelf(const std::string& address) {
  Target* target = Find(address);
  if (target == nullptr) return;
  target->self = true;
  target->dialing = false;
  target->node.clear();
}

void Membership::OnAnswered(const std::string& address, const std::string& node) {
  Target* target = Find(address);
  if (target == nullptr) return;
  target->answered = true;
  target->refused = false;
  target->node = node;
  target->backoff_ms = 0;
}

void Membership::OnLost(const std::string& address, int64_t mono_ms) {
  if (Target* target = Find(address)) Retry(*target, mono_ms, 0);
}

bool Membership::Linked(const Target& target) const {
  auto it = members_.find(target.node);
  return it != members_.end() && it->second.linked;
}

void Membership::Tick(int64_t mono_ms, Effects& effects) {
  for (Seed& seed : seeds_) {
    if (seed.resolving || seed.next_ms > mono_ms) continue;
    seed.resolving = true;
    effects.resolve.push_back(seed.name);
  }
  for (auto& [address, target] : targets_) {
    if (target.self || target.dialing || target.next_ms > mono_ms) continue;
    if (Linked(target)) {
      target.next_ms = mono_ms + timing_.heartbeat;
      continue;
    }
    target.dialing = true;
    effects.dial.push_back(address);
  }
}

int64_t Membership::NextDue(int64_t mono_ms) const {
  int64_t due = mono_ms + timing_.heartbeat;
  for (const Seed& seed : seeds_) {
    if (!seed.resolving) due = std::min(due, seed.next_ms);
  }
  for (const auto& [address, target] : targets_) {
    if (!target.self && !target.dialing) due = std::min(due, target.next_ms);
  }
  return due;
}

bool Membership::AllTried() const {
  for (const Seed& seed : seeds_) {
    if (!seed.tried) return false;
  }
  for (const auto& [address, target] : targets_) {
    if (!target.self && !target.answered && !target.failed && !Linked(target)) return false;
  }
  return true;
}

bool Membership::AnyRefused() const {
  for (const auto& [address, target] : targets_) {
    if (target.refused && !target.self) return true;
  }
  return false;
}

void Membership::Moved(const std::string& node, const std::string& address, int64_t mono_ms) {
  for (auto it = targets_.begin(); it != targets_.end();) {
    const Target& target = it->second;
    const bool stale = target.node == node && it->first != address && !target.seed && !target.dialing;
    it = stale ? targets_.erase(it) : std::next(it);
  }
  LearnAddress(node, address, mono_ms);
}

}  // namespace leasemap::core
