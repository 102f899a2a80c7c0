// What comes on a link, and how it ends. (The handshake: node_handshake.h. What keeps a link alive: node_alive.cc.)
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/refusals.h"
#include "peer/core/mesh/handshake.h"
#include "peer/core/mesh/named_vector.h"
#include "peer/core/node/node_ceiling.h"
#include "peer/core/node/node_handshake.h"

namespace leasemap::core {

void Node::OnDialed(Now now, LinkId id, const std::string& address, const std::string& local) {
  membership_.OnLocal(local, now.mono);
  Handshake(*this, now, id, links_.Open(id, Link(now.mono, true, address, local))).SendHello();
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
  const auto goes = links_.RoomFor(remote);
  if (!goes) {
    effects_.hang_up.push_back({id, ""});
    return;
  }
  if (*goes != LinkId::kNone) Drop(now, *goes, "");
  links_.Open(id, Link(now.mono, false, remote, local));
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
  Handshake shake(*this, now, id, link);
  if (auto* hello = std::get_if<Hello>(&message)) {
    shake.OnHello(std::move(*hello));
  } else if (auto* accept = std::get_if<Accept>(&message)) {
    shake.OnAccept(*accept);
  } else if (auto* refuse = std::get_if<Refuse>(&message)) {
    shake.OnRefuse(*refuse);
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
      shake.TurnAway(ClocksDiffer());
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
    Send(id, ReplyTo(*query, replica_.store(), SharedVector(replica_, membership_)));
  } else if (auto* reply = std::get_if<QueryReply>(&message)) {
    calls_.explains.OnReply(id, *reply);
  }
  if (links_.TakeCeilingNote()) Ceilings(*this, now).Check();
  SettleWaits(now);
}

void Node::OnUnproven(Now now, LinkId id, const std::string& why) {
  if (Link* link = links_.Find(id)) Handshake(*this, now, id, *link).Fail(why);
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

}  // namespace leasemap::core
