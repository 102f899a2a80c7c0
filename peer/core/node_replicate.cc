// How a write travels: the own log read by each link, reports of what is covered, sessions for what is lacked.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

// The one way into the map, for a local, a received and a reloaded write: merges it and covers exactly its dot.
bool Node::Apply(Now now, EntryPtr entry) {
  clock_.See(entry->stamp);
  vector_.Add(entry->dot);
  ChangedVector();
  EntryPtr loser;
  const bool stands = store_.Merge(entry, &loser);
  waits_.Covered(entry->dot);
  if (!loser) return stands;
  waits_.Replaced(loser->dot);
  if (loser->dot.replica == self_) NoteConflict(now, loser, stands ? entry : *store_.Find(entry->key));
  return stands;
}

void Node::ChangedVector() {
  shared_vector_.reset();
  ++vector_change_;
  ++report_change_;
  effects_.changed = true;
}

VectorPtr Node::SharedVector() const {
  if (!shared_vector_) shared_vector_ = std::make_shared<const VersionVector>(vector_);
  return shared_vector_;
}

// Returns false if the link was closed over them.
bool Node::TakeEntries(Now now, LinkId id, const std::vector<EntryPtr>& entries, bool session) {
  Link& link = links_.at(id);
  for (const EntryPtr& entry : entries) {
    if (vector_.Covers(entry->dot)) continue;
    if (IsBogus(options_.rules, *entry, now.wall_ms)) {
      if (entry->dot.replica == link.peer.self) {
        RefuseLink(now, id, link, {"CLOCK_MISMATCH", "a write of yours is from the future; check NTP on both hosts"});
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
      if (!live.entries.empty() && bytes + Weight(*entry) > kBatchBytes) break;
      bytes += Weight(*entry);
      live.entries.push_back(entry);
      ++link.live_next;
    }
    return live;
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
  for (const auto& [node, member] : membership_.members()) {
    report.members.push_back({member.id, member.address});
    if (member.linked) report.linked.push_back(node);
    const bool unlinked_there =
        node != link.peer.self.node && !std::binary_search(link.linked.begin(), link.linked.end(), node);
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
    link.report_now = false;
    link.reported_change = report_change_;
    link.reported_ms = now.mono_ms;
    effects_.send.push_back({id, MakeReport(link)});
  }
}

void Node::OnReport(Now now, LinkId, Link& link, const Report& report) {
  const bool whole = !report.cut_short;
  const bool relay_matters = !link.report || (whole && *link.report != *report.vector);
  link.report = report.vector;
  link.report_whole = whole;
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

void Node::NoteReport(Now now, const Report& report, const Link& link) {
  auto& members = membership_.members();
  for (const MemberInfo& info : report.members) {
    if (info.id.node == self_.node) continue;
    const bool known = members.contains(info.id.node);
    Member* member = membership_.Remember(info.id, info.address, now.mono_ms);
    if (member != nullptr && !member->linked) membership_.LearnAddress(info.id.node, info.address, now.mono_ms);
    if (member != nullptr && !known) ++report_change_;
  }
  if (auto it = members.find(link.peer.self.node); it != members.end() && !report.cut_short) {
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
    if (it == members.end() || it->second.linked || relay.member < it->second.id) continue;
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
    if (now.mono_ms - asking_->heard_ms < options_.timing.session_idle) return;
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
    asking_ = AskedSession{next_session_++, id, now.mono_ms, false};
    effects_.send.push_back({id, SessionRequest{asking_->id, SharedVector()}});
    return;
  }
}

void Node::OnSessionEnd(Now now, LinkId id, const SessionEnd& end) {
  if (!asking_ || asking_->link != id || asking_->id != end.session) return;  // one that was given up
  Link& link = links_.at(id);
  if (asking_->refused) {
    link.avoid_until_ms = now.mono_ms + options_.timing.session_idle;
  } else {
    vector_.Join(*end.vector);
    waits_.LookAgain();
    ChangedVector();
  }
  link.fetch_now = false;
  asking_.reset();
  UpdateLack(now, link);
  AskForSession(now);
  UpdateReady(now);
}

// --- sessions, the serving side

void Node::OnSessionRequest(LinkId, Link& link, const SessionRequest& request) {
  link.serving.emplace(request.session, request.vector, SharedVector());
  effects_.pull = true;
}

}  // namespace leasemap::core
