// Whom to dial: what the seeds' names stand for, and the addresses at which members were heard of.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/membership.h"

namespace leasemap::core {

void Membership::LearnAddress(const std::string& node, const std::string& address, MonoTime mono) {
  if (address.empty()) return;
  auto it = targets_.find(address);
  if (it == targets_.end()) {
    if (!HasRoom()) return;
    it = targets_.emplace(address, Target{}).first;
    due_.reset();
    it->second.next = mono + random_.Below(50);  // two nodes that hear of each other at once rarely cross
    ++change_;
  }
  if (it->second.self || it->second.node == node) return;
  it->second.node = node;
  ++change_;
}

void Membership::OnResolved(const std::string& name, const std::vector<std::string>& addresses, const std::string& why,
                            MonoTime mono) {
  due_.reset();
  for (Seed& seed : seeds_) {
    if (seed.name != name) continue;
    seed.resolving = false;
    seed.tried = true;
    seed.next = mono + (addresses.empty() ? 500 : timing_.resolve_every) + random_.Below(500);
    seed.cause = addresses.empty() ? why : "";
    if (addresses.empty()) continue;  // a name that fails now may stand for the same addresses later: keep them
    std::set<std::string> now(addresses.begin(), addresses.end());
    if (seed.addresses != now) {
      ++change_;
      next_tidy_ = MonoTime();
    }
    seed.addresses = std::move(now);
    for (const auto& address : seed.addresses) {
      if (targets_.contains(address) || HasRoom()) targets_[address].seed = true;
    }
  }
}

// Drops addresses that belong to nobody any more: no seed's name, and no member that is there. One that is dialled, or
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

void Membership::Retry(Target& target, MonoTime mono, int64_t least_ms) {
  due_.reset();
  target.dialing = false;
  target.backoff_ms = std::clamp(target.backoff_ms * 2, std::max(timing_.dial_min, least_ms), timing_.dial_max);
  target.next = mono + target.backoff_ms / 2 + random_.Below(target.backoff_ms);
}

void Membership::OnDialFailed(const std::string& address, const std::string& why, MonoTime mono) {
  Target* target = TargetAt(address);
  if (target == nullptr) return;
  if (!target->seed && target->node.empty()) {  // of a seed that is none any more
    due_.reset();
    targets_.erase(address);
    return;
  }
  target->failed = true;
  target->cause = why;
  if (!target->failing_since) target->failing_since = mono;
  Retry(*target, mono, 0);
}

void Membership::OnRefused(const RefusedDial& refusal, MonoTime mono) {
  Target* target = TargetAt(refusal.address);
  if (target == nullptr) return;
  target->refused = refusal;
  target->cause = absl::StrCat(refusal.reason, ": ", refusal.message);
  target->answered = target->self = false;
  target->failing_since.reset();
  Retry(*target, mono, 1000);  // what refuses once will seldom accept a moment later
}

void Membership::OnSelf(const std::string& address, MonoTime mono) {
  Target* target = TargetAt(address);
  if (target == nullptr) return;
  due_.reset();
  const int64_t backoff_ms = target->self ? std::min(2 * target->backoff_ms, timing_.self_retry) : timing_.dial_max / 3;
  const bool seed = target->seed;
  *target = Target();
  target->seed = seed;
  target->self = true;
  target->backoff_ms = backoff_ms;
  target->next = mono + backoff_ms / 2 + random_.Below(backoff_ms);
  ++change_;
}

void Membership::OnLocal(const std::string& local, MonoTime mono) {
  if (locals_.size() >= kMaxLocals || !locals_.insert(local).second) return;
  due_.reset();
  for (auto& [address, target] : targets_) {
    if (target.self && address != local) target.next = std::min(target.next, mono);
  }
}

void Membership::OnAnswered(const std::string& address, const std::string& node) {
  Target* target = TargetAt(address);
  if (target == nullptr) return;
  target->answered = true;
  target->self = false;
  target->refused.reset();
  target->failing_since.reset();
  target->cause.clear();
  if (target->node != node) ++change_;
  target->node = node;
  target->backoff_ms = 0;
}

void Membership::OnLost(const std::string& address, MonoTime mono) {
  if (Target* target = TargetAt(address)) Retry(*target, mono, 0);
}

bool Membership::Linked(const Target& target) const {
  auto it = members_.find(target.node);
  return it != members_.end() && it->second.linked;
}

void Membership::Tick(MonoTime mono, Effects& effects) {
  due_.reset();
  if (mono >= next_tidy_) {
    Tidy();
    next_tidy_ = mono + kTidyEveryMs;
  }
  for (Seed& seed : seeds_) {
    if (seed.resolving || seed.next > mono) continue;
    seed.resolving = true;
    effects.resolve.push_back(seed.name);
  }
  for (auto& [address, target] : targets_) {
    if (target.dialing || target.next > mono) continue;
    if (Linked(target)) {
      // All of them are looked at again together: a node with many members wakes up for them once.
      target.next = MonoTime((mono.ms() / timing_.heartbeat + 1) * timing_.heartbeat);
      continue;
    }
    target.dialing = true;
    effects.dial.push_back(address);
  }
}

MonoTime Membership::NextDue(MonoTime mono) const {
  if (!due_) {
    due_ = MonoTime::Never();
    for (const Seed& seed : seeds_) {
      if (!seed.resolving) due_ = std::min(*due_, seed.next);
    }
    for (const auto& [address, target] : targets_) {
      if (!target.dialing) due_ = std::min(*due_, target.next);
    }
  }
  return std::min(mono + timing_.heartbeat, *due_);
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

std::vector<RefusedDial> Membership::Refusals(MonoTime mono, int64_t forgotten_ms) const {
  std::vector<RefusedDial> out;
  for (const auto& [address, target] : targets_) {
    const bool over = target.failing_since && mono - *target.failing_since >= forgotten_ms;
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

void Membership::Moved(const std::string& node, const std::string& address, MonoTime mono) {
  for (auto it = targets_.begin(); it != targets_.end();) {
    const Target& target = it->second;
    const bool stale = target.node == node && it->first != address && !target.seed && !target.dialing;
    it = stale ? targets_.erase(it) : std::next(it);
    if (stale) ++change_;
  }
  LearnAddress(node, address, mono);
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
  due_.reset();
  ++change_;
}

}  // namespace leasemap::core
