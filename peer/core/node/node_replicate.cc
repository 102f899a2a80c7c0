// How a write travels: into the map, by the own log to each link, by sessions for what is lacked; and reports.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/node.h"
#include "peer/core/sync/repeat.h"

namespace leasemap::core {

// Merges an entry, and does what follows for those who wait for it or for what it replaced.
bool Node::Apply(Now now, const EntryPtr& entry) {
  const Replica::Applied applied = replica_.Apply(entry);
  calls_.waits.Covered(entry->dot);
  if (!applied.loser) return applied.won;
  const Entry& loser = *applied.loser;
  calls_.waits.Replaced(loser.dot);
  if (ValueDot(loser) != loser.dot) calls_.waits.Replaced(ValueDot(loser));
  if (!applied.won && applied.again) return applied.won;
  if (replica_.TellsLossesOf(loser.dot.replica)) NoteConflict(now, applied.loser, applied.winner);
  // Once for each write of this process that lost: its repeat outranks the winner.
  if (loser.dot.replica == replica_.self()) {
    auto repeat = RepeatOf(loser, *applied.winner);
    if (repeat && !IsBogus(replica_.ReachAt(now.wall_ms), *repeat))
      ApplyOwn(now, std::make_shared<Entry>(*std::move(repeat)));
  }
  return applied.won;
}

// A write of this node: to the map, and on its way to the others.
EntryPtr Node::ApplyOwn(Now now, std::shared_ptr<Entry> draft) {
  EntryPtr entry = replica_.Sign(std::move(draft));
  Apply(now, entry);
  effects_.pull = !links_.empty();
  return entry;
}

// A write that this process took lost: in a merge, or when it was submitted again after a reset.
void Node::NoteConflict(Now now, const EntryPtr& loser, const EntryPtr& winner) {
  if (replica_.NoteConflict(loser, winner, now.wall_ms)) effects_.changed = true;  // for watches that asked for LOST
}

// Returns false if the link was closed over them.
bool Node::TakeEntries(Now now, LinkId id, const std::vector<EntryPtr>& entries, bool session) {
  Link& link = *links_.Find(id);
  const bool all = session && catch_up_.TakesCovered(id);
  const Reach reach = replica_.ReachAt(now.wall_ms);
  // By a clock that nobody confirmed there is no telling, nor while the two have still to agree on a ceiling.
  const Reach theirs = ReachOf(options_.rules, now.wall_ms, link.ceiling.theirs().ceiling_ms);
  bool lacks_value = false;
  for (const EntryPtr& sent : entries) {
    if ((vector().Covers(sent->dot) || replica_.IsPresent(*sent)) && !all) continue;
    if (IsBogus(reach, *sent)) {
      if (sent->dot.replica == link.member() && clock_guard_.trusted() && IsBogus(theirs, *sent)) {
        RefuseBogus(now, id, link);
        return false;
      }
      if (session) catch_up_.LeftOut(id);
      continue;
    }
    const EntryPtr entry = replica_.store().Complete(sent);
    if (entry == nullptr) {
      if (session) catch_up_.LeftOut(id);  // no peer of ours does that
      link.lack.LackValue(now.mono, sent->dot);
      lacks_value = true;
      continue;
    }
    const bool was_full = replica_.room().full();
    if (!replica_.HasRoomFor(*entry)) {
      if (!was_full) Log(true, replica_.room().Describe());
      if (session) catch_up_.LeftOut(id);
      continue;
    }
    Apply(now, retirement_.Share(entry));
  }
  if (lacks_value) AskForSession(now);
  if (!readiness_.ready()) UpdateReady(now);
  return true;
}

std::vector<LinkId> Node::LinksToPull() const {
  std::vector<LinkId> out;
  for (const auto& [id, link] : links_) {
    if (link.up() && link.out.HasMore(replica_.own_log())) out.push_back(id);
  }
  return out;
}

std::optional<Message> Node::Pull(Now, LinkId id) {
  Link* link = links_.Find(id);
  if (link == nullptr || !link->up()) return std::nullopt;
  return link->out.Next(replica_, calls_.waits.any_acks(), options_.batch_entries);
}

void Node::OnSessionEnd(Now now, LinkId id, Link& link, const SessionEnd& end) {
  switch (catch_up_.End(now, id, end, links_, replica_)) {
    case CatchUp::Ended::kNone:
      return;
    case CatchUp::Ended::kBelow:
      return Drop(now, id,
                  absl::StrCat("the floor of ", Shown(link.node()),
                               " rose above this node's map during the session; linking again"));
    case CatchUp::Ended::kJoined:
      calls_.waits.LookAgain();
      // A node that gave its map up has one again, though it may take a while to be ready: it can't go back to the old
      // one.
      if (retirement_.any() && link.theirs.has_map()) readiness_.HasFullMap(true);
      break;
    case CatchUp::Ended::kNoUse:
      break;
  }
  AskForSession(now);
  UpdateReady(now);
}

// --- reports

Reports::Own Node::OwnReport() const {
  return {.has_map = readiness_.has_full_map(),
          .settled = readiness_.settled(),
          .holds_map = HoldsMap(),
          .tells_ceiling = clock_guard_.settled(),
          .tells_hash = clock_guard_.trusted()};
}

void Node::SendReport(Now now, LinkId id, Link& link) {
  Send(id, reports_.Tell(now.mono, OwnReport(), replica_, membership_, link));
}

// To those links to which one is due, or to `all` that are up.
void Node::SendReports(Now now, bool all) {
  for (auto& [id, link] : links_) {
    if (all ? link.up() : reports_.IsDue(now.mono, replica_, links_, link)) SendReport(now, id, link);
  }
}

void Node::OnReport(Now now, Link& link, const Report& report) {
  const uint64_t before = membership_.change();
  const PeerReport::News news = link.theirs.Take(report);
  effects_.changed |= news.any;
  // A peer that was linked without a map and is ready now has one that is to be taken over.
  if (news.map) readiness_.OnLinked(link.member(), report.vector, true, report.keys);
  if (link.ceiling.Hear(report)) links_.NoteCeiling();
  reports_.NoteMembers(now.mono, report.peers, replica_.self().node, membership_, link);
  if (link.theirs.complete()) membership_.Reported(link.member(), report.vector, now.mono);
  membership_.ReportedDisk(link.member(), report.disk_stopped, now.mono);
  membership_.Relayed(link.node(), report.relays, now.mono);
  if (news.vector) reports_.NoteRelayed(link.node(), membership_, links_);
  effects_.changed |= membership_.change() != before || !report.relays.empty();
  link.lack.Update(now.mono, link.theirs.vector(), replica_);
  if (link.lack.any()) AskForSession(now);
  UpdateReady(now);
}

}  // namespace leasemap::core
