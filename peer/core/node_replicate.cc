// How a write travels: the own log read by each link, reports of what is covered, sessions for what is lacked.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

// The one way into the map, for a local, a received and a reloaded write: merges it and covers exactly its dot.
bool Node::Apply(Now now, EntryPtr entry) {
  clock_.See(entry->stamp);
  const bool again = vector_.Covers(entry->dot);  // fetched anew, after an alarm
  vector_.Add(entry->dot);
  ChangedVector();
  EntryPtr loser;
  const bool stands = store_.Merge(entry, &loser);
  waits_.Covered(entry->dot);
  if (!loser) return stands;
  waits_.Replaced(loser->dot);
  if (loser->dot.replica == self_ && (stands || !again))
    NoteConflict(now, loser, stands ? entry : *store_.Find(entry->key));
  return stands;
}

void Node::ChangedVector() {
  shared_vector_.reset();
  ++vector_change_;
  ++report_change_;
  effects_.changed = true;
}

// With what is known of folded incarnations: for sessions, in which each dot counts.
VectorPtr Node::WholeVector() const { return std::make_shared<const VersionVector>(vector_); }

VectorPtr Node::SharedVector() const {
  if (!shared_vector_) shared_vector_ = std::make_shared<const VersionVector>(vector_.Brief());
  return shared_vector_;
}

// Returns false if the link was closed over them.
bool Node::TakeEntries(Now now, LinkId id, const std::vector<EntryPtr>& entries, bool session) {
  Link& link = links_.at(id);
  const bool all = asking_ && asking_->link == id && asking_->all;
  for (const EntryPtr& entry : entries) {
    if (vector_.Covers(entry->dot) && !(session && all)) continue;
    if (IsBogus(options_.rules, *entry, now.wall_ms)) {
      if (entry->dot.replica == link.peer.self) {
        RefuseBogus(now, id, link);
        return false;
      }
      if (session && asking_ && asking_->link == id) asking_->refused = true;
      continue;
    }
    Apply(now, entry);
  }
  if (link.target && !ready_) UpdateReady(now);
  return true;
}

std::vector<LinkId> Node::LinksToPull() const {
  std::vector<LinkId> out;
  for (const auto& [id, link] : links_) {
    if (link.phase != Phase::kUp) continue;
    if (link.live_next < own_log_.end() || (link.serving && !link.serving->done())) out.push_back(id);
  }
  return out;
}

bool Node::Stands(const Entry& entry) const {
  const EntryPtr* held = store_.Find(entry.key);
  return held != nullptr && (*held)->dot == entry.dot;
}

std::optional<Message> Node::Pull(Now, LinkId id) {
  auto it = links_.find(id);
  if (it == links_.end() || it->second.phase != Phase::kUp) return std::nullopt;
  Link& link = it->second;
  if (link.live_next < own_log_.end()) {
    link.live_next = std::max(link.live_next, own_log_.first());
    Live live;
    live.report_now = waits_.any_acks();
    size_t bytes = 0;
    while (link.live_next < own_log_.end() && live.entries.size() < options_.batch_entries) {
      const EntryPtr& entry = own_log_.at(link.live_next);
      // Of what was made before, only what stands: a newcomer might hear of what replaced the rest from nobody, since
      // that was deleted and collected. What it lacks of the dots a session covers.
      if (link.live_next < link.live_new && !Stands(*entry)) {
        ++link.live_next;
        continue;
      }
      if (!live.entries.empty() && bytes + Weight(*entry) > kBatchBytes) break;
      bytes += Weight(*entry);
      live.entries.push_back(entry);
      ++link.live_next;
    }
    if (!live.entries.empty()) return live;
  }
  if (link.serving) {
    Message message = link.serving->Next(store_, options_.batch_entries);
    if (link.serving->done()) link.serving.reset();
    return message;
  }
  return std::nullopt;
}

// --- reports

