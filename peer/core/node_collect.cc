// What a node may let go of because everybody knows: deletes, the incarnations of the past, and members that are gone.
//
// A tombstone goes once it is old enough that no new write can fall below it (an hour, the lease period, and the
// current period's start, which must have passed by every trusted clock: the epoch formula of lease.h), and every
// remembered member covers it, so that nobody can bring back what it deleted (causal stability: Baquero, Almeida and
// Shoker, "Making Operation-Based CRDTs Operation-Based", 2014, section 4). What was collected is kept as a floor,
// against which those who were not remembered are judged (node_reset.cc).
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

// Every remembered member has reported that it covers the dot: a neighbour on its own link, others by what was relayed.
bool Node::AllCover(const Dot& dot) const {
  if (!replica_.vector().CoversPrefix(dot) && !replica_.vector().CoversHeld(dot, replica_.vector())) return false;
  const auto& members = membership_.members();
  return std::all_of(members.begin(), members.end(), [&](const auto& item) {
    const Member& member = item.second;
    return member.gone() ||
           (member.stable && replica_.vector().KnowsCovered(*member.stable, member.stable_meaning, dot));
  });
}

void Node::Collect(Now now) {
  // By one's own word alone a clock is not good enough: what goes too early is not to be had again.
  if (!readiness_.ready() || now.mono_ms < next_collect_ms_ || clock_guard_.state() != ClockGuard::State::kAgreed)
    return;
  next_collect_ms_ = now.mono_ms + kCollectEveryMs;
  const LeaseRules& rules = options_.rules;
  int64_t before_ms = now.wall_ms - KeptDeadMs();
  // A writer whose clock is behind may still be in the period before.
  const int64_t behind_ms = now.wall_ms - kCollectBounds * rules.clock_bound_ms;
  if (rules.leasing) before_ms = std::min(before_ms, PeriodStartMs(rules, behind_ms));
  membership_.NoteStable(replica_.vector());
  std::vector<std::string> keys;
  size_t looked = 0;
  // Nobody can tell a node that knows of no other that its clock is ahead: there the hour has to pass by both clocks.
  // So it has everywhere for what lapsed: if all clocks were ahead, and are set right, it lives again.
  const int64_t old_here_ms = now.mono_ms - KeptDeadMs();
  const bool alone = membership_.remembered() == 0;
  for (const Store::Dead& dead : replica_.store().dead()) {
    if (dead.since_ms >= before_ms || looked++ == kCollectAtOnce) break;
    const Store::Slot& slot = *replica_.store().FindSlot(dead.key);
    const Entry& entry = *slot.entry;
    const bool by_both = alone || slot.lapsed;
    if ((by_both && slot.changed_ms > old_here_ms) || !AllCover(entry.dot)) continue;
    keys.emplace_back(dead.key);
  }
  replica_.Collect(keys);
  if (looked > kCollectAtOnce && !keys.empty()) next_collect_ms_ = now.mono_ms;  // there may be more to go
}

int64_t Node::KeptDeadMs() const { return std::max(kKeepDeadMs, options_.rules.period_ms); }

// --- members that are gone

absl::Status Node::Forget(const std::string& node) {
  const auto it = membership_.members().find(node);
  if (node == replica_.self().node)
    return InvalidField("node_id", "is this node itself; stop it, and forget it elsewhere");
  if (it == membership_.members().end()) {
    if (readiness_.Drop(node)) return absl::OkStatus();  // it was heard once, and never linked
    return InvalidField("node_id", absl::StrCat(Shown(node), " is not a member; ListMembers shows them"));
  }
  if (it->second.linked) {
    return InvalidField("node_id",
                        absl::StrCat(Shown(node), " is linked; only members that are away can be forgotten"));
  }
  readiness_.Drop(node);
  if (membership_.Forget(node)) Log(false, absl::StrCat("forgot ", node));
  ++report_change_;
  effects_.changed = true;
  return absl::OkStatus();
}

