// How two nodes meet: the handshake, and what comes on a link. (A second link to the same member: node_names.cc; what
// keeps a link alive: node_alive.cc.)
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
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"
#include "peer/core/refusals.h"

namespace leasemap::core {

void Node::OnDialed(Now now, LinkId id, const std::string& address, const std::string& local) {
  Link link{};
  link.phase = Link::Phase::kHelloSent;
  link.dialed = true;
  link.address = address;
  link.local = local;
  link.opened_ms = link.heard_ms = now.mono_ms;
  membership_.OnLocal(local, now.mono_ms);
  SendHello(now, id, links_.emplace(id, std::move(link)).first->second);
}

void Node::OnDialFailed(Now now, const std::string& address, const std::string& why) {
  membership_.OnDialFailed(address, why, now.mono_ms);
  UpdateReady(now);
}

void Node::OnResolved(Now now, const std::string& seed, const std::vector<std::string>& addresses,
                      const std::string& why) {
  membership_.OnResolved(seed, addresses, why, now.mono_ms);
  membership_.Tick(now.mono_ms, effects_);
  UpdateReady(now);
}

void Node::OnAccepted(Now now, LinkId id, const std::string& local, const std::string& remote) {
  // Idle strangers must not keep members out: the oldest of them makes room.
  if (links_.size() >= kMaxLinks) {
    const auto idle = std::find_if(links_.begin(), links_.end(),
                                   [](const auto& other) { return other.second.phase == Link::Phase::kAwaitHello; });
    if (idle == links_.end()) {
      effects_.hang_up.push_back({id, ""});
      return;
    }
    Drop(now, idle->first, "");
  }
  Link link{};
  link.phase = Link::Phase::kAwaitHello;
  link.address = remote;
  link.local = local;
  link.opened_ms = link.heard_ms = now.mono_ms;
  links_.emplace(id, std::move(link));
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
  hello.advertise = options_.advertise.empty() ? link.local : options_.advertise;
  hello.has_map = readiness_.has_full_map();
  link.sent_ms = now.mono_ms;
  effects_.send.push_back({id, std::move(hello)});
}

void Node::OnMessage(Now now, LinkId id, Message message) {
  auto it = links_.find(id);
  if (it == links_.end()) return;
  Link& link = it->second;
  LookAtClock(now);
  Heard(now, link);
  const bool small = std::holds_alternative<Ping>(message) || std::holds_alternative<Pong>(message);
  if (!small) link.piece_ms.reset();
  const bool up = link.phase == Link::Phase::kUp;
  if (up && !Allowed(now, id, link, message)) return;
  if (auto* hello = std::get_if<Hello>(&message)) {
    OnHello(now, id, link, std::move(*hello));
  } else if (auto* accept = std::get_if<Accept>(&message)) {
    OnAccept(now, id, link, *accept);
  } else if (auto* refuse = std::get_if<Refuse>(&message)) {
    OnRefuse(now, id, link, *refuse);
  } else if (std::holds_alternative<Ping>(message) && link.phase == Link::Phase::kAwaitAccept) {
    // Heartbeats overtake what is queued: this one came before the Accept that was sent before it.
    effects_.send.push_back({id, Pong{std::get<Ping>(message).token, now.wall_ms}});
  } else if (!up) {
    Drop(now, id, absl::StrCat(link.address, ": a message before the handshake was done"));
  } else if (auto* ping = std::get_if<Ping>(&message)) {
    effects_.send.push_back({id, Pong{ping->token, now.wall_ms}});
  } else if (auto* pong = std::get_if<Pong>(&message)) {
    // The token is our clock at the ping.
    if (!ClockFits(now, link, pong->wall_ms, static_cast<int64_t>(pong->token))) {
      RefuseLink(now, id, link, {kClockMismatch, "the clocks differ by more than the bound; check NTP on both hosts"});
    }
  } else if (auto* report = std::get_if<Report>(&message)) {
    OnReport(now, id, link, *report);
  } else if (auto* live = std::get_if<Live>(&message)) {
    if (TakeEntries(now, id, live->entries, false) && live->report_now) {
      link.report_now = true;
      SendReportIfDue(now, id, link);
    }
  } else if (auto* request = std::get_if<SessionRequest>(&message)) {
    OnSessionRequest(id, link, *request);
  } else if (auto* entries = std::get_if<SessionEntries>(&message)) {
    if (asking_ && asking_->link == id && asking_->id == entries->session) {
      asking_->heard_ms = asking_->whole_ms = now.mono_ms;
    }
    TakeEntries(now, id, entries->entries, true);
  } else if (auto* end = std::get_if<SessionEnd>(&message)) {
    OnSessionEnd(now, id, *end);
  } else if (auto* broadcast = std::get_if<Broadcast>(&message)) {
    effects_.heard.push_back({link.peer.self.node, std::move(broadcast->payload)});
  } else if (auto* query = std::get_if<Query>(&message)) {
    OnQuery(id, *query);
  } else if (auto* reply = std::get_if<QueryReply>(&message)) {
    OnQueryReply(now, id, *reply);
  }
  if (check_ceilings_) CheckCeilings(now);
  SettleWaits(now);
}

// What the handshake refuses whatever the clocks say; nullopt: welcome.
std::optional<Refuse> Node::Judge(Now now, const Link& link) const {
  const Hello& peer = link.peer;
  const auto differs = [&](const char* reason, const std::string& theirs, const std::string& ours) {
    return Refuse{reason, absl::StrCat(Shown(peer.self.node), " has ", theirs, ", ", options_.node_id, " has ", ours)};
  };
  if (peer.protocol_max < options_.protocol_min || peer.protocol_min > options_.protocol_max) {
    return differs("PROTOCOL_MISMATCH", absl::StrCat("protocol ", peer.protocol_min, " to ", peer.protocol_max),
                   absl::StrCat("protocol ", options_.protocol_min, " to ", options_.protocol_max));
  }
  if (peer.cluster != options_.cluster) {
    return differs(kOtherCluster, absl::StrCat("cluster ", Shown(peer.cluster)),
                   absl::StrCat("cluster ", options_.cluster));
  }
  if (peer.leasing != options_.rules.leasing) {
    return differs("LEASING_MISMATCH", absl::StrCat("--leasing=", peer.leasing ? "true" : "false"),
                   absl::StrCat("--leasing=", options_.rules.leasing ? "true" : "false"));
  }
  if (peer.leasing && peer.period_ms != options_.rules.period_ms) {
    return differs("LEASING_MISMATCH", absl::StrCat("--lease-duration=", peer.period_ms, "ms"),
                   absl::StrCat("--lease-duration=", options_.rules.period_ms, "ms"));
  }
  if (!CheckName("node_id", peer.self.node).ok() || peer.self.incarnation == 0) {
    return Refuse{"PROTOCOL_MISMATCH", "the node ID is not 1 to 255 bytes of printable UTF-8"};
  }
  if (peer.self == replica_.self()) return Refuse{kSelf, ""};
  if (peer.self.node == replica_.self().node) {
    return Refuse{kDuplicateId, absl::StrCat("two running nodes are named ", Shown(replica_.self().node),
                                             "; give each a --node-id of its own")};
  }
  if (const std::string* why = quarantine_.Refused(peer.self.node, now.mono_ms)) {
    return Refuse{kQuarantined, absl::StrCat("it was cut off: ", *why)};
  }
  return std::nullopt;
}

void Node::OnHello(Now now, LinkId id, Link& link, Hello hello) {
  if (link.helloed || (link.phase != Link::Phase::kHelloSent && link.phase != Link::Phase::kAwaitHello)) {
    return Drop(now, id, absl::StrCat(link.address, ": a second Hello"));
  }
  link.peer = std::move(hello);
  link.helloed = true;
  link.protocol = std::min(options_.protocol_max, link.peer.protocol_max);
  if (auto refuse = Judge(now, link)) return RefuseLink(now, id, link, *refuse);
  if (link.dialed) {
    membership_.OnAnswered(link.address, link.peer.self.node);
    if (!ClockFits(now, link, link.peer.wall_ms, link.sent_ms)) {
      return RefuseLink(now, id, link,
                        {kClockMismatch, "the clocks differ by more than the bound; check NTP on both hosts"});
    }
  }
  const Duplicate duplicate = CheckDuplicate(now, id, link);
  if (duplicate != Duplicate::kHeld) readiness_.OnHello(link.peer.self, link.peer.has_map);
  switch (duplicate) {
    case Duplicate::kYield:
      return RefuseLink(now, id, link, {kDuplicate, replica_.self().node});
    case Duplicate::kHeld:
      return RefuseLink(now, id, link,
                        {kDuplicateId, absl::StrCat("another node named ", Shown(link.peer.self.node),
                                                    " was heard less than ", ShownDuration(options_.timing.name_hold),
                                                    " ago at another address; give each a --node-id of its own, or "
                                                    "wait, if that one is gone")});
    case Duplicate::kProbe:
      return Probe(now, id, link);
    case Duplicate::kNone:
      return Answer(now, id, link);
  }
}

// Our part of the handshake after their Hello was found good.
void Node::Answer(Now now, LinkId id, Link& link) {
  link.phase = Link::Phase::kAwaitAccept;
  if (link.dialed) {
    SendAccept(now, id, link);
  } else {
    SendHello(now, id, link);
  }
}

void Node::SendAccept(Now now, LinkId id, Link& link) {
  Accept accept{now.wall_ms, MakeReport(link)};
  // Whole, that both sides judge by the same.
  if (!accept.report.cut_short) accept.report.vector = ForPeer(link, replica_.Whole(membership_));
  accept.report.floor = ForPeer(link, std::make_shared<const VersionVector>(replica_.floor()));
  accept.report.keys = replica_.store().live_keys();
  link.told = OurWord(now);
  accept.report.ceiling_ms = link.told.ceiling_ms;
  accept.report.collected_epoch = replica_.ceiling().collected_epoch();
  effects_.send.push_back({id, std::move(accept)});
}

void Node::OnAccept(Now now, LinkId id, Link& link, const Accept& accept) {
  if (link.phase != Link::Phase::kAwaitAccept)
    return Drop(now, id, absl::StrCat(link.address, ": an Accept out of turn"));
  if (!link.dialed) {
    if (!ClockFits(now, link, accept.wall_ms, link.sent_ms)) {
      return RefuseLink(now, id, link,
                        {kClockMismatch, "the clocks differ by more than the bound; check NTP on both hosts"});
    }
    SendAccept(now, id, link);
  }
  if (OutrunOldSelf(now, id, link, accept.report)) return;
  if (accept.report.floor && !IsCredible(*accept.report.floor)) {
    return RefuseLink(now, id, link, {"PROTOCOL_MISMATCH", "the floor names writes that were never made"});
  }
  if (!AgreeOnCeiling(now, id, link, accept)) return;
  switch (JudgeFloors(link, accept.report)) {
    case Yields::kSelf:
      return Reset(now, accept.report.vector,
                   absl::StrCat(Shown(link.peer.self.node), " collected deletes while this node was away"));
    case Yields::kPeer:
      readiness_.Drop(link.peer.self.node);
      return Drop(now, id,
                  absl::StrCat(Shown(link.peer.self.node), " was away while deletes were collected; it is reset"));
    case Yields::kNobody:
      break;
  }
  Establish(now, id, link, accept.report);
}

// A peer knows this node at a later incarnation than its own (the clock went back between two starts), or at this one
// with writes that this process never made: take one above it before anything else, and meet everybody anew.
bool Node::OutrunOldSelf(Now now, LinkId id, Link& link, const Report& report) {
  constexpr uint64_t kNone = UINT64_MAX;  // nobody comes to it by starting, and there is none above
  uint64_t highest = 0;
  for (const auto& [replica, coverage] : report.vector->runs()) {
    if (replica.node != replica_.self().node || replica.incarnation == kNone) continue;
    const bool mine = replica == replica_.self() && coverage.Top() < replica_.own_log().end();
    if (!mine) highest = std::max(highest, replica.incarnation);
  }
  // It may have been met without ever having written.
  for (const MemberInfo& info : report.peers->members) {
    if (info.id.node == replica_.self().node && info.id > replica_.self() && info.id.incarnation != kNone)
      highest = std::max(highest, info.id.incarnation);
  }
  const uint64_t mark = report.vector->MarkOf(replica_.self().node);
  if (mark > replica_.self().incarnation) highest = std::max(highest, mark - 1);
  if (report.vector->past() != nullptr) {
    for (const auto& [replica, process] : report.vector->past()->known()) {
      const bool mine = replica == replica_.self() && process.prefix < replica_.own_log().end();
      if (replica.node == replica_.self().node && !mine && replica.incarnation != kNone) {
        highest = std::max(highest, replica.incarnation);
      }
    }
  }
  if (highest < replica_.self().incarnation) return false;
  if (!quarantine_.Charge(link.peer.self.node, Cost::kOutrun, now.mono_ms)) {
    CutOff(now, id, link, "again and again it knows later selves of this node");
    return true;
  }
  Log(true, "this node was known at a later incarnation; taking a new one (did the clock go back?)");
  TakeIncarnation(NewIncarnation(now.wall_ms, highest, options_.seed));
  std::vector<LinkId> all;
  for (const auto& [other, state] : links_) all.push_back(other);
  for (const LinkId other : all) Drop(now, other, "");
  return true;
}

void Node::OnRefuse(Now now, LinkId id, Link& link, const Refuse& refuse) {
  if (refuse.reason == kSelf) {
    if (link.dialed) membership_.OnSelf(link.address, now.mono_ms);
    link.settled = true;
  } else if (refuse.reason == kDuplicate) {
    if (link.dialed) membership_.OnAnswered(link.address, refuse.message);
    link.helloed = true;
  } else {
    if (refuse.reason == kClockMismatch && link.helloed) NoteClock(now, link.peer.self.node, false);
    NoteRefusal(now, link, RefusalLog::By::kPeer, refuse);
  }
  Drop(now, id, "");
}

// Tells the peer why, and hangs up.
void Node::RefuseLink(Now now, LinkId id, Link& link, const Refuse& refuse) {
  effects_.send.push_back({id, Refuse{refuse.reason, refuse.message, readiness_.has_full_map()}});
  if (refuse.reason == kClockMismatch) NoteClock(now, link.peer.self.node, false);
  if (refuse.reason != kSelf && refuse.reason != kDuplicate) {
    NoteRefusal(now, link, RefusalLog::By::kSelf, {refuse.reason, refuse.message, link.peer.has_map.value_or(true)});
  }
  Drop(now, id, "");
}

// A handshake ended with this refusal.
void Node::NoteRefusal(Now now, Link& link, RefusalLog::By by, const Refuse& refuse) {
  const std::string who = link.helloed ? link.peer.self.node : link.address;
  if (auto line = refusals_.Note(now.mono_ms, who, link.address, by, refuse)) Log(true, *std::move(line));
  if (link.helloed) readiness_.OnHandshakeRefused(link.peer.self.node);
  if (link.dialed) {
    const std::string node = link.helloed ? link.peer.self.node : "";
    const bool own_name =
        refuse.reason == kDuplicateId && (by == RefusalLog::By::kPeer || node == replica_.self().node);
    const RefusedDial refusal{link.address, node, refuse.reason, refuse.message, refuse.has_map, own_name};
    membership_.OnRefused(refusal, now.mono_ms);
    readiness_.OnRefused(refusal);
    link.settled = true;
  }
}

void Node::Drop(Now now, LinkId id, const std::string& why) {
  effects_.hang_up.push_back({id, why});
  OnClosed(now, id, why);
}

void Node::OnClosed(Now now, LinkId id, const std::string& why) {
  auto it = links_.find(id);
  if (it == links_.end()) return;
  const Link link = std::move(it->second);
  links_.erase(it);
  if (link.dialed && !link.settled) {
    if (link.helloed) {
      membership_.OnLost(link.address, now.mono_ms);
    } else {
      membership_.OnDialFailed(link.address, why.empty() ? "closed the connection without a word" : why, now.mono_ms);
    }
  }
  if (asking_ && asking_->link == id) asking_.reset();
  for (auto& [other_id, other] : links_) {
    if (other.phase == Link::Phase::kProbing && other.probed == id) other.probe_until_ms = now.mono_ms;
  }
  if (link.phase == Link::Phase::kUp) {
    const LinkId other = UpLinkOf(link.peer.self.node);
    const uint64_t other_incarnation = other != 0 ? links_.at(other).peer.self.incarnation : 0;
    if (membership_.LinkDown(link.peer.self.node, other_incarnation, now.mono_ms)) {
      Log(false, absl::StrCat("lost ", link.peer.self.node));
    }
    ++report_change_;
    effects_.changed = true;
  }
  AskForSession(now);
  UpdateReady(now);
}

bool Node::is_up(LinkId link) const {
  const auto it = links_.find(link);
  return it != links_.end() && it->second.phase == Link::Phase::kUp;
}

size_t Node::links_up() const {
  return static_cast<size_t>(std::count_if(links_.begin(), links_.end(),
                                           [](const auto& link) { return link.second.phase == Link::Phase::kUp; }));
}

LinkId Node::UpLinkOf(const std::string& node) const {
  for (const auto& [id, link] : links_) {
    if (link.phase == Link::Phase::kUp && link.peer.self.node == node) return id;
  }
  return 0;
}

void Node::Establish(Now now, LinkId id, Link& link, const Report& report) {
  const std::string node = link.peer.self.node;
  if (!membership_.Meet(link.peer.self, link.peer.advertise, now.mono_ms)) {
    return RefuseLink(now, id, link, {"MEMBER_LIMIT", NoRoomText()});
  }
  const LinkId first = UpLinkOf(node);
  const bool stays = link.dialed == (replica_.self().node < node);
  if (first != 0 && links_.at(first).peer.self == link.peer.self && !stays) {
    return RefuseLink(now, id, link, {kDuplicate, replica_.self().node});
  }
  // Up before the first one goes: the member stays linked meanwhile, and readiness waits for its report still.
  link.phase = Link::Phase::kUp;
  readiness_.OnLinked(link.peer.self, report.vector, report.whole, report.keys);
  if (link.shunned) readiness_.Drop(node);  // its map is not waited for
  if (report.floor) link.peer_floor = *report.floor;
  if (first != 0) Drop(now, first, "");
  link.ping_ms = link.reported_ms = now.mono_ms;
  link.reported_change = report_change();
  const bool news = membership_.LinkUp(link.peer.self, now);
  membership_.Moved(node, link.peer.advertise, now.mono_ms);
  refusals_.Forget(node);
  refusals_.Forget(link.address);
  if (news) Log(false, absl::StrCat("linked with ", node, " (", link.peer.advertise, ")"));

  const auto theirs = report.vector->runs().find(replica_.self());
  const uint64_t known = theirs == report.vector->runs().end() ? 0 : theirs->second.prefix;
  link.live_next = std::max(replica_.own_log().first(), known + 1);
  link.live_new = replica_.own_log().end();
  link.fetch_now = !replica_.vector().Covers(*report.vector);
  ++report_change_;
  if (link.clock_agrees) NoteClock(now, node, true);  // who was a stranger in the handshake had no say yet
  OnReport(now, id, link, report);
  effects_.pull = true;
  effects_.changed = true;
  AskForSession(now);
  UpdateReady(now);
}

}  // namespace leasemap::core