Report Node::MakeReport(const Link& link) const {
  Report report;
  const VectorPtr whole = SharedVector();
  if (whole->exceptions() <= kReportExceptions) {
    report.vector = whole;
  } else {
    report.vector = std::make_shared<const VersionVector>(whole->CutShort(kReportExceptions, &report.cut_short));
  }
  report.whole = whole_;
  report.map_hash = clock_guard_.trusted() ? store_.hash() : 0;
  report.members.push_back({self_, "", own_generation_});
  auto there = link.linked.begin();  // in the same order as the members
  for (const auto& [node, member] : membership_.members()) {
    // As which incarnation it is linked, not one that was only heard of: what comes of that one ends with its link.
    const uint64_t incarnation = member.linked_as != 0 ? member.linked_as : member.id.incarnation;
    const bool older = incarnation != member.id.incarnation;
    report.members.push_back({{node, incarnation}, member.address, older ? 0 : member.generation});
    if (member.linked) report.linked.push_back(node);
    while (there != link.linked.end() && *there < node) ++there;
    const bool unlinked_there = node != link.peer.self.node && (there == link.linked.end() || *there != node);
    if (member.linked && member.report && member.relayed_by.empty() && unlinked_there) {
      report.relays.push_back({member.id, member.report});
    }
  }
  return report;
}

// When the link's next report may leave.
int64_t Node::ReportDue(const Link& link) const {
  const int64_t least = kReportNowMs * std::max<int64_t>(1, static_cast<int64_t>(links_.size() / 4));
  return link.reported_ms +
         (link.report_now ? std::min(least, options_.timing.report_every) : options_.timing.report_every);
}

void Node::SendReports(Now now) {
  for (auto& [id, link] : links_) {
    if (link.phase != Phase::kUp || link.reported_change == report_change_) continue;
    if (now.mono_ms < ReportDue(link)) continue;
    SendReport(now, id, link);
  }
}

void Node::SendReport(Now now, LinkId id, Link& link) {
  link.report_now = false;
  link.reported_change = report_change_;
  link.reported_ms = now.mono_ms;
  effects_.send.push_back({id, MakeReport(link)});
}

void Node::OnReport(Now now, LinkId, Link& link, const Report& report) {
  const bool whole = !report.cut_short;
  const bool relay_matters = !link.report || (whole && *link.report != *report.vector);
  link.report = report.vector;
  link.report_whole = whole;
  link.peer_whole = report.whole;
  link.map_hash = report.map_hash;
  if (vector_.AdoptMarks(*report.vector)) AfterFold();
  if (link.linked != report.linked) {
    link.linked = report.linked;
    std::sort(link.linked.begin(), link.linked.end());
  }
  NoteReport(now, report, link);
  // Members that this neighbour's other neighbours are not linked with hear of it through us.
  if (relay_matters) {
    for (const auto& [other_id, other] : links_) {
      const bool knows = std::binary_search(other.linked.begin(), other.linked.end(), link.peer.self.node);
      if (other.phase == Phase::kUp && &other != &link && !knows) {
        ++report_change_;
        break;
      }
    }
  }
  effects_.changed = true;
  UpdateLack(now, link);
  AskForSession(now);
  UpdateReady(now);
}

void Node::NoteMembers(Now now, const Report& report, Link& link) {
  std::vector<ReplicaId> names;
  names.reserve(report.members.size());
  auto& members = membership_.members();
  auto next = members.begin();
  for (const MemberInfo& info : report.members) {
    names.push_back(info.id);
    if (info.id.node == self_.node) {
      // Somebody takes this node for gone: it is not, or leaves indeed.
      if (info.id != self_ || info.generation <= own_generation_) continue;
      own_generation_ = info.generation + (info.gone() != leaving_ ? 1 : 0);
      ++report_change_;
      continue;
    }
    // Both lists are in one order, and mostly say the same.
    if (next != members.end() && next->first != info.id.node) ++next;
    if (next == members.end() || next->first != info.id.node) next = members.find(info.id.node);
    const bool known = next != members.end();
    if (known && info.id == link.peer.self) next->second.leaving = info.gone();  // its own word
    if (known && next->second.linked && next->second.id == info.id && next->second.generation == info.generation &&
        !info.gone()) {
      continue;
    }
    bool changed = false;
    const Member* member = membership_.Learn(info, now.mono_ms, &changed);
    if (member != nullptr && !member->linked && !member->gone()) {
      membership_.LearnAddress(info.id.node, info.address, now.mono_ms);
    }
    if (changed) ++report_change_;
  }
  std::sort(names.begin(), names.end());
  if (names != link.names) link.names = std::move(names);
}

