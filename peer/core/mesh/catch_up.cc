#include "peer/core/mesh/catch_up.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/check.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/floors.h"
#include "peer/core/mesh/named_vector.h"

namespace leasemap::core {

void CatchUp::Heard(MonoTime mono, LinkId link, uint64_t session) {
  if (IsAsking(link) && asked_->id == session) asked_->heard = asked_->whole = mono;
}

void CatchUp::HeardPiece(MonoTime mono, LinkId link) {
  if (IsAsking(link)) asked_->heard = mono;
}

void CatchUp::LeftOut(LinkId link) {
  if (IsAsking(link)) asked_->refused = true;
}

void CatchUp::Closed(LinkId link) {
  if (IsAsking(link)) asked_.reset();
}

void CatchUp::Begin(Now now, LinkId link, bool all, int64_t turn_ms) {
  LEASEMAP_CHECK(!asked_, "session ", asked_ ? asked_->id : 0);
  asked_ = AskedSession{.id = next_session_++,
                        .link = link,
                        .heard = now.mono,
                        .all = all,
                        .asked = now.mono,
                        .whole = now.mono,
                        .turn_ms = turn_ms};
}

// The link over which to ask for what is lacked; null: there is none.
Link* CatchUp::LinkToAsk(Now now, Links& links, const Replica& replica, LinkId* id) const {
  const auto due = [&](const Link& link) { return link.lack.IsDue(now.mono, link.alive, timing_); };
  for (auto& [link_id, link] : links) {
    if (!link.up() || link.lack.avoid_until() > now.mono || link.ceiling.shunned() || !due(link)) continue;
    if (IsAsking(link_id)) continue;
    link.lack.Update(now.mono, link.theirs.vector(), replica);  // it may have come meanwhile
    if (!due(link)) continue;
    *id = link_id;
    return &link;
  }
  return nullptr;
}

void CatchUp::Ask(Now now, Links& links, Replica& replica, const Membership& membership,
                  std::vector<Effects::Send>& send) {
  int64_t turn_ms = timing_.session_turn;
  LinkId id = LinkId::kNone;
  if (asked_) {
    const bool idle = now.mono - asked_->heard >= timing_.session_idle;
    const bool long_enough = now.mono - asked_->asked >= kSessionMostMs && asked_->whole > asked_->asked;
    const bool slow = !idle && now.mono >= asked_->GivesWayAt() && LinkToAsk(now, links, replica, &id) != nullptr;
    if (!idle && !long_enough && !slow) return;
    if (slow) turn_ms = std::min(2 * asked_->turn_ms, std::max(kSessionMostMs, turn_ms));
    if (Link* link = links.Find(asked_->link)) link->lack.Avoid(now.mono + timing_.session_idle);
    asked_.reset();
  }
  Link* link = LinkToAsk(now, links, replica, &id);
  if (link == nullptr) return;
  link->lack.Asked(now.mono);
  Begin(now, id, false, turn_ms);
  // A node that has nothing yet starts from the floor of the peer: a cut session leaves it no lower.
  if (replica.vector().empty()) replica.JoinFloor(now.mono, link->theirs.floor());
  send.push_back({id, SessionRequest{asked_->id, WholeVector(replica, membership), {}}});
}

CatchUp::Ended CatchUp::End(Now now, LinkId id, const SessionEnd& end, Links& links, Replica& replica) {
  if (!IsAsking(id) || asked_->id != end.session) return Ended::kNone;
  // In the handshake this node may have had nothing, and then taken what another, older map still holds.
  if (IsBelow(replica.vector(), replica.floor(), *end.floor)) return Ended::kBelow;
  Link& link = *links.Find(id);
  const Ended ended = asked_->refused ? Ended::kNoUse : Ended::kJoined;
  if (ended == Ended::kNoUse) {
    link.lack.Avoid(now.mono + (replica.room().full() ? kFullAgainMs : timing_.session_idle));
  } else {
    replica.TakeSession(now.mono, *links.Believable(end.vector, replica), *end.floor);
    link.lack.Joined(now.mono, replica, timing_);
  }
  link.lack.FetchNow(false);
  asked_.reset();
  link.lack.Update(now.mono, link.theirs.vector(), replica);
  return ended;
}

std::vector<std::string> CatchUp::CompareHashes(Now now, bool comparable, Links& links, const Replica& replica,
                                                const Membership& membership, std::vector<Effects::Send>& send) {
  std::vector<std::string> texts;
  for (auto& [id, link] : links) {
    PeerReport& theirs = link.theirs;
    // As a rule they are equal, and then there is nothing else to look at.
    const bool differs = theirs.map_hash() != replica.store().hash() && theirs.map_hash() != 0 && link.up() &&
                         comparable && theirs.has_map() && theirs.vector() && theirs.complete() &&
                         replica.vector().Covers(*theirs.vector()) && theirs.vector()->Covers(replica.vector());
    if (!differs) {
      theirs.SetDiffers(std::nullopt);
      continue;
    }
    if (!theirs.differs_since()) theirs.SetDiffers(now.mono);
    if (now.mono - *theirs.differs_since() < timing_.hash_alarm || asked_) continue;
    theirs.SetDiffers(std::nullopt);
    ++alarms_;
    texts.push_back(absl::StrCat("ALARM: the map differs from that of ", link.node(),
                                 " though both cover the same writes; fetching what differs"));
    Begin(now, id, true, timing_.session_turn);
    const auto& hashes = replica.store().hashes();
    send.push_back({id, SessionRequest{asked_->id, WholeVector(replica, membership), {hashes.begin(), hashes.end()}}});
  }
  return texts;
}

MonoTime CatchUp::NextDue(Now now, const Links& links) const {
  MonoTime due = asked_ ? asked_->heard + timing_.session_idle : MonoTime::Never();
  for (const auto& [id, link] : links) {
    if (!link.up() || !link.lack.any() || link.ceiling.shunned() || IsAsking(id)) continue;
    MonoTime ask = std::max(link.lack.Due(now.mono, link.alive, timing_), link.lack.avoid_until());
    if (asked_) ask = std::max(ask, asked_->GivesWayAt());
    due = std::min(due, ask);
  }
  return due;
}

}  // namespace leasemap::core
