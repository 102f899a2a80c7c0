// What a node lets go of (collection.h), members that are gone, and the comparison of maps by their hashes.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

void Node::Collect(Now now) {
  if (!readiness_.ready()) return;
  const auto peers_of = [this](const std::string& node) -> const Peers& { return *links_.at(UpLinkOf(node)).peers; };
  collection_.Fold(now, membership_, peers_of, replica_);
  if (clock_guard_.state() == ClockGuard::State::kAgreed) {
    collection_.Collect(now, options_.rules, membership_, replica_);
  }
}

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
    if (link.phase == Link::Phase::kUp) SendReport(now, id, link);
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
                            link.phase == Link::Phase::kUp && link.protocol >= kProtocolValueRank &&
                            readiness_.ready() && link.peer_whole && link.report && link.report_whole &&
                            clock_guard_.trusted() && replica_.vector().Covers(*link.report) &&
                            link.report->Covers(replica_.vector());
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
