// Time, readiness and status of a node.
#include "peer/core/node/node.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/named_vector.h"
#include "peer/core/node/node_ceiling.h"

namespace leasemap::core {

Node::Node(NodeOptions options, Now now, const Image* image)
    : options_(std::move(options)),
      replica_(options_, now, image ? image->incarnation : 0),
      membership_(replica_.self(), options_.seeds, options_.seed ^ 0x6d656d62, options_.timing),
      clock_guard_(options_.rules.clock_bound_ms, kClockAnswerBeats * options_.timing.heartbeat, now),
      readiness_(options_.timing, options_.min_members, now.mono),
      links_(options_.timing),
      reports_(options_.timing),
      catch_up_(options_.timing),
      retirement_(options_.rules, options_.timing) {
  if (image != nullptr) {
    readiness_.HasFullMap(image->whole);
    replica_.Restore(now.mono, *image);
    membership_.Restore(image->members, now.mono);
  }
  if (options_.disk) reports_.Claim(Reports::ClaimsOf(readiness_.has_full_map(), replica_, membership_));
  UpdateReady(now);
}

Effects Node::Take() {
  Effects out;
  std::swap(out, effects_);
  const Replica::News news = replica_.TakeNews();
  out.changed |= news.changed;
  out.renewed |= news.renewed;
  out.unsaved = SaveIsDue();
  return out;
}

void Node::Tick(Now now) {
  LookAtClock(now);
  Ceilings(*this, now).Check();
  Lapse(now);
  links_.quarantine().Tick(now.mono);
  membership_.Tick(now.mono, effects_);
  KeepAlive(now);
  AskForSession(now);
  SendReports(now, false);
  UpdateReady(now);
  for (std::string& text : readiness_.Warn(now.mono, membership_)) Log(true, std::move(text));
  SettleWaits(now);
  ForgetMembers(now);
  const bool comparable = readiness_.ready() && clock_guard_.trusted();
  for (std::string& text : catch_up_.CompareHashes(now, comparable, links_, replica_, membership_, effects_.send)) {
    Log(true, std::move(text));
  }
  Collect(now);
  ResubmitSome(now);
  TakeBack(now);
}

MonoTime Node::NextDue(Now now) const {
  MonoTime due =
      std::min({membership_.NextDue(now.mono), replica_.map().LapseDue(now, options_.rules, clock_guard_.trusted()),
                links_.NextDue(now.mono), reports_.NextDue(replica_, links_)});
  if (!readiness_.ready()) due = std::min(due, readiness_.NextDue(now.mono));
  if (retirement_.any() && readiness_.ready() && clock_guard_.trusted())
    due = now.mono + 1;  // more of it to submit again
  due = std::min({due, catch_up_.NextDue(now, links_), calls_.NextDue()});
  return std::max(due, now.mono);
}

void Node::UpdateReady(Now now) {
  if (readiness_.ready() && !readiness_.shut_out() && links_.up() > 0) return;
  const auto has_peers_map = [&] { return retirement_.HasPeersMap(now, replica_); };
  const bool full = readiness_.has_full_map();
  Readiness::View view{now.mono,
                       self(),
                       vector(),
                       store().live_keys(),
                       retirement_.NeedsReadyMember(full),
                       options_.lost_map && !full,
                       membership_,
                       {},
                       has_peers_map};
  for (const auto& [id, link] : links_) {
    // A peer that answered our dial with a Hello is about to say what it covers.
    const bool shaking =
        link.phase() == Link::Phase::kProbing || (link.dialed() && link.phase() == Link::Phase::kAwaitAccept);
    if (!link.up() && !shaking) continue;
    const PeerReport& theirs = link.theirs;
    const bool long_enough = link.up() && now.mono - link.alive.opened() >= options_.timing.ready_after;
    view.links.push_back(
        {link.node(), link.up(), theirs.has_map(), theirs.settled(), theirs.vector(), theirs.complete(),
         long_enough && theirs.vector() ? links_.Believable(theirs.vector(), replica_) : nullptr, link.alive.opened()});
  }
  Readiness::Change change = readiness_.Update(view);
  if (change.report) reports_.Changed();
  effects_.changed |= change.seen;
  for (Effects::Log& line : change.log) Log(line.warning, std::move(line.text));
}

absl::StatusOr<int> Node::SendBroadcast(Now now, const std::string& to_node, const std::string& payload) {
  if (payload.size() > kMaxBroadcastBytes) {
    return InvalidField("payload", absl::StrCat("has ", payload.size(), " bytes; at most ", kMaxBroadcastBytes));
  }
  if (!to_node.empty() && to_node != replica_.self().node && !membership_.members().contains(to_node)) {
    return InvalidField("to_node", absl::StrCat(Shown(to_node), " is not a member; ListMembers shows them"));
  }
  if (auto status = links_.quarantine().ChargeClient(now.mono); !status.ok()) return status;
  int sent = 0;
  for (const auto& [id, link] : links_) {
    if (!link.up() || (!to_node.empty() && link.node() != to_node)) continue;
    Send(id, Broadcast{payload});
    ++sent;
  }
  return sent;
}

NodeStatus Node::GetStatus() const {
  NodeStatus status;
  status.self = replica_.self();
  status.ready = ready();
  status.disk = replica_.saving().state();
  status.keys = shown().store.live_keys();
  status.bytes = replica_.store().bytes();
  status.map_hash = replica_.store().hash();
  status.vector = SharedVector(replica_, membership_);
  status.converged = readiness_.ready();
  for (const auto& [id, link] : links_) {
    const VectorPtr& theirs = link.theirs.vector();
    const bool equal = theirs && theirs->Covers(vector()) && vector().Covers(*theirs);
    if (link.up() && !equal) status.converged = false;
    if (link.up() && theirs && link.theirs.rights_hash() != reports_.rights_hash()) {
      status.notes.push_back(
          absl::StrCat(Shown(link.node()), " has not the same rights in its --auth-file as this node"));
    }
  }
  status.remembered = 1 + membership_.remembered();
  for (const auto& [node, member] : membership_.members()) {
    status.members.push_back(member);
    if (!member.linked || !member.disk_stopped) continue;
    status.notes.push_back(absl::StrCat(Shown(node),
                                        " saves nothing, since its disk is full or fails: its acks of what "
                                        "it takes meanwhile do not come"));
  }
  status.resets = retirement_.resets();
  status.hash_alarms = catch_up_.alarms();
  status.collected = replica_.store().collected();
  status.ceiling_ms = replica_.ceiling().at_ms();
  if (!replica_.ceiling_note().empty()) status.notes.push_back(replica_.ceiling_note());
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
  for (std::string& line : links_.refusals().Lines()) status.notes.push_back(std::move(line));
  if (const std::string text = replica_.room().Describe(); !text.empty()) status.notes.push_back(text);
  if (const std::string text = replica_.saving().state().Describe(); !text.empty()) status.notes.push_back(text);
  status.held_bytes = replica_.held_bytes();
  status.max_bytes = replica_.room().max_bytes();
  status.max_keys = replica_.room().max_keys();
  status.left_out = replica_.room().left_out();
  status.quarantined = links_.quarantine().held();
  status.cut_offs = links_.quarantine().cut_offs();
  return status;
}

Usage Node::GetUsage() const {
  Usage usage;
  usage.own_log = replica_.own_log().size();
  usage.own_log_bytes = replica_.own_log().bytes();
  usage.requests = calls_.requests.size();
  usage.waits = calls_.waits.size();
  usage.explains = calls_.explains.size();
  usage.conflicts = replica_.conflicts().end() - replica_.conflicts().first();
  usage.conflict_bytes = replica_.conflicts().bytes();
  usage.refusals = links_.refusals().size();
  usage.links = links_.size();
  usage.members = membership_.members().size();
  usage.targets = membership_.targets();
  usage.quarantined = links_.quarantine().held();
  usage.rates = links_.quarantine().rates();
  usage.folded = replica_.vector().past() != nullptr ? replica_.vector().past()->known().size() : 0;
  return usage;
}

}  // namespace leasemap::core
