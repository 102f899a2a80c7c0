// How a write travels: the own log read by each link, and sessions for what is lacked. (Reports: node_report.cc.)
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"
#include "peer/core/repeat.h"

namespace leasemap::core {

// Merges an entry, and does what follows for those who wait for it or for what it replaced.
bool Node::Apply(Now now, const EntryPtr& entry) {
  const Replica::Applied applied = replica_.Apply(entry);
  waits_.Covered(entry->dot);
  if (!applied.loser) return applied.stands;
  const Entry& loser = *applied.loser;
  waits_.Replaced(loser.dot);
  if (ValueDot(loser) != loser.dot) waits_.Replaced(ValueDot(loser));
  if (loser.dot.replica == replica_.self() && (applied.stands || !applied.again)) {
    NoteConflict(now, applied.loser, applied.winner);
    Repeat(now, loser, *applied.winner);
  }
  return applied.stands;
}

// A write of this node: to the map, and on its way to the others.
EntryPtr Node::ApplyOwn(Now now, std::shared_ptr<Entry> draft) {
  const EntryPtr entry = replica_.Sign(std::move(draft));
  Apply(now, entry);
  effects_.pull = !links_.empty();
  return entry;
}

// Once for each write of this process that lost: its repeat outranks the winner.
void Node::Repeat(Now now, const Entry& loser, const Entry& winner) {
  auto repeat = RepeatOf(loser, winner);
  if (!repeat || IsBogus(ReachAt(now), *repeat)) return;
  ApplyOwn(now, std::make_shared<Entry>(*std::move(repeat)));
}

// Returns false if the link was closed over them.
bool Node::TakeEntries(Now now, LinkId id, const std::vector<EntryPtr>& entries, bool session) {
  Link& link = links_.at(id);
  const bool all = asking_ && asking_->link == id && asking_->all;
  const Reach reach = ReachAt(now);
  // By a clock that nobody confirmed there is no telling, nor while the two have still to agree on a ceiling.
  const Reach theirs = ReachOf(options_.rules, now.wall_ms, link.word.ceiling_ms);
  bool lacks_value = false;
  for (const EntryPtr& sent : entries) {
    if ((replica_.vector().Covers(sent->dot) || Stands(*sent)) && !(session && all)) continue;
    if (IsBogus(reach, *sent)) {
      if (sent->dot.replica == link.peer.self && clock_guard_.trusted() && IsBogus(theirs, *sent)) {
        RefuseBogus(now, id, link);
        return false;
      }
      if (session && asking_ && asking_->link == id) asking_->refused = true;
      continue;
    }
    const EntryPtr entry = replica_.store().Complete(sent);
    if (entry == nullptr) {
      if (session && asking_ && asking_->link == id) asking_->refused = true;  // no peer of ours does that
      LackValue(now, link, sent->dot);
      lacks_value = true;
      continue;
    }
    if (!HasRoom(*entry)) {
      if (session && asking_ && asking_->link == id) asking_->refused = true;
      continue;
    }
    // A map that was put aside shares with the new one what is the same: a reset must not take the memory twice.
    const Store::Slot* old = retired_ ? retired_->map.store.FindSlot(entry->key) : nullptr;
    Apply(now, old != nullptr && *old->entry == *entry ? old->entry : entry);
  }
  if (lacks_value) AskForSession(now);
  if (!readiness_.ready()) UpdateReady(now);
  return true;
}

// The dot stays uncovered, and a session from its writer brings the entry whole, at once.
void Node::LackValue(Now now, Link& link, const Dot& dot) {
  auto claimed = std::make_shared<VersionVector>(link.lack ? *link.lack->claimed : VersionVector());
  claimed->Add(dot.replica, 1, dot.seq);  // its writer has all up to it
  link.lack = Lack{std::move(claimed), link.lack ? link.lack->since_ms : now.mono_ms};
  link.fetch_now = true;
}

bool Node::HasRoom(const Entry& entry) {
  const EntryPtr* present = replica_.store().Find(entry.key);
  if (present != nullptr && !Outranks(entry, **present)) return true;  // it will not be kept
  const size_t before = present != nullptr ? Footprint(**present) : 0;
  const bool told = room_.full();
  const auto growth = static_cast<int64_t>(Footprint(entry)) - static_cast<int64_t>(before);
  if (entry.tombstone || room_.Takes(HeldBytes(), growth)) return true;
  if (!told) Log(true, room_.Describe());
  return false;
}

std::vector<LinkId> Node::LinksToPull() const {
  std::vector<LinkId> out;
  for (const auto& [id, link] : links_) {
    if (link.phase != Link::Phase::kUp) continue;
    if (link.live_next < replica_.own_log().end() || (link.serving && !link.serving->done())) out.push_back(id);
  }
  return out;
}

bool Node::Stands(const Entry& entry) const {
  const EntryPtr* held = replica_.store().Find(entry.key);
  return held != nullptr && (*held)->dot == entry.dot;
}

std::optional<Message> Node::Pull(Now, LinkId id) {
  auto it = links_.find(id);
  if (it == links_.end() || it->second.phase != Link::Phase::kUp) return std::nullopt;
  Link& link = it->second;
  if (link.live_next < replica_.own_log().end()) {
    link.live_next = std::max(link.live_next, replica_.own_log().first());
    Live live;
    live.report_now = waits_.any_acks();
    size_t bytes = 0;
    while (link.live_next < replica_.own_log().end() && live.entries.size() < options_.batch_entries) {
      EntryPtr entry = replica_.own_log().at(link.live_next);
      // Of what was made before, only what stands: a newcomer might hear of what replaced the rest from nobody, since
      // that was deleted and collected. What it lacks of the dots a session covers. So it is with a peer that takes no
      // entry without its value, where the log has none any more.
      const bool whole = entry->value_left_out && link.protocol < kProtocolLeftOut;
      if ((link.live_next < link.live_new || whole) && !Stands(*entry)) {
        ++link.live_next;
        continue;
      }
      if (whole) entry = *replica_.store().Find(entry->key);
      if (!live.entries.empty() && bytes + Weight(*entry) > kBatchBytes) break;
      bytes += Weight(*entry);
      live.entries.push_back(std::move(entry));
      ++link.live_next;
    }
    if (!live.entries.empty()) return live;
  }
  if (link.serving) {
    Message message = link.serving->Next(replica_.store(), options_.batch_entries);
    if (link.serving->done()) link.serving.reset();
    return message;
  }
  return std::nullopt;
}

// --- sessions, the asking side

// Notes since when something of the peer's report has been lacked. An old report is kept for that, not the first dot
// lacked: under a steady flow of writes that is a fresh one each time, and would hide what is lacked for long.
void Node::UpdateLack(Now now, Link& link) {
  if (!link.report || (link.looked_at == link.report && link.looked_change == replica_.change())) return;
  link.looked_at = link.report;
  link.looked_change = replica_.change();
  // What is lacked may be later than the report (LackValue).
  const bool covered = replica_.vector().Covers(*link.report);
  if (covered && link.lack && !replica_.vector().Covers(*link.lack->claimed)) return;
  if (covered) {
    link.lack.reset();
    link.fetch_now = false;
  } else if (!link.lack || replica_.vector().Covers(*link.lack->claimed)) {
    link.lack = Lack{link.report, now.mono_ms};
  }
}

// Monotonic: when a session is to be asked for about it. Later where a large message is under way on this link: it may
// be what is lacked.
int64_t Node::LackDue(Now now, const Link& link) const {
  // At once, but not again and again: who sends all renewals ahead of their values must not be asked for each.
  if (link.fetch_now) return std::max(link.lack->since_ms, link.asked_ms + options_.timing.lack);
  const bool arriving = link.piece_ms && now.mono_ms - *link.piece_ms < options_.timing.lack;
  return link.lack->since_ms + (arriving ? options_.timing.session_turn : options_.timing.lack);
}

// The link over which to ask for what is lacked; null: there is none.
std::pair<const LinkId, Link>* Node::LinkToAsk(Now now) {
  // A lack is noted with a report, and this node's vector only grows: most links need not be looked at again.
  const auto due = [&](const Link& link) { return link.lack && now.mono_ms >= LackDue(now, link); };
  for (auto& item : links_) {
    auto& [id, link] = item;
    if (link.phase != Link::Phase::kUp || link.avoid_until_ms > now.mono_ms || link.shunned || !due(link)) continue;
    if (asking_ && asking_->link == id) continue;
    UpdateLack(now, link);  // it may have come meanwhile
    if (due(link)) return &item;
  }
  return nullptr;
}

void Node::AskForSession(Now now) {
  int64_t turn_ms = options_.timing.session_turn;
  if (asking_) {
    const bool idle = now.mono_ms - asking_->heard_ms >= options_.timing.session_idle;
    const bool long_enough = now.mono_ms - asking_->asked_ms >= kSessionMostMs && asking_->whole_ms > asking_->asked_ms;
    const bool slow = !idle && now.mono_ms >= asking_->GivesWayAt() && LinkToAsk(now) != nullptr;
    if (!idle && !long_enough && !slow) return;
    if (slow) turn_ms = std::min(2 * asking_->turn_ms, std::max(kSessionMostMs, turn_ms));
    if (auto it = links_.find(asking_->link); it != links_.end()) {
      it->second.avoid_until_ms = now.mono_ms + options_.timing.session_idle;
    }
    asking_.reset();
  }
  if (auto* item = LinkToAsk(now)) {
    auto& [id, link] = *item;
    link.asked_ms = now.mono_ms;
    asking_ = AskedSession{.id = next_session_++,
                           .link = id,
                           .heard_ms = now.mono_ms,
                           .asked_ms = now.mono_ms,
                           .whole_ms = now.mono_ms,
                           .turn_ms = turn_ms};
    // Who has nothing yet starts from the floor of the peer: a cut session leaves it no lower.
    if (replica_.vector().empty()) replica_.JoinFloor(now.mono_ms, link.peer_floor);
    effects_.send.push_back({id, SessionRequest{asking_->id, ForPeer(link, replica_.Whole(membership_)), {}}});
  }
}

void Node::OnSessionEnd(Now now, LinkId id, const SessionEnd& end) {
  if (!asking_ || asking_->link != id || asking_->id != end.session) return;  // one that was given up
  Link& link = links_.at(id);
  // In the handshake this node may have had nothing, and then taken what another, older map still holds.
  if (IsBelow(replica_.vector(), replica_.floor(), *end.floor)) {
    return Drop(now, id, absl::StrCat("the floor of ", Shown(link.peer.self.node), " is above what came before"));
  }
  if (asking_->refused) {
    link.avoid_until_ms = now.mono_ms + (room_.full() ? kFullAgainMs : options_.timing.session_idle);
  } else {
    replica_.TakeSession(now.mono_ms, *Believable(end.vector), *end.floor);
    waits_.LookAgain();
    // Whoever gave its map up has one again, though it may take a while to be ready: it can't go back to the old one.
    if (retired_ && link.peer_whole) readiness_.HasFullMap(true);
    // What a session did not bring another will not bring at once.
    if (link.lack && !replica_.vector().Covers(*link.lack->claimed))
      link.avoid_until_ms = now.mono_ms + options_.timing.lack;
  }
  link.fetch_now = false;
  asking_.reset();
  UpdateLack(now, link);
  AskForSession(now);
  UpdateReady(now);
}

// --- sessions, the serving side

void Node::OnSessionRequest(LinkId, Link& link, const SessionRequest& request) {
  link.serving.emplace(request.session, request.vector, ForPeer(link, replica_.Whole(membership_)),
                       ForPeer(link, std::make_shared<const VersionVector>(replica_.floor())), request.buckets);
  effects_.pull = true;
}

}  // namespace leasemap::core