void Node::ForgetSilent(Now now) {
  for (const auto& node : membership_.ForgetSilent(now.mono_ms - options_.forget_after_ms)) {
    Log(true, absl::StrCat("forgot ", node, ": it was silent for ", ShownDuration(options_.forget_after_ms)));
    ++report_change_;
    effects_.changed = true;
  }
}

// With nearly as many members as can be remembered, those that are silent for longest make room for newcomers: names
// that crashed and won't be back must not keep others out for days. Nothing is lost by it where this node covers all
// that they reported; who comes back nevertheless is judged by the floors, as anyone who was away for long.
void Node::MakeRoomForMembers(Now now) {
  const size_t most = kMaxMembers - kMemberRoom;
  if (membership_.remembered() <= most) return;
  for (const auto& node : membership_.LongestSilent(now.mono_ms - kGoneMs)) {
    const Member& member = membership_.members().at(node);
    if (!member.report || !replica_.vector().Covers(*member.report)) continue;
    if (membership_.Forget(node)) {
      Log(true, absl::StrCat("forgot ", node, ": it was silent for longest, and room was needed for other members"));
    }
    ++report_change_;
    effects_.changed = true;
    if (membership_.remembered() <= most) return;
  }
}

// Why a newcomer can't be a member, and what can be done about it.
std::string Node::NoRoomText() const {
  const auto silent = membership_.LongestSilent(INT64_MAX);
  std::string text =
      absl::StrCat(Shown(replica_.self().node), " remembers ", membership_.remembered(), " members, as many as it can");
  if (silent.empty()) return absl::StrCat(text, ", and all of them answer: the cluster is full");
  absl::StrAppend(&text, "; ", silent.size(), " are silent, for longest");
  for (size_t n = 0; n < std::min<size_t>(silent.size(), 3); ++n) absl::StrAppend(&text, n > 0 ? ", " : " ", silent[n]);
  return absl::StrCat(text, "; those that won't come back can be forgotten (leasemap forget NODE_ID)");
}

// Tells all members at once that this node won't come back as it is: they need not wait for it.
void Node::Leave(Now now) {
  if (!membership_.Leave()) return;
  ++report_change_;
  for (auto& [id, link] : links_) {
    if (link.phase == Phase::kUp) SendReport(now, id, link);
  }
}

// --- fingerprints

// Equal vectors mean equal maps. If they don't for some seconds, something is broken: an alarm, and all of the buckets
// that differ are fetched, whatever is covered. Both sides do so, and so end with the same.
void Node::CompareHashes(Now now) {
  for (auto& [id, link] : links_) {
    // As a rule they are equal, and then there is nothing else to look at.
    // An older peer ranks by fewer words: its map may be another until it is of this version, too.
    const bool comparable = link.map_hash != replica_.store().hash() && link.map_hash != 0 &&
                            link.phase == Phase::kUp && link.protocol >= kProtocolValueRank && readiness_.ready() &&
                            link.peer_whole && link.report && link.report_whole && clock_guard_.trusted() &&
                            replica_.vector().Covers(*link.report) && link.report->Covers(replica_.vector());
    if (!comparable) {
      link.differs_since_ms = 0;
      continue;
    }
    if (link.differs_since_ms == 0) link.differs_since_ms = now.mono_ms;
    if (now.mono_ms - link.differs_since_ms < options_.timing.hash_alarm || asking_) continue;
    link.differs_since_ms = 0;
    ++hash_alarms_;
    Log(true, absl::StrCat("ALARM: the map differs from that of ", link.peer.self.node,
                           " though both cover the same writes; fetching what differs"));
    const auto& hashes = replica_.store().hashes();
    asking_ = AskedSession{.id = next_session_++,
                           .link = id,
                           .heard_ms = now.mono_ms,
                           .all = true,
                           .asked_ms = now.mono_ms,
                           .whole_ms = now.mono_ms,
                           .turn_ms = options_.timing.session_turn};
    effects_.send.push_back(
        {id, SessionRequest{asking_->id, ForPeer(link, replica_.Whole(membership_)), {hashes.begin(), hashes.end()}}});
  }
}

}  // namespace leasemap::core
