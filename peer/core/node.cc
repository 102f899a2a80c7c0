// Time and status of a node.
#include "peer/core/node.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"

namespace leasemap::core {

Node::Node(NodeOptions options, Now now, const Image* image)
    : options_(std::move(options)),
      replica_(options_, room_.side_bytes(kOwnLogBytes), now, image ? image->incarnation : 0),
      membership_(replica_.self(), options_.seeds, options_.seed ^ 0x6d656d62, options_.timing),
      clock_guard_(options_.rules.clock_bound_ms, kClockAnswerBeats * options_.timing.heartbeat, now),
      readiness_(options_.timing, options_.min_members, now.mono_ms) {
  if (image != nullptr) Restore(*image, now);
  UpdateReady(now);
}

Effects Node::Take() {
  Effects out;
  std::swap(out, effects_);
  const Replica::News news = replica_.TakeNews();
  out.changed |= news.changed;
  out.renewed |= news.renewed;
  return out;
}

void Node::Log(bool warning, std::string text) { effects_.log.push_back({warning, std::move(text)}); }

void Node::Tick(Now now) {
  LookAtClock(now);
  CheckCeilings(now);
  Lapse(now);
  quarantine_.Tick(now.mono_ms);
  membership_.Tick(now.mono_ms, effects_);
  Heartbeats(now);
  EndProbes(now);
  AskForSession(now);
  SendReports(now);
  UpdateReady(now);
  Warn(now);
  SettleWaits(now);
  ForgetSilent(now);
  MakeRoomForMembers(now);
  CompareHashes(now);
  Collect(now);
  ResubmitSome(now);
  TakeBack(now);
}

int64_t Node::NextDue(Now now) const {
  int64_t due = std::min(membership_.NextDue(now.mono_ms), LapseDue(now));
  if (!readiness_.ready()) due = std::min(due, readiness_.NextDue(now.mono_ms));
  for (const auto& [id, link] : links_) {
    switch (link.phase) {
      case Link::Phase::kUp:
        due = std::min({due, link.ping_ms + options_.timing.heartbeat, link.heard_ms + SilentAfter(link)});
        if (link.reported_change != report_change()) due = std::min(due, ReportDue(link));
        if (link.lack && (!asking_ || asking_->link != id)) {
          int64_t due_ms = std::max(LackDue(now, link), link.avoid_until_ms);
          if (asking_) due_ms = std::max(due_ms, asking_->GivesWayAt());
          due = std::min(due, due_ms);
        }
        break;
      case Link::Phase::kProbing:
        due = std::min(due, now.mono_ms + 50);  // the first link may answer at any time
        break;
      default:
        due = std::min(due, link.opened_ms + HandshakeMost(link));
    }
  }
  if (retired_ && readiness_.ready()) due = now.mono_ms + 1;  // more of it to submit again
  if (asking_) due = std::min(due, asking_->heard_ms + options_.timing.session_idle);
  due = std::min({due, waits_.next_due_ms(), explains_.next_due_ms()});
  return std::max(due, now.mono_ms);
}

absl::StatusOr<int> Node::SendBroadcast(Now now, const std::string& to_node, const std::string& payload) {
  if (payload.size() > kMaxBroadcastBytes) {
    return InvalidField("payload", absl::StrCat("has ", payload.size(), " bytes; at most ", kMaxBroadcastBytes));
  }
  if (!to_node.empty() && to_node != replica_.self().node && !membership_.members().contains(to_node)) {
    return InvalidField("to_node", absl::StrCat(Shown(to_node), " is not a member; ListMembers shows them"));
  }
  if (auto status = SpendControl(now); !status.ok()) return status;
  int sent = 0;
  for (const auto& [id, link] : links_) {
    if (link.phase != Link::Phase::kUp || (!to_node.empty() && link.peer.self.node != to_node)) continue;
    effects_.send.push_back({id, Broadcast{payload}});
    ++sent;
  }
  return sent;
}

const MapState& Node::shown() const { return yielding() ? retired_->map : replica_.map(); }

NodeStatus Node::GetStatus() const {
  NodeStatus status;
  status.self = replica_.self();
  status.ready = ready();
  status.keys = shown().store.live_keys();
  status.bytes = replica_.store().bytes();
  status.map_hash = replica_.store().hash();
  status.vector = replica_.Shared(membership_);
  status.converged = readiness_.ready();
  for (const auto& [id, link] : links_) {
    const bool equal = link.report && link.report->Covers(replica_.vector()) && replica_.vector().Covers(*link.report);
    if (link.phase == Link::Phase::kUp && !equal) status.converged = false;
  }
  status.remembered = 1 + membership_.remembered();
  for (const auto& [node, member] : membership_.members()) {
    status.members.push_back(member);
  }
  status.resets = resets_;
  status.hash_alarms = hash_alarms_;
  status.collected = replica_.store().collected();
  status.ceiling_ms = replica_.ceiling().at_ms();
  if (!ceiling_note_.empty()) status.notes.push_back(ceiling_note_);
  if (yielding()) {
    status.notes.push_back(
        "writes are refused: this node takes another map in place of its own, which was written under a clock that was "
        "ahead; reads go on from the old one until it has all of the new one");
  }
  status.unlinked_seeds = membership_.UnlinkedSeeds();
  status.unreachable_members = membership_.UnreachableMembers();
  if (!ready()) {
    for (const ReadyWait& wait : readiness_.waits_for()) status.notes.push_back(absl::StrCat("not ready: ", wait.text));
  }
  for (const Unlinked& seed : status.unlinked_seeds) {
    status.notes.push_back(absl::StrCat("seed ", seed.name, " is not linked: ", seed.cause));
  }
  for (const Unlinked& member : status.unreachable_members) {
    status.notes.push_back(absl::StrCat(Shown(member.name), " is unreachable: ", member.cause));
  }
  if (const std::string text = clock_guard_.Describe(); !text.empty()) {
    status.notes.push_back(absl::StrCat(clock_guard_.trusted() ? "" : "writes are refused: ", text));
  }
  for (std::string& line : refusals_.Lines()) status.notes.push_back(std::move(line));
  if (const std::string text = room_.Describe(); !text.empty()) status.notes.push_back(text);
  status.held_bytes = HeldBytes();
  status.max_bytes = room_.max_bytes();
  status.left_out = room_.left_out();
  status.quarantined = quarantine_.held();
  status.cut_offs = quarantine_.cut_offs();
  return status;
}

Usage Node::GetUsage() const {
  Usage usage;
  usage.own_log = replica_.own_log().size();
  usage.own_log_bytes = replica_.own_log().bytes();
  usage.requests = requests_.size();
  usage.waits = waits_.size();
  usage.explains = explains_.size();
  usage.conflicts = conflicts_.end() - conflicts_.first();
  usage.conflict_bytes = conflicts_.bytes();
  usage.refusals = refusals_.size();
  usage.links = links_.size();
  usage.members = membership_.members().size();
  usage.targets = membership_.targets();
  usage.quarantined = quarantine_.held();
  usage.rates = quarantine_.rates();
  usage.folded = replica_.vector().past() != nullptr ? replica_.vector().past()->known().size() : 0;
  return usage;
}

}  // namespace leasemap::core
