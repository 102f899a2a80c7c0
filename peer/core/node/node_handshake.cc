#include "peer/core/node/node_handshake.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/refusals.h"
#include "peer/core/mesh/floors.h"
#include "peer/core/mesh/handshake.h"
#include "peer/core/node/node_ceiling.h"

namespace leasemap::core {

void Node::Handshake::SendHello() {
  Hello hello;
  hello.protocol_min = node_.options_.protocol_min;
  hello.protocol_max = node_.options_.protocol_max;
  hello.cluster = node_.options_.cluster;
  hello.leasing = node_.options_.rules.leasing;
  hello.period_ms = node_.options_.rules.period_ms;
  hello.self = node_.replica_.self();
  hello.wall_ms = now_.wall_ms;
  hello.advertise = node_.options_.advertise.empty() ? link_.local() : node_.options_.advertise;
  hello.has_map = node_.readiness_.has_full_map() && (!node_.reports_.claims() || node_.reports_.claims()->has_map);
  link_.NoteSent(now_.mono);
  node_.Send(id_, std::move(hello));
}

void Node::Handshake::OnHello(Hello hello) {
  if (!link_.AwaitsHello()) return node_.Drop(now_, id_, absl::StrCat(link_.address(), ": a second Hello"));
  link_.TakeHello(std::move(hello));
  auto refuse = JudgeHello(node_.options_, node_.replica_.self(), link_.peer());
  if (!refuse) refuse = node_.links_.quarantine().Judge(link_.node(), now_.mono);
  if (refuse) return TurnAway(*refuse);
  if (link_.dialed()) {
    node_.membership_.OnAnswered(link_.address(), link_.node());
    if (!node_.ClockFits(now_, link_, link_.peer().wall_ms, link_.sent())) return TurnAway(ClocksDiffer());
  }
  using Duplicate = Links::Duplicate;
  const Duplicate duplicate =
      node_.links_.CheckDuplicate(now_.mono, id_, node_.replica_.self().node, node_.membership_);
  if (duplicate != Duplicate::kHeld) node_.readiness_.OnHello(link_.member(), link_.peer().has_map);
  switch (duplicate) {
    case Duplicate::kYield:
      return TurnAway({kDuplicateReason, node_.replica_.self().node});
    case Duplicate::kHeld:
      return TurnAway(
          {kDuplicateIdReason, absl::StrCat("another node named ", Shown(link_.node()), " was heard less than ",
                                            ShownDuration(node_.options_.timing.name_hold),
                                            " ago at another address; give each a --node-id of its own, or "
                                            "wait, if that one is gone")});
    case Duplicate::kProbe:
      if (const LinkId first = node_.links_.Probe(now_.mono, id_); first != LinkId::kNone) {
        return node_.Send(first, Ping{static_cast<uint64_t>(now_.mono.ms())});
      }
      return node_.Drop(now_, id_, absl::StrCat(link_.address(), ": as many links as may be wait for another's probe"));
    case Duplicate::kNone:
      return Answer();
  }
}

void Node::Handshake::Answer() {
  link_.AwaitAccept();
  if (link_.dialed()) {
    SendAccept();
  } else {
    SendHello();
  }
}

void Node::Handshake::SendAccept() {
  Accept accept{now_.wall_ms, node_.reports_.Make(node_.OwnReport(), node_.replica_, node_.membership_, link_)};
  // Whole, that both sides judge by the same.
  const Reports::Claims* saved = node_.reports_.claims();
  const Reports::Claims claims =
      saved ? *saved : Reports::ClaimsOf(node_.readiness_.has_full_map(), node_.replica_, node_.membership_);
  if (!accept.report.cut_short) accept.report.vector = claims.whole;
  accept.report.floor = claims.floor;
  accept.report.keys = claims.keys;
  // The ceiling that this node would fix if its clock is right: the peer is just about to confirm that.
  const Ceiling& ceiling = node_.replica_.ceiling();
  const int64_t ceiling_ms = node_.vector().empty() ? ceiling.at_ms() : ceiling.NeededAt(now_.wall_ms);
  link_.ceiling.Tell({ceiling_ms, node_.HoldsMap(), now_.wall_ms, node_.HoldsPart()});
  accept.report.ceiling_ms = ceiling_ms;
  accept.report.collected_epoch = claims.collected_epoch;
  node_.Send(id_, std::move(accept));
}

void Node::Handshake::OnAccept(const Accept& accept) {
  if (link_.phase() != Link::Phase::kAwaitAccept) {
    return node_.Drop(now_, id_, absl::StrCat(link_.address(), ": an Accept out of turn"));
  }
  if (!link_.dialed()) {
    if (!node_.ClockFits(now_, link_, accept.wall_ms, link_.sent())) return TurnAway(ClocksDiffer());
    SendAccept();
  }
  if (OutrunOldSelf(accept.report)) return;
  if (accept.report.floor && !IsCredible(*accept.report.floor, node_.replica_, node_.membership_)) {
    return TurnAway({"PROTOCOL_MISMATCH", "the floor names writes that were never made"});
  }
  if (!Ceilings(node_, now_).Agree(id_, link_, accept)) return;
  switch (JudgeFloors(node_.replica_, node_.readiness_.has_full_map(), link_.node(), accept.report)) {
    case Yields::kSelf:
      return node_.Reset(now_, absl::StrCat(Shown(link_.node()), " collected deletes while this node was away"),
                         accept.report.vector);
    case Yields::kPeer:
      node_.readiness_.Drop(link_.node());
      return node_.Drop(now_, id_,
                        absl::StrCat(Shown(link_.node()), " was away while deletes were collected; it is reset"));
    case Yields::kNobody:
      break;
  }
  Establish(accept.report);
}

// A peer knows this node at a later incarnation than its own (the clock went back between two starts), or at this one
// with writes that this process never made: take one above it before anything else, and meet all members again.
bool Node::Handshake::OutrunOldSelf(const Report& report) {
  const uint64_t highest = LaterSelf(report, node_.replica_);
  if (highest == 0) return false;
  if (!node_.links_.quarantine().Charge(link_.node(), Cost::kOutrun, now_.mono)) {
    node_.CutOff(now_, id_, link_, "again and again it knows later selves of this node");
    return true;
  }
  node_.Log(true, "this node was known at a later incarnation; taking a new one (did the clock go back?)");
  const uint64_t incarnation = NewIncarnation(now_.wall_ms, highest, node_.options_.seed);
  node_.replica_.TakeIncarnation(incarnation);
  node_.membership_.TakeIncarnation(incarnation);
  node_.DropAll(now_);
  return true;
}

void Node::Handshake::Establish(const Report& report) {
  const std::string node = link_.node();
  if (!node_.membership_.Meet(link_.member(), link_.peer().advertise, now_.mono)) {
    return TurnAway({"MEMBER_LIMIT", node_.membership_.NoRoomText()});
  }
  const LinkId first = node_.links_.UpWith(node);
  if (first != LinkId::kNone && node_.links_.at(first).member() == link_.member() &&
      !Links::Stays(link_, node_.replica_.self().node)) {
    return TurnAway({kDuplicateReason, node_.replica_.self().node});
  }
  // Up before the first one goes: the member stays linked meanwhile, and readiness waits for its report still.
  node_.links_.SetUp(id_);
  node_.readiness_.OnLinked(link_.member(), report.vector, report.whole, report.keys);
  if (link_.ceiling.shunned()) node_.readiness_.Drop(node);  // its map is not waited for
  link_.theirs.TakeFloor(report.floor);
  if (first != LinkId::kNone) node_.Drop(now_, first, "");
  link_.alive.Pinged(now_.mono);
  link_.told.Told(now_.mono, node_.reports_.change(node_.replica_), false);
  const bool news = node_.membership_.LinkUp(link_.member(), now_);
  node_.membership_.Moved(node, link_.peer().advertise, now_.mono);
  node_.links_.refusals().Forget(node);
  node_.links_.refusals().Forget(link_.address());
  if (news) node_.Log(false, absl::StrCat("linked with ", node, " (", link_.peer().advertise, ")"));

  const auto theirs = report.vector->runs().find(node_.replica_.self());
  link_.out.Begin(node_.replica_.own_log(), theirs == report.vector->runs().end() ? 0 : theirs->second.prefix);
  link_.lack.FetchNow(!node_.vector().Covers(*report.vector));
  node_.reports_.Changed();
  if (link_.clock_agrees()) node_.NoteClock(now_, node, true);  // who was a stranger in the handshake had no say yet
  node_.OnReport(now_, link_, report);
  node_.effects_.pull = true;
  node_.effects_.changed = true;
  node_.AskForSession(now_);
  node_.UpdateReady(now_);
}

void Node::Handshake::OnRefuse(const Refuse& refuse) {
  if (refuse.reason == kSelfReason) {
    if (link_.dialed()) node_.membership_.OnSelf(link_.address(), now_.mono);
    link_.Settle();
  } else if (refuse.reason == kDuplicateReason) {
    if (link_.dialed()) node_.membership_.OnAnswered(link_.address(), refuse.message);
    link_.NoteKnown();
  } else {
    if (refuse.reason == kClockMismatch && link_.helloed()) node_.NoteClock(now_, link_.node(), false);
    NoteRefusal(RefusalLog::By::kPeer, refuse);
  }
  node_.Drop(now_, id_, "");
}

void Node::Handshake::Fail(const std::string& why) {
  NoteRefusal(RefusalLog::By::kSelf, {"TLS_FAILED", why});
  node_.Drop(now_, id_, "");
}

void Node::Handshake::TurnAway(const Refuse& refuse) {
  node_.Send(id_, Refuse{refuse.reason, refuse.message, node_.readiness_.has_full_map()});
  if (refuse.reason == kClockMismatch) node_.NoteClock(now_, link_.node(), false);
  if (refuse.reason != kSelfReason && refuse.reason != kDuplicateReason) {
    NoteRefusal(RefusalLog::By::kSelf, {refuse.reason, refuse.message, link_.peer().has_map.value_or(true)});
  }
  node_.Drop(now_, id_, "");
}

// A handshake ended with this refusal.
void Node::Handshake::NoteRefusal(RefusalLog::By by, const Refuse& refuse) {
  // Who has not said its name and comes again has another port.
  const std::string& address = link_.address();
  const std::string who = link_.helloed()  ? link_.node()
                          : link_.dialed() ? address
                                           : address.substr(0, address.rfind(':'));
  if (auto line = node_.links_.refusals().Note(now_.mono, who, link_.address(), by, refuse))
    node_.Log(true, *std::move(line));
  if (link_.helloed()) node_.readiness_.OnHandshakeRefused(link_.node());
  if (link_.dialed()) {
    const std::string node = link_.helloed() ? link_.node() : "";
    const bool own_name =
        refuse.reason == kDuplicateIdReason && (by == RefusalLog::By::kPeer || node == node_.replica_.self().node);
    const RefusedDial refusal{link_.address(), node, refuse.reason, refuse.message, refuse.has_map, own_name};
    node_.membership_.OnRefused(refusal, now_.mono);
    node_.readiness_.OnRefused(refusal);
    link_.Settle();
  }
}

}  // namespace leasemap::core
