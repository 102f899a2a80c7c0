// How two nodes meet: the handshake, and what comes on a link. (What keeps a link alive: node_alive.cc.)
//
//   dialer             acceptor
//   Hello        →                      judges it
//                ←     Hello            or Refuse
//   Accept       →                      or Refuse; the clocks are compared by both, over one round trip
//                ←     Accept           the link is up at the acceptor once this is sent …
//                                       … and at the dialer once it came
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/refusals.h"
#include "peer/core/mesh/floors.h"
#include "peer/core/mesh/handshake.h"
#include "peer/core/mesh/named_vector.h"
#include "peer/core/node/node.h"

namespace leasemap::core {

void Node::OnDialed(Now now, LinkId id, const std::string& address, const std::string& local) {
  membership_.OnLocal(local, now.mono);
  SendHello(now, id, links_.Open(id, Link(now.mono, true, address, local)));
}

void Node::OnDialFailed(Now now, const std::string& address, const std::string& why) {
  membership_.OnDialFailed(address, why, now.mono);
  UpdateReady(now);
}

void Node::OnResolved(Now now, const std::string& seed, const std::vector<std::string>& addresses,
                      const std::string& why) {
  membership_.OnResolved(seed, addresses, why, now.mono);
  membership_.Tick(now.mono, effects_);
  UpdateReady(now);
}

void Node::OnAccepted(Now now, LinkId id, const std::string& local, const std::string& remote) {
  if (links_.full()) {
    const LinkId idle = links_.Idle();
    if (idle == LinkId::kNone) {
      effects_.hang_up.push_back({id, ""});
      return;
    }
    Drop(now, idle, "");
  }
  links_.Open(id, Link(now.mono, false, remote, local));
}

void Node::SendHello(Now now, LinkId id, Link& link) {
  Hello hello;
  hello.protocol_min = options_.protocol_min;
  hello.protocol_max = options_.protocol_max;
  hello.cluster = options_.cluster;
  hello.leasing = options_.rules.leasing;
  hello.period_ms = options_.rules.period_ms;
  hello.self = replica_.self();
  hello.wall_ms = now.wall_ms;
  hello.advertise = options_.advertise.empty() ? link.local() : options_.advertise;
  hello.has_map = readiness_.has_full_map() && (!reports_.claims() || reports_.claims()->has_map);
  link.NoteSent(now.mono);
  Send(id, std::move(hello));
}

void Node::OnMessage(Now now, LinkId id, Message message) {
  Link* found = links_.Find(id);
  if (found == nullptr) return;
  Link& link = *found;
  LookAtClock(now);
  link.alive.Heard(now.mono);
  if (link.up()) membership_.Heard(link.node(), now);
  const bool small = std::holds_alternative<Ping>(message) || std::holds_alternative<Pong>(message);
  if (!small) link.alive.EndPieces();
  const bool up = link.up();
  if (up && !Allowed(now, id, link, message)) return;
  if (auto* hello = std::get_if<Hello>(&message)) {
    OnHello(now, id, link, std::move(*hello));
  } else if (auto* accept = std::get_if<Accept>(&message)) {
    OnAccept(now, id, link, *accept);
  } else if (auto* refuse = std::get_if<Refuse>(&message)) {
    OnRefuse(now, id, link, *refuse);
  } else if (std::holds_alternative<Ping>(message) && link.phase() == Link::Phase::kAwaitAccept) {
    // Heartbeats overtake what is queued: this one came before the Accept that was sent before it.
    Send(id, Pong{std::get<Ping>(message).token, now.wall_ms});
  } else if (!up) {
    Drop(now, id, absl::StrCat(link.address(), ": a message before the handshake was done"));
  } else if (auto* ping = std::get_if<Ping>(&message)) {
    Send(id, Pong{ping->token, now.wall_ms});
  } else if (auto* pong = std::get_if<Pong>(&message)) {
    // The token is our clock at the ping.
    if (!ClockFits(now, link, pong->wall_ms, MonoTime(static_cast<int64_t>(pong->token)))) {
      RefuseLink(now, id, link, ClocksDiffer());
    }
  } else if (auto* report = std::get_if<Report>(&message)) {
    OnReport(now, link, *report);
  } else if (auto* live = std::get_if<Live>(&message)) {
    if (TakeEntries(now, id, live->entries, false) && live->report_now) {
      link.told.Hurry();
      if (reports_.IsDue(now.mono, replica_, links_, link)) SendReport(now, id, link);
    }
  } else if (auto* request = std::get_if<SessionRequest>(&message)) {
    const auto floor = std::make_shared<const VersionVector>(replica_.floor());
    link.out.Serve({request->session, request->vector, WholeVector(replica_, membership_), floor, request->buckets});
    effects_.pull = true;
  } else if (auto* entries = std::get_if<SessionEntries>(&message)) {
    catch_up_.Heard(now.mono, id, entries->session);
    TakeEntries(now, id, entries->entries, true);
  } else if (auto* end = std::get_if<SessionEnd>(&message)) {
    OnSessionEnd(now, id, link, *end);
  } else if (auto* broadcast = std::get_if<Broadcast>(&message)) {
    effects_.heard.push_back({link.node(), std::move(broadcast->payload)});
  } else if (auto* query = std::get_if<Query>(&message)) {
    OnQuery(id, *query);
  } else if (auto* reply = std::get_if<QueryReply>(&message)) {
    calls_.explains.OnReply(id, *reply);
  }
  if (links_.TakeCeilingNote()) CheckCeilings(now);
  SettleWaits(now);
}

void Node::OnHello(Now now, LinkId id, Link& link, Hello hello) {
  if (!link.AwaitsHello()) return Drop(now, id, absl::StrCat(link.address(), ": a second Hello"));
  link.TakeHello(std::move(hello));
  auto refuse = JudgeHello(options_, replica_.self(), link.peer());
  if (!refuse) refuse = links_.quarantine().Judge(link.node(), now.mono);
  if (refuse) return RefuseLink(now, id, link, *refuse);
  if (link.dialed()) {
    membership_.OnAnswered(link.address(), link.node());
    if (!ClockFits(now, link, link.peer().wall_ms, link.sent())) return RefuseLink(now, id, link, ClocksDiffer());
  }
  using Duplicate = Links::Duplicate;
  const Duplicate duplicate = links_.CheckDuplicate(now.mono, id, replica_.self().node, membership_);
  if (duplicate != Duplicate::kHeld) readiness_.OnHello(link.member(), link.peer().has_map);
  switch (duplicate) {
    case Duplicate::kYield:
      return RefuseLink(now, id, link, {kDuplicateReason, replica_.self().node});
    case Duplicate::kHeld:
      return RefuseLink(
          now, id, link,
          {kDuplicateIdReason, absl::StrCat("another node named ", Shown(link.node()), " was heard less than ",
                                            ShownDuration(options_.timing.name_hold),
                                            " ago at another address; give each a --node-id of its own, or "
                                            "wait, if that one is gone")});
    case Duplicate::kProbe:
      if (const LinkId first = links_.Probe(now.mono, id); first != LinkId::kNone) {
        return Send(first, Ping{static_cast<uint64_t>(now.mono.ms())});
      }
      return Drop(now, id, absl::StrCat(link.address(), ": as many links as may be wait for another's probe"));
    case Duplicate::kNone:
      return Answer(now, id, link);
  }
}

// Our part of the handshake after their Hello was found good.
void Node::Answer(Now now, LinkId id, Link& link) {
  link.AwaitAccept();
  if (link.dialed()) {
    SendAccept(now, id, link);
  } else {
    SendHello(now, id, link);
  }
}

void Node::SendAccept(Now now, LinkId id, Link& link) {
  Accept accept{now.wall_ms, reports_.Make(OwnReport(), replica_, membership_, link)};
  // Whole, that both sides judge by the same.
  const Reports::Claims* saved = reports_.claims();
  const Reports::Claims claims = saved ? *saved : Reports::ClaimsOf(readiness_.has_full_map(), replica_, membership_);
  if (!accept.report.cut_short) accept.report.vector = claims.whole;
  accept.report.floor = claims.floor;
  accept.report.keys = claims.keys;
  // The ceiling that this node would fix if its clock is right: the peer is just about to confirm that.
  const Ceiling& ceiling = replica_.ceiling();
  const int64_t ceiling_ms = vector().empty() ? ceiling.at_ms() : ceiling.NeededAt(now.wall_ms);
  link.ceiling.Tell({ceiling_ms, HoldsMap(), now.wall_ms, HoldsPart()});
  accept.report.ceiling_ms = ceiling_ms;
  accept.report.collected_epoch = claims.collected_epoch;
  Send(id, std::move(accept));
}

void Node::OnAccept(Now now, LinkId id, Link& link, const Accept& accept) {
  if (link.phase() != Link::Phase::kAwaitAccept) {
    return Drop(now, id, absl::StrCat(link.address(), ": an Accept out of turn"));
  }
  if (!link.dialed()) {
    if (!ClockFits(now, link, accept.wall_ms, link.sent())) return RefuseLink(now, id, link, ClocksDiffer());
    SendAccept(now, id, link);
  }
  if (OutrunOldSelf(now, id, link, accept.report)) return;
  if (accept.report.floor && !IsCredible(*accept.report.floor, replica_, membership_)) {
    return RefuseLink(now, id, link, {"PROTOCOL_MISMATCH", "the floor names writes that were never made"});
  }
  if (!AgreeOnCeiling(now, id, link, accept)) return;
  switch (JudgeFloors(replica_, readiness_.has_full_map(), link.node(), accept.report)) {
    case Yields::kSelf:
      return Reset(now, absl::StrCat(Shown(link.node()), " collected deletes while this node was away"),
                   accept.report.vector);
    case Yields::kPeer:
      readiness_.Drop(link.node());
      return Drop(now, id, absl::StrCat(Shown(link.node()), " was away while deletes were collected; it is reset"));
    case Yields::kNobody:
      break;
  }
  Establish(now, id, link, accept.report);
}

// A peer knows this node at a later incarnation than its own (the clock went back between two starts), or at this one
// with writes that this process never made: take one above it before anything else, and meet all members again.
bool Node::OutrunOldSelf(Now now, LinkId id, Link& link, const Report& report) {
  const uint64_t highest = LaterSelf(report, replica_);
  if (highest == 0) return false;
  if (!links_.quarantine().Charge(link.node(), Cost::kOutrun, now.mono)) {
    CutOff(now, id, link, "again and again it knows later selves of this node");
    return true;
  }
  Log(true, "this node was known at a later incarnation; taking a new one (did the clock go back?)");
  const uint64_t incarnation = NewIncarnation(now.wall_ms, highest, options_.seed);
  replica_.TakeIncarnation(incarnation);
  membership_.TakeIncarnation(incarnation);
  DropAll(now);
  return true;
}

void Node::OnRefuse(Now now, LinkId id, Link& link, const Refuse& refuse) {
  if (refuse.reason == kSelfReason) {
    if (link.dialed()) membership_.OnSelf(link.address(), now.mono);
    link.Settle();
  } else if (refuse.reason == kDuplicateReason) {
    if (link.dialed()) membership_.OnAnswered(link.address(), refuse.message);
    link.NoteKnown();
  } else {
    if (refuse.reason == kClockMismatch && link.helloed()) NoteClock(now, link.node(), false);
    NoteRefusal(now, link, RefusalLog::By::kPeer, refuse);
  }
  Drop(now, id, "");
}

// Tells the peer why, and hangs up.
void Node::RefuseLink(Now now, LinkId id, Link& link, const Refuse& refuse) {
  Send(id, Refuse{refuse.reason, refuse.message, readiness_.has_full_map()});
  if (refuse.reason == kClockMismatch) NoteClock(now, link.node(), false);
  if (refuse.reason != kSelfReason && refuse.reason != kDuplicateReason) {
    NoteRefusal(now, link, RefusalLog::By::kSelf, {refuse.reason, refuse.message, link.peer().has_map.value_or(true)});
  }
  Drop(now, id, "");
}

// A handshake ended with this refusal.
void Node::NoteRefusal(Now now, Link& link, RefusalLog::By by, const Refuse& refuse) {
  const std::string who = link.helloed() ? link.node() : link.address();
  if (auto line = links_.refusals().Note(now.mono, who, link.address(), by, refuse)) Log(true, *std::move(line));
  if (link.helloed()) readiness_.OnHandshakeRefused(link.node());
  if (link.dialed()) {
    const std::string node = link.helloed() ? link.node() : "";
    const bool own_name =
        refuse.reason == kDuplicateIdReason && (by == RefusalLog::By::kPeer || node == replica_.self().node);
    const RefusedDial refusal{link.address(), node, refuse.reason, refuse.message, refuse.has_map, own_name};
    membership_.OnRefused(refusal, now.mono);
    readiness_.OnRefused(refusal);
    link.Settle();
  }
}

void Node::Drop(Now now, LinkId id, const std::string& why) {
  effects_.hang_up.push_back({id, why});
  OnClosed(now, id, why);
}

// What follows from it is looked at when the last one is gone: on the way there is nobody left to ask.
void Node::DropAll(Now now) {
  for (const LinkId id : links_.Ids()) {
    effects_.hang_up.push_back({id, ""});
    Close(now, id, "");
  }
  UpdateReady(now);
}

void Node::OnClosed(Now now, LinkId id, const std::string& why) {
  if (!links_.contains(id)) return;
  Close(now, id, why);
  AskForSession(now);
  UpdateReady(now);
}

// Forgets the link, and tells the parts that it is gone.
void Node::Close(Now now, LinkId id, const std::string& why) {
  const std::optional<Link> closed = links_.Close(id);
  const Link& link = *closed;
  if (link.dialed() && !link.settled()) {
    if (link.helloed()) {
      membership_.OnLost(link.address(), now.mono);
    } else {
      membership_.OnDialFailed(link.address(), why.empty() ? "closed the connection without a word" : why, now.mono);
    }
  }
  catch_up_.Closed(id);
  if (link.up()) {
    const LinkId other = links_.UpWith(link.node());
    const uint64_t other_incarnation = other != LinkId::kNone ? links_.at(other).member().incarnation : 0;
    if (membership_.LinkDown(link.node(), other_incarnation, now.mono)) {
      Log(false, absl::StrCat("lost ", link.node()));
    }
    Changed();
  }
}

void Node::Establish(Now now, LinkId id, Link& link, const Report& report) {
  const std::string node = link.node();
  if (!membership_.Meet(link.member(), link.peer().advertise, now.mono)) {
    return RefuseLink(now, id, link, {"MEMBER_LIMIT", membership_.NoRoomText()});
  }
  const LinkId first = links_.UpWith(node);
  if (first != LinkId::kNone && links_.at(first).member() == link.member() &&
      !Links::Stays(link, replica_.self().node)) {
    return RefuseLink(now, id, link, {kDuplicateReason, replica_.self().node});
  }
  // Up before the first one goes: the member stays linked meanwhile, and readiness waits for its report still.
  links_.SetUp(id);
  readiness_.OnLinked(link.member(), report.vector, report.whole, report.keys);
  if (link.ceiling.shunned()) readiness_.Drop(node);  // its map is not waited for
  link.theirs.TakeFloor(report.floor);
  if (first != LinkId::kNone) Drop(now, first, "");
  link.alive.Pinged(now.mono);
  link.told.Told(now.mono, reports_.change(replica_), false);
  const bool news = membership_.LinkUp(link.member(), now);
  membership_.Moved(node, link.peer().advertise, now.mono);
  links_.refusals().Forget(node);
  links_.refusals().Forget(link.address());
  if (news) Log(false, absl::StrCat("linked with ", node, " (", link.peer().advertise, ")"));

  const auto theirs = report.vector->runs().find(replica_.self());
  link.out.Begin(replica_.own_log(), theirs == report.vector->runs().end() ? 0 : theirs->second.prefix);
  link.lack.FetchNow(!vector().Covers(*report.vector));
  reports_.Changed();
  if (link.clock_agrees()) NoteClock(now, node, true);  // who was a stranger in the handshake had no say yet
  OnReport(now, link, report);
  effects_.pull = true;
  effects_.changed = true;
  AskForSession(now);
  UpdateReady(now);
}

}  // namespace leasemap::core
