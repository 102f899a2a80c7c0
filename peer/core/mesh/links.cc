#include "peer/core/mesh/links.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "peer/core/data/check.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

void Link::TakeHello(Hello hello) {
  peer_ = std::move(hello);
  helloed_ = true;
}

Link* Links::Find(LinkId id) {
  const auto it = links_.find(id);
  return it == links_.end() ? nullptr : &it->second;
}

const Link* Links::Find(LinkId id) const {
  const auto it = links_.find(id);
  return it == links_.end() ? nullptr : &it->second;
}

std::vector<LinkId> Links::Ids() const {
  std::vector<LinkId> ids;
  ids.reserve(links_.size());
  for (const auto& [id, link] : links_) ids.push_back(id);
  return ids;
}

Link& Links::Open(LinkId id, Link link) {
  const auto [it, fresh] = links_.emplace(id, std::move(link));
  LEASEMAP_CHECK(fresh, static_cast<uint64_t>(id));
  return it->second;
}

LinkId Links::UpWith(const std::string& node) const {
  const auto it = up_.lower_bound({node, LinkId::kNone});
  return it != up_.end() && it->first == node ? it->second : LinkId::kNone;
}

bool Links::IsUpWith(const ReplicaId& member) const {
  const LinkId id = UpWith(member.node);
  return id != LinkId::kNone && links_.at(id).member() == member;
}

bool Links::IsUp(LinkId id) const {
  const Link* link = Find(id);
  return link != nullptr && link->up();
}

void Links::SetUp(LinkId id) {
  Link& link = links_.at(id);
  LEASEMAP_CHECK(link.phase_ == Link::Phase::kAwaitAccept, "phase ", static_cast<int>(link.phase_));
  link.phase_ = Link::Phase::kUp;
  up_.emplace(link.node(), id);
}

std::optional<Link> Links::Close(LinkId id) {
  const auto it = links_.find(id);
  if (it == links_.end()) return std::nullopt;
  std::optional<Link> link(std::move(it->second));
  links_.erase(it);
  if (link->up()) up_.erase({link->node(), id});
  return link;
}

std::optional<LinkId> Links::RoomFor(const std::string& remote) const {
  const auto host_of = [](std::string_view address) { return address.substr(0, address.rfind(':')); };
  size_t strangers = 0, of_host = 0;
  LinkId first = LinkId::kNone, first_of_host = LinkId::kNone;
  for (const auto& [id, link] : links_) {
    if (link.phase() != Link::Phase::kAwaitHello) continue;
    if (strangers++ == 0) first = id;
    if (host_of(link.address()) == host_of(remote) && of_host++ == 0) first_of_host = id;
  }
  if (of_host >= kMaxStrangersOfOne) return first_of_host;
  if (strangers < kMaxStrangers && links_.size() < kMaxLinks) return LinkId::kNone;
  return strangers == 0 ? std::nullopt : std::optional(first);
}

Links::Beats Links::Beat(MonoTime mono) {
  Beats beats;
  const bool any = AnyUp([&](const Link& link) { return mono >= link.alive.PingDue(timing_); });
  const int64_t early_ms = any ? timing_.heartbeat / 4 : 0;
  for (auto& [id, link] : links_) {
    if (link.up()) {
      if (mono >= link.alive.SilentDue(timing_)) {
        beats.dead.emplace_back(id, absl::StrCat(link.node(), " (", link.address(), ") was silent for ",
                                                 ShownDuration(link.alive.SilentAfter(timing_))));
      } else if (mono >= link.alive.PingDue(timing_) - early_ms) {
        link.alive.Pinged(mono);
        beats.ping.push_back(id);
      }
    } else if (link.phase() != Link::Phase::kProbing && mono >= link.alive.HandshakeDue(timing_)) {
      beats.dead.emplace_back(id, link.dialed() ? absl::StrCat(link.address(), ": no handshake within ",
                                                               ShownDuration(link.alive.HandshakeMost(timing_)))
                                                : "");
    }
  }
  return beats;
}

void Links::ClockJumped(MonoTime mono) {
  for (auto& [id, link] : links_) {
    link.alive.PingNow(mono, timing_);
    link.SetClockAgrees(false);  // that was said of the clock as it was
    link.ceiling.Forget();
  }
}