void Node::NoteReport(Now now, const Report& report, Link& link) {
  NoteMembers(now, report, link);
  auto& members = membership_.members();
  const auto its = members.find(link.peer.self.node);
  // The report of a process that is known to have ended says nothing of its successor.
  if (auto it = its; it != members.end() && it->second.id == link.peer.self && !report.cut_short) {
    it->second.report = report.vector;
    it->second.report_incarnation = link.peer.self.incarnation;
    it->second.report_mono_ms = now.mono_ms;
    it->second.relayed_by.clear();
  }
  // Whom this neighbour no longer relays it no longer hears.
  for (auto& [node, member] : members) {
    if (member.relayed_by == link.peer.self.node) member.relayed_by.clear();
  }
  for (const Relay& relay : report.relays) {
    auto it = members.find(relay.member.node);
    if (it == members.end() || it->second.linked || it->second.gone() || relay.member != it->second.id) continue;
    it->second.report = relay.vector;
    it->second.report_incarnation = relay.member.incarnation;
    it->second.report_mono_ms = now.mono_ms;
    it->second.relayed_by = link.peer.self.node;
  }
}

// --- sessions, the asking side

// Notes since when something of the peer's report has been lacked. An old report is kept for that, not the first dot
// lacked: under a steady flow of writes that is a fresh one each time, and would hide what is lacked for long.
void Node::UpdateLack(Now now, Link& link) {
  if (!link.report || (link.looked_at == link.report && link.looked_change == vector_change_)) return;
  link.looked_at = link.report;
  link.looked_change = vector_change_;
  if (vector_.Covers(*link.report)) {
    link.lack.reset();
    link.fetch_now = false;
  } else if (!link.lack || vector_.Covers(*link.lack->claimed)) {
    link.lack = Lack{link.report, now.mono_ms};
  }
}

void Node::AskForSession(Now now) {
  if (asking_) {
    const bool idle = now.mono_ms - asking_->heard_ms >= options_.timing.session_idle;
    if (!idle && now.mono_ms - asking_->asked_ms < kSessionMostMs) return;
    if (auto it = links_.find(asking_->link); it != links_.end()) {
      it->second.avoid_until_ms = now.mono_ms + options_.timing.session_idle;
    }
    asking_.reset();
  }
  for (auto& [id, link] : links_) {
    if (link.phase != Phase::kUp || link.avoid_until_ms > now.mono_ms) continue;
    UpdateLack(now, link);
    const bool due = link.lack && (link.fetch_now || now.mono_ms - link.lack->since_ms >= options_.timing.lack);
    if (!due) continue;
    asking_ = AskedSession{next_session_++, id, now.mono_ms, false, false, now.mono_ms};
    // Who has nothing yet starts from the floor of the peer: a cut session leaves it no lower.
    if (vector_.empty()) JoinFloor(link.peer_floor);
    effects_.send.push_back({id, SessionRequest{asking_->id, WholeVector(), {}}});
    return;
  }
}

void Node::OnSessionEnd(Now now, LinkId id, const SessionEnd& end) {
  if (!asking_ || asking_->link != id || asking_->id != end.session) return;  // one that was given up
  Link& link = links_.at(id);
  if (asking_->refused) {
    link.avoid_until_ms = now.mono_ms + options_.timing.session_idle;
  } else {
    vector_.Join(*Believable(end.vector));
    JoinFloor(*end.floor);
    waits_.LookAgain();
    AfterFold();
    // What a session did not bring another will not bring at once.
    if (link.lack && !vector_.Covers(*link.lack->claimed)) link.avoid_until_ms = now.mono_ms + options_.timing.lack;
  }
  link.fetch_now = false;
  asking_.reset();
  UpdateLack(now, link);
  AskForSession(now);
  UpdateReady(now);
}

// --- sessions, the serving side

void Node::OnSessionRequest(LinkId, Link& link, const SessionRequest& request) {
  link.serving.emplace(request.session, request.vector, WholeVector(), std::make_shared<const VersionVector>(floor_),
                       request.buckets);
  effects_.pull = true;
}

}  // namespace leasemap::core
