#include "peer/core/mesh/readiness.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/refusals.h"

namespace leasemap::core {

void Readiness::OnHello(const ReplicaId& id, std::optional<bool> has_map) {
  auto it = heard_.find(id.node);
  if (it == heard_.end()) {
    if (heard_.size() >= kMaxMembers) return;  // as many as can be members
    it = heard_.emplace(id.node, Heard{}).first;
  }
  Heard& heard = it->second;
  if (id.incarnation < heard.incarnation) return;  // of an earlier process: it was long on its way
  if (id.incarnation > heard.incarnation) heard = Heard();
  heard.incarnation = id.incarnation;
  heard.has_map = has_map;
}

void Readiness::OnLinked(const ReplicaId& id, const VectorPtr& vector, bool has_map, uint64_t keys) {
  OnHello(id, has_map);
  if (auto it = heard_.find(id.node); it != heard_.end()) {
    it->second.target = vector;
    it->second.keys = keys;
  }
  if (linked_.size() < kMaxMembers || linked_.contains(id.node)) {
    Linked& linked = linked_[id.node];
    if (linked.incarnation != id.incarnation) ++linked.processes;
    linked.incarnation = id.incarnation;
  }
  linked_with_map_ |= has_map;
}

void Readiness::OnRefused(const RefusedDial& refusal) {
  if (refusal.has_map && refusal.reason != kOtherClusterReason) refused_ = refusal;
}

// What the refusal of an own dial means AddRefusals decides; what an earlier handshake told is waited for still.
void Readiness::OnHandshakeRefused(const std::string& node) {
  auto it = heard_.find(node);
  if (it != heard_.end() && it->second.target == nullptr) heard_.erase(it);
}

void Readiness::Restart(MonoTime mono) {
  started_ = mono;
  heard_.clear();
  linked_with_map_ = ready_ = has_full_map_ = false;
}

void Readiness::TookBack(bool serves, bool full_map) {
  ready_ = ready_ || serves;
  has_full_map_ = full_map;
  if (full_map) heard_.clear();  // nobody is waited for any more
}

Readiness::Change Readiness::Update(const View& view) {
  if (ready_) return UpdateShutOut(view);
  Change change;
  Verdict verdict = Judge(view);
  waits_for_ = std::move(verdict.waits);
  change.report = std::exchange(settled_, verdict.settled) != settled_;
  if (waits_for_.empty() && !view.has_peers_map()) {
    waits_for_.push_back({"", "the map to which this node's own yields is not whole here yet; reads go on"});
  }
  if (!waits_for_.empty()) return change;
  ready_ = has_full_map_ = true;
  settled_ = false;
  change.seen = change.report = true;
  change.log.push_back({false, absl::StrCat("ready: ", view.keys, " keys")});
  if (std::string doubt = Doubt(view); !doubt.empty()) change.log.push_back({true, std::move(doubt)});
  return change;
}

// A node that all others take another process for would go on serving, and its writes would reach nobody.
Readiness::Change Readiness::UpdateShutOut(const View& view) {
  Change change;
  const bool linked = std::any_of(view.links.begin(), view.links.end(), [](const Link& link) { return link.up; });
  const bool shut_out = !linked && NameIsTaken(view);
  if (shut_out == shut_out_) return change;
  shut_out_ = shut_out;
  change.seen = true;
  waits_for_.clear();
  if (shut_out) {
    waits_for_.push_back({"", absl::StrCat("another process runs as ", Shown(view.self.node),
                                           ", and the members refuse this one; stop one of the two, or give it another "
                                           "--node-id")});
    change.log.push_back({true, absl::StrCat("not ready any more: ", waits_for_.front().text)});
  } else {
    change.log.push_back({false, "ready: this node's ID is its own again"});
  }
  return change;
}

// The vector covers what the member said in its handshake. Of a linked member a later report will do as well, since
// marks of the first may have been joined into others meanwhile; and a claim of what never was is not waited for longer
// than silence.
bool Readiness::Covers(const View& view, const Heard& heard, const Link* link) const {
  if (heard.target == nullptr) return false;
  if (view.vector.Covers(*heard.target)) return true;
  if (link == nullptr || !link->up) return false;
  if (link->report && link->report_whole && view.vector.Covers(*link->report)) return true;
  const bool long_enough = view.mono - link->opened >= timing_.ready_after;
  return long_enough && link->believable && view.vector.Covers(*link->believable);
}

// It left, or was forgotten: its map went with it.
bool Readiness::IsGone(const View& view, const std::string& node, const Heard& heard) {
  const auto member = view.membership.members().find(node);
  return member != view.membership.members().end() && member->second.gone() &&
         member->second.id.incarnation >= heard.incarnation;
}

// A ready member whose map is here.
const Readiness::Link* Readiness::Anchor(const View& view) const {
  const auto it = std::find_if(view.links.begin(), view.links.end(), [&](const Link& link) {
    const auto heard = heard_.find(link.node);
    return link.up && link.has_map && heard != heard_.end() && Covers(view, heard->second, &link);
  });
  return it == view.links.end() ? nullptr : &*it;
}

void Readiness::AddHeard(const View& view, bool anchored, std::vector<ReadyWait>& out) const {
  for (const auto& [node, heard] : heard_) {
    const Link *up = nullptr, *shaking = nullptr;
    for (const Link& link : view.links) {
      if (link.node == node) (link.up ? up : shaking) = &link;
    }
    if (Covers(view, heard, up)) continue;
    const std::string shown = Shown(node);
    if (up != nullptr) {
      const std::string of = heard.keys > 0 ? absl::StrCat(": ", view.keys, " keys of ", heard.keys, " are here") : "";
      out.push_back({node, absl::StrCat("catching up with ", shown, of)});
    } else if (shaking != nullptr) {
      out.push_back({node, absl::StrCat("the handshake with ", shown, " is under way")});
    } else if (anchored || IsGone(view, node, heard)) {
      continue;
    } else if (heard.target == nullptr && !heard.has_map.value_or(true)) {
      // It has nothing itself, but takes the map, too: it may know more when it is dialled again.
      if (view.mono - started_ >= timing_.absent_after) continue;
      out.push_back({node, absl::StrCat("the handshake with ", shown, " was cut; dialling it again")});
    } else {
      out.push_back({node, absl::StrCat(shown,
                                        " holds what is not here and is not linked; waiting for its return (if "
                                        "it is gone for good: leasemap forget ",
                                        shown, ")")});
    }
  }
}

// A refusal keeps a node out that was never linked with anyone. Another cluster has nothing of this one's, so its
// refusal is of no consequence once the node is linked: an address may go to another cluster. Linked only with those
// who have no map either, it stays out while somebody of this cluster who has the map refuses it.
void Readiness::AddRefusals(const View& view, bool linked_with_map, std::vector<ReadyWait>& out) const {
  for (const RefusedDial& refusal : view.membership.Refusals(view.mono, timing_.absent_after)) {
    const bool same_cluster = refusal.reason != kOtherClusterReason;
    const bool holds =
        refusal.own_name || linked_.empty() || (!linked_with_map && !has_full_map_ && same_cluster && refusal.has_map);
    if (!holds) continue;
    const std::string by =
        refusal.node.empty() ? refusal.address : absl::StrCat(Shown(refusal.node), " (", refusal.address, ")");
    out.push_back({refusal.address, absl::StrCat("refused by ", by, ": ", refusal.reason, ": ", refusal.message)});
  }
}

void Readiness::AddSeeds(const View& view, bool has_map, std::vector<ReadyWait>& out) const {
  const int64_t age_ms = view.mono - started_;
  // A node that has a map gives the others a chance to answer and no more. One without waits until all have answered,
  // or were silent for long.
  if (has_map ? age_ms >= timing_.ready_after || view.membership.AllTried()
              : age_ms >= timing_.absent_after && view.membership.AllTried()) {
    return;
  }
  for (Unlinked& one : view.membership.Unanswered()) {
    out.push_back({one.name, absl::StrCat("waiting for ", one.name, " to answer: ", one.cause)});
  }
}

Readiness::Verdict Readiness::Judge(const View& view) const {
  Verdict verdict;
  std::vector<ReadyWait>& out = verdict.waits;
  const bool anchored = Anchor(view) != nullptr;
  const bool has_map = anchored || has_full_map_;
  AddRefusals(view, linked_with_map_ || anchored, out);
  AddHeard(view, anchored, out);
  AddSeeds(view, has_map, out);
  if (view.needs_map && !anchored) {
    out.push_back({"", "this node gave its map up and takes it from a ready member; none is linked yet"});
  }
  if (view.lost_map && !anchored) {
    out.push_back({"",
                   "the map of this node was damaged on its disk, so it takes the map from a ready member; none is "
                   "linked yet"});
  }
  verdict.settled = out.empty() && !has_map;
  for (const Link& link : view.links) {
    if (has_map || !link.up || link.has_map || link.settled) continue;
    if (const auto it = linked_.find(link.node); it != linked_.end() && it->second.processes > kUnsettledProcesses) {
      continue;
    }
    out.push_back({link.node, absl::StrCat(Shown(link.node), " has no map yet either, and waits for others")});
  }
  if (1 + linked_.size() < min_members_) {
    out.push_back({"", absl::StrCat(1 + linked_.size(), " of ", min_members_,
                                    " members, this node included, have been linked (--min-members)")});
  }
  return verdict;
}

MonoTime Readiness::NextDue(MonoTime mono) const {
  for (const int64_t after_ms : {timing_.ready_after, timing_.absent_after}) {
    if (mono < started_ + after_ms) return started_ + after_ms;
  }
  return mono + timing_.heartbeat;  // links that opened later, refusals that no longer hold
}

bool Readiness::NameIsTaken(const View& view) const {
  const auto refusals = view.membership.Refusals(view.mono, timing_.absent_after);
  return std::any_of(refusals.begin(), refusals.end(), [](const RefusedDial& refusal) { return refusal.own_name; });
}

std::string Readiness::Doubt(const View& view) const {
  for (const auto& [node, heard] : heard_) {
    const bool lost = heard.target != nullptr && !view.vector.Covers(*heard.target);
    if (lost && IsGone(view, node, heard) && Anchor(view) == nullptr) {
      return absl::StrCat("this node begins with a part of the map: ", Shown(node), " left before all of it was here");
    }
  }
  if (!refused_ || view.keys > 0) return "";
  return absl::StrCat("this node begins with an empty map, though ",
                      refused_->node.empty() ? refused_->address : Shown(refused_->node), " refused it (",
                      refused_->reason, ": ", refused_->message,
                      "); if that member had the cluster's map, what it held is not here");
}

std::vector<std::string> Readiness::Warn(MonoTime mono, const Membership& membership) {
  if (!warnings_.Look(mono)) return {};
  std::map<std::string, std::string> states;
  for (const Unlinked& seed : membership.UnlinkedSeeds()) {
    states.emplace("seed " + seed.name, absl::StrCat("seed ", seed.name, " is not linked: ", seed.cause));
  }
  if (!waits_for_.empty()) states.emplace("ready", absl::StrCat("not ready: ", waits_for_.front().text));
  return warnings_.Due(mono, states);
}

}  // namespace leasemap::core