// Whether the node ID of this Hello belongs to another process, at another address: one that was heard a moment ago, or
// that a neighbour is linked with. A process that comes back where its predecessor was takes its place at once.
bool Links::NameIsHeld(MonoTime mono, const Hello& hello, const Membership& membership) const {
  const auto it = membership.members().find(hello.self.node);
  if (it == membership.members().end()) return false;
  const Member& member = it->second;
  const bool elsewhere = !hello.advertise.empty() && member.address != hello.advertise;
  const bool other = member.id != hello.self && elsewhere;
  if (!other || member.gone()) return false;
  if (member.heard_wall_ms != 0 && mono - member.heard_mono < timing_.name_hold) return true;
  return AnyUp([&](const Link& link) {
    if (link.node() == hello.self.node) return false;
    // It may be linked with this very process already. (Of an earlier incarnation, after a clock went back, hearsay
    // does not tell.)
    const auto& [known, linked] = link.theirs.peers();
    const bool this_one =
        std::any_of(known.begin(), known.end(), [&](const MemberInfo& one) { return one.id == hello.self; });
    return !this_one && std::binary_search(linked.begin(), linked.end(), hello.self.node);
  });
}

Links::Duplicate Links::CheckDuplicate(MonoTime mono, LinkId id, const std::string& self,
                                       const Membership& membership) const {
  const Link& link = links_.at(id);
  const LinkId first = UpWith(link.node());
  if (first == LinkId::kNone || first == id || links_.at(first).member() != link.member()) {
    if (NameIsHeld(mono, link.peer(), membership)) return Duplicate::kHeld;
    const bool successor = first == LinkId::kNone || links_.at(first).member() < link.member();
    return successor ? Duplicate::kNone : Duplicate::kProbe;
  }
  if (Stays(link, self)) return Duplicate::kNone;
  return link.dialed() ? Duplicate::kYield : Duplicate::kProbe;
}

LinkId Links::Probe(MonoTime mono, LinkId id) {
  if (Probing().size() >= kMaxProbes) return LinkId::kNone;
  Link& link = links_.at(id);
  const LinkId first = UpWith(link.node());
  LEASEMAP_CHECK(first != LinkId::kNone && first != id, static_cast<uint64_t>(first), " of ",
                 static_cast<uint64_t>(id));
  link.phase_ = Link::Phase::kProbing;
  link.probe_ = {first, mono + timing_.probe, links_.at(first).alive.heard()};
  return first;
}

std::vector<LinkId> Links::Probing() const {
  std::vector<LinkId> probing;
  for (const auto& [id, link] : links_) {
    if (link.phase() == Link::Phase::kProbing) probing.push_back(id);
  }
  return probing;
}

Links::ProbeEnd Links::LookAtProbe(MonoTime mono, LinkId id) const {
  const Link::Probe& probe = links_.at(id).probe_;
  const Link* first = Find(probe.first);
  if (first == nullptr || !first->up()) return {Probed::kGone, probe.first};
  if (first->alive.heard() > probe.heard) return {Probed::kHeard, probe.first};
  return {mono >= probe.until ? Probed::kSilent : Probed::kWaits, probe.first};
}

VectorPtr Links::Believable(const VectorPtr& vector, const Replica& replica) const {
  VersionVector out = *vector;
  bool cut = false;
  const auto limit = [&](const ReplicaId& id, const Coverage& known) { cut |= out.Limit(id, known); };
  limit(replica.self(), Coverage{replica.own_log().end() - 1, {}});
  for (const auto& [id, link] : links_) {
    if (!link.up() || !link.theirs.vector()) continue;
    Coverage known;
    for (const VersionVector* source : {link.theirs.vector().get(), &replica.vector()}) {
      const auto run = source->runs().find(link.member());
      if (run == source->runs().end()) continue;
      known.Add(1, run->second.prefix);
      for (const auto& [first, last] : run->second.exceptions) known.Add(first, last);
    }
    limit(link.member(), known);
  }
  return cut ? std::make_shared<const VersionVector>(std::move(out)) : vector;
}

MonoTime Links::NextDue(MonoTime mono) const {
  MonoTime due = MonoTime::Never();
  for (const auto& [id, link] : links_) {
    if (link.up()) {
      due = std::min({due, link.alive.PingDue(timing_), link.alive.SilentDue(timing_)});
    } else if (link.phase() == Link::Phase::kProbing) {
      due = std::min(due, mono + 50);  // the first link may answer at any time
    } else {
      due = std::min(due, link.alive.HandshakeDue(timing_));
    }
  }
  return due;
}

}  // namespace leasemap::core
