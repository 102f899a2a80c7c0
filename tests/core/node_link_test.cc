// How a node meets another and what it answers, message by message.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/refusals.h"
#include "peer/core/mesh/handshake.h"
#include "tests/core/node_alone.h"

namespace leasemap::core {
namespace {

using Names = std::vector<std::string>;
constexpr LinkId kA{1}, kB{2};

// --- the handshake

TEST_F(NodeAlone, BothSidesSayWhoTheyAre) {
  node_.OnDialed(now_, kA, "a:1", "local:7");
  Take();
  ASSERT_EQ(Sent<Hello>(kA).size(), 1u);
  const Hello hello = Sent<Hello>(kA)[0];
  EXPECT_EQ(hello.self, node_.self());
  EXPECT_EQ(hello.cluster, "leasemap");
  EXPECT_EQ(hello.period_ms, LeaseRules().period_ms);
  EXPECT_TRUE(hello.leasing);
  EXPECT_EQ(hello.wall_ms, now_.wall_ms);
  EXPECT_EQ(hello.advertise, "m:1");
  EXPECT_EQ(hello.has_map, true);
  EXPECT_EQ(hello.protocol_min, kProtocolMin);
  EXPECT_EQ(hello.protocol_max, kProtocolMax);
  NodeOptions options = Options();
  options.advertise.clear();
  options.min_members = 2;
  Node other(options, now_);
  other.OnDialed(now_, kA, "a:1", "local:7");
  const Effects effects = other.Take();
  EXPECT_EQ(std::get<Hello>(effects.send[0].message).advertise, "local:7");
  EXPECT_EQ(std::get<Hello>(effects.send[0].message).has_map, false);
}

TEST_F(NodeAlone, AnAcceptTellsAllOfTheMap) {
  Write(Command("k1"));
  Write(Command("k2"));
  Write(Command("k2", Change::kDelete));
  node_.OnAccepted(now_, kA, "m:1", "a:9");
  Deliver(kA, HelloOf("a"));
  EXPECT_EQ(Sent<Hello>(kA).size(), 1u);
  EXPECT_TRUE(Sent<Accept>(kA).empty());
  Deliver(kA, Accept{now_.wall_ms, ReportOf({})});
  ASSERT_EQ(Sent<Accept>(kA).size(), 1u);
  const Accept accept = Sent<Accept>(kA)[0];
  EXPECT_EQ(accept.wall_ms, now_.wall_ms);
  EXPECT_EQ(*accept.report.vector, node_.vector());
  EXPECT_EQ(*accept.report.floor, node_.replica().floor());
  EXPECT_EQ(accept.report.keys, 1u);
  EXPECT_TRUE(accept.report.whole && accept.report.holds_map);
  EXPECT_EQ(accept.report.ceiling_ms, 0);
  EXPECT_EQ(accept.report.collected_epoch, 0u);
  EXPECT_EQ(Logged(), Names{"linked with a (a:1)"});
  EXPECT_TRUE(effects_.changed && effects_.pull);
  // What was written before it came goes to it.
  EXPECT_EQ(node_.LinksToPull(), std::vector<LinkId>{kA});
  const auto live = node_.Pull(now_, kA);
  ASSERT_TRUE(live.has_value());
  EXPECT_EQ(std::get<Live>(*live).entries.size(), 2u);  // the key's present entries
  EXPECT_TRUE(node_.LinksToPull().empty());
  EXPECT_EQ(node_.Pull(now_, kB), std::nullopt);
}

TEST_F(NodeAlone, WhatWasSentBeforeIsNotSentAgain) {
  Write(Command("k1"));
  Write(Command("k2"));
  VersionVector known;
  known.Add(node_.self(), 1, 1);
  const LinkId a = Link("a", ReportOf(known));
  const auto live = node_.Pull(now_, a);
  ASSERT_TRUE(live.has_value());
  ASSERT_EQ(std::get<Live>(*live).entries.size(), 1u);
  EXPECT_EQ(std::get<Live>(*live).entries[0]->key, "k2");
}

TEST_F(NodeAlone, ADialersAnswerIsItsAccept) {
  node_.OnDialed(now_, kA, "a:1", "m:7");
  Take();
  Deliver(kA, HelloOf("a"));
  EXPECT_EQ(Sent<Accept>(kA).size(), 1u);
  EXPECT_FALSE(Linked(kA));
  Deliver(kA, Accept{now_.wall_ms, ReportOf({})});
  EXPECT_TRUE(Linked(kA));
  EXPECT_TRUE(Sent<Accept>(kA).empty());
}

TEST_F(NodeAlone, WhatComesOutOfTurnIsHungUpOn) {
  const auto after = [&](const Message& message, bool hello) {
    node_.OnAccepted(now_, kA, "m:1", "a:9");
    if (hello) Deliver(kA, HelloOf("a"));
    Deliver(kA, message);
    EXPECT_FALSE(node_.links().contains(kA));
    return HungUp(kA);
  };
  EXPECT_EQ(after(HelloOf("a"), true), "a:9: a second Hello");
  EXPECT_EQ(after(Accept{now_.wall_ms, ReportOf({})}, false), "a:9: an Accept out of turn");
  EXPECT_EQ(after(Live{}, true), "a:9: a message before the handshake was done");
  EXPECT_EQ(after(Ping{7}, false), "a:9: a message before the handshake was done");
  // A heartbeat may overtake the Accept.
  node_.OnAccepted(now_, kA, "m:1", "a:9");
  Deliver(kA, HelloOf("a"));
  Deliver(kA, Ping{7});
  ASSERT_EQ(Sent<Pong>(kA).size(), 1u);
  EXPECT_EQ(Sent<Pong>(kA)[0].token, 7u);
  EXPECT_EQ(Sent<Pong>(kA)[0].wall_ms, now_.wall_ms);
  EXPECT_EQ(HungUp(kA), "no");
}

TEST_F(NodeAlone, AnIdleStrangerMakesRoomAndElseTheNewcomerGoes) {
  const auto accept = [&](uint64_t n) { node_.OnAccepted(now_, LinkId{n}, "m:1", "x:9"); };
  const auto say_hello = [&](uint64_t n) { node_.OnMessage(now_, LinkId{n}, HelloOf(absl::StrCat("n", n))); };
  accept(1);  // and it says nothing
  uint64_t id = 2;
  for (; node_.links().size() < kMaxLinks; ++id) accept(id), say_hello(id);
  Take();
  accept(id);
  Take();
  EXPECT_EQ(HungUp(LinkId{1}), "");
  EXPECT_FALSE(node_.links().contains(LinkId{1}));
  EXPECT_TRUE(node_.links().contains(LinkId{id}));
  say_hello(id);
  ASSERT_EQ(node_.links().size(), kMaxLinks);
  Take();
  accept(id + 1);
  Take();
  EXPECT_EQ(HungUp(LinkId{id + 1}), "");
  EXPECT_EQ(node_.links().size(), kMaxLinks);
  EXPECT_FALSE(node_.links().contains(LinkId{id + 1}));
}

TEST_F(NodeAlone, StrangersOfOneAddressMakeRoomForOneAnother) {
  for (uint64_t n = 1; n <= kMaxStrangersOfOne + 1; ++n) node_.OnAccepted(now_, LinkId{n}, "m:1", "x:9");
  Take();
  EXPECT_EQ(node_.links().size(), kMaxStrangersOfOne);
  EXPECT_EQ(HungUp(LinkId{1}), "");
  EXPECT_TRUE(node_.links().contains(LinkId{2}));
}

TEST_F(NodeAlone, ARefusalIsLoggedAndNamedAndTheDialRepeatedLater) {
  node_.SetSeeds({"a:1"});
  Tick();
  EXPECT_EQ(effects_.resolve, Names{"a:1"});
  node_.OnResolved(now_, "a:1", {"a:1"});
  Take();
  EXPECT_EQ(effects_.dial, Names{"a:1"});
  node_.OnDialed(now_, kA, "a:1", "m:7");
  Take();
  Deliver(kA, Refuse{"REASON", "why", true});
  EXPECT_EQ(Logged(), Names{"refused by a:1 (a:1): REASON: why"});
  EXPECT_EQ(HungUp(kA), "");
  EXPECT_EQ(node_.GetStatus().unlinked_seeds[0].cause, "REASON: why");
  EXPECT_EQ(node_.GetUsage().refusals, 1u);
  // A connection that is closed without a word is a failure of that dial.
  node_.OnDialed(now_, kB, "a:1", "m:7");
  node_.OnClosed(now_, kB);
  EXPECT_EQ(node_.GetStatus().unlinked_seeds[0].cause, "closed the connection without a word");
  node_.OnDialed(now_, kB, "a:1", "m:7");
  node_.OnClosed(now_, kB, "broken pipe");
  EXPECT_EQ(node_.GetStatus().unlinked_seeds[0].cause, "broken pipe");
  node_.OnDialFailed(now_, "a:1", "timed out");
  EXPECT_EQ(node_.GetStatus().unlinked_seeds[0].cause, "timed out");
  // Once it is linked the log forgets that it was refused.
  Link("a");
  EXPECT_EQ(node_.GetUsage().refusals, 1u);  // under the name of its address
  node_.OnDialed(now_, kB, "a:1", "m:7");
  node_.OnMessage(now_, kB, HelloOf("a", 2));
  Deliver(kB, Accept{now_.wall_ms, ReportOf({})});
  EXPECT_EQ(node_.GetUsage().refusals, 0u);
}

TEST_F(NodeAlone, AnAddressThatLeadsBackIsNoMember) {
  node_.SetSeeds({"x:1"});
  Tick();
  node_.OnResolved(now_, "x:1", {"x:1"});
  node_.OnDialed(now_, kA, "x:1", "m:7");
  Take();
  Deliver(kA, Refuse{kSelfReason, ""});
  EXPECT_TRUE(node_.GetStatus().unlinked_seeds.empty());
  EXPECT_TRUE(Logged().empty());
  // One that has another link already is known by what it says.
  node_.OnDialed(now_, kB, "x:1", "m:7");
  Take();
  Deliver(kB, Refuse{kDuplicateReason, "a"});
  EXPECT_TRUE(Logged().empty());
  EXPECT_EQ(node_.GetStatus().unlinked_seeds.size(), 1u);  // "a" is not linked
  Link("a");
  EXPECT_TRUE(node_.GetStatus().unlinked_seeds.empty());
}

TEST_F(NodeAlone, BeyondTheBoundAMemberIsRefusedWithAWord) {
  for (size_t n = 0; n < kMaxMembers; ++n) node_.OnMessage(now_, Link(absl::StrCat("n", n)), Ping{1});
  node_.OnAccepted(now_, kA, "m:1", "new:9");
  Deliver(kA, HelloOf("new"));
  Deliver(kA, Accept{now_.wall_ms, ReportOf({})});
  ASSERT_EQ(Sent<Refuse>(kA).size(), 1u);
  EXPECT_EQ(Sent<Refuse>(kA)[0].reason, "MEMBER_LIMIT");
  EXPECT_EQ(node_.GetStatus().members.size(), kMaxMembers);
}

// --- clocks

TEST_F(NodeAlone, AHandshakeComparesTheClocksOverItsRoundTrip) {
  const int64_t bound = LeaseRules().clock_bound_ms;
  const auto shake = [&](int64_t ahead_ms, int64_t round_trip_ms) {
    node_.OnClosed(now_, kA);
    node_.OnAccepted(now_, kA, "m:1", "a:9");
    node_.OnMessage(now_, kA, HelloOf("a"));
    Later(round_trip_ms);
    Deliver(kA, Accept{now_.wall_ms - round_trip_ms / 2 + ahead_ms, ReportOf({})});
    if (!Linked(kA)) {
      EXPECT_EQ(Sent<Refuse>(kA).size(), 1u);
      EXPECT_EQ(Sent<Refuse>(kA)[0].reason, ClocksDiffer().reason);
      return std::string("refused");
    }
    return std::string(node_.links().at(kA).clock_agrees() ? "agrees" : "unknown");
  };
  EXPECT_EQ(shake(0, 0), "agrees");
  EXPECT_EQ(node_.GetStatus().members[0].offset_ms, 0);
  EXPECT_EQ(shake(bound, 0), "agrees");
  EXPECT_EQ(node_.GetStatus().members[0].offset_ms, bound);
  EXPECT_EQ(shake(-bound, 0), "agrees");
  EXPECT_EQ(shake(bound + 1, 0), "refused");
  EXPECT_EQ(shake(-bound - 1, 0), "refused");
  EXPECT_EQ(shake(bound + 100, 200), "agrees");
  EXPECT_EQ(shake(bound + 101, 200), "refused");
  EXPECT_EQ(shake(0, 2 * bound), "agrees");
  EXPECT_EQ(shake(0, 2 * bound + 2), "unknown");  // over a slow link anything fits
}

TEST_F(NodeAlone, ADialerComparesTheClocksBeforeItAnswers) {
  const int64_t bound = LeaseRules().clock_bound_ms;
  const auto dial = [&](int64_t ahead_ms) {
    node_.OnClosed(now_, kA);
    node_.OnDialed(now_, kA, "a:1", "m:7");
    Later(200);
    Hello hello = HelloOf("a");
    hello.wall_ms = now_.wall_ms - 100 + ahead_ms;
    Deliver(kA, hello);
    return Sent<Accept>(kA).size() == 1u;
  };
  EXPECT_TRUE(dial(bound + 100));
  EXPECT_FALSE(dial(bound + 101));
  ASSERT_EQ(Sent<Refuse>(kA).size(), 1u);
  EXPECT_EQ(Sent<Refuse>(kA)[0].reason, ClocksDiffer().reason);
  EXPECT_TRUE(dial(-bound - 100));
  EXPECT_FALSE(dial(-bound - 101));
}

TEST_F(NodeAlone, APongIsMeasuredFromItsPing) {
  const LinkId a = Link("a");
  Later(LeaseRules().clock_bound_ms);
  Tick();
  ASSERT_EQ(Sent<Ping>(a).size(), 0u);
  Later(600);
  Tick();
  ASSERT_EQ(Sent<Ping>(a).size(), 1u);
  const uint64_t token = Sent<Ping>(a)[0].token;
  EXPECT_EQ(token, static_cast<uint64_t>(now_.mono.ms()));
  Later(100);
  Deliver(a, Pong{token, now_.wall_ms - 50 + 7});
  EXPECT_EQ(node_.GetStatus().members[0].offset_ms, 7);
  EXPECT_TRUE(Linked(a));
  Deliver(a, Pong{token, now_.wall_ms + 500});
  EXPECT_TRUE(Linked(a));  // 550 ahead, of which the round trip may be 50
  Deliver(a, Pong{token, now_.wall_ms + 501});
  EXPECT_FALSE(Linked(a));
  ASSERT_EQ(Sent<Refuse>(a).size(), 1u);
  EXPECT_EQ(Sent<Refuse>(a)[0].reason, ClocksDiffer().reason);
}

// --- what comes on a link

TEST_F(NodeAlone, WhoWaitsForAnAckIsReportedToAtOnce) {
  const LinkId a = Link("a");
  Later(1);
  Deliver(a, Live{{EntryOf("k", {"a", 1}, 1)}, false});
  EXPECT_TRUE(Sent<Report>(a).empty());
  Deliver(a, Live{{}, true});
  ASSERT_EQ(Sent<Report>(a).size(), 1u);
  EXPECT_TRUE(Sent<Report>(a)[0].vector->Covers(Dot{{"a", 1}, 1}));
  Deliver(a, Live{{}, true});
  EXPECT_TRUE(Sent<Report>(a).empty());  // it knows
}

TEST_F(NodeAlone, ASessionIsServedToItsEnd) {
  Write(Command("k1"));
  Write(Command("k2"));
  VersionVector known;
  known.Add(node_.self(), 1, 2);
  const LinkId a = Link("a", ReportOf(known));
  EXPECT_TRUE(node_.LinksToPull().empty());
  Deliver(a, SessionRequest{5, std::make_shared<const VersionVector>()});
  EXPECT_TRUE(effects_.pull);
  EXPECT_EQ(node_.LinksToPull(), std::vector<LinkId>{a});
  const auto entries = node_.Pull(now_, a), end = node_.Pull(now_, a);
  ASSERT_TRUE(entries && end);
  EXPECT_EQ(std::get<SessionEntries>(*entries).session, 5u);
  EXPECT_EQ(std::get<SessionEntries>(*entries).entries.size(), 2u);
  EXPECT_EQ(std::get<SessionEnd>(*end).session, 5u);
  EXPECT_EQ(*std::get<SessionEnd>(*end).vector, node_.vector());
  EXPECT_EQ(node_.Pull(now_, a), std::nullopt);
}

TEST_F(NodeAlone, WhatAHandshakeClaimsIsAskedForAtOnceAndALaterClaimAfterASecond) {
  const LinkId a = Link("a", ReportOf(Covering(1)));
  ASSERT_EQ(Sent<SessionRequest>(a).size(), 1u);
  const uint64_t session = Sent<SessionRequest>(a)[0].session;
  Deliver(a, SessionEnd{session, std::make_shared<const VersionVector>(Covering(1))});
  EXPECT_EQ(node_.vector(), Covering(1));
  Deliver(a, ReportOf(Covering(2)));
  EXPECT_TRUE(effects_.changed);
  EXPECT_TRUE(Sent<SessionRequest>(a).empty());
  Later(Timing().lack - 1);
  Deliver(a, ReportOf(Covering(2)));
  EXPECT_FALSE(effects_.changed);
  EXPECT_TRUE(Sent<SessionRequest>(a).empty());
  Later(1);
  Deliver(a, ReportOf(Covering(2)));
  EXPECT_EQ(Sent<SessionRequest>(a).size(), 1u);
  // If that link goes another is asked at once.
  const LinkId b = Link("b", ReportOf(Covering(2)));
  EXPECT_TRUE(Sent<SessionRequest>(b).empty());
  node_.OnClosed(now_, a);
  Take();
  EXPECT_EQ(Logged(), Names{"lost a"});
  EXPECT_TRUE(effects_.changed);
  EXPECT_EQ(Sent<SessionRequest>(b).size(), 1u);
}

TEST_F(NodeAlone, AnEntryWithoutItsValueIsAskedForAtOnce) {
  const LinkId a = Link("a");
  auto renewal = std::make_shared<Entry>(*EntryOf("k", {"a", 1}, 2));
  renewal->value_dot = {{"a", 1}, 1};
  renewal->value_left_out = true;
  Deliver(a, Live{{renewal, EntryOf("k2", {"a", 1}, 3)}, false});
  EXPECT_EQ(Sent<SessionRequest>(a).size(), 1u);
  EXPECT_EQ(node_.Get(now_, "k"), nullptr);
  EXPECT_NE(node_.Get(now_, "k2"), nullptr);  // those after it are taken
}

// What comes beside a session does not spoil it.
TEST_F(NodeAlone, ALiveEntryThatIsLeftOutIsNotOfTheSession) {
  const LinkId a = Link("a", ReportOf(Covering(1)));
  ASSERT_EQ(Sent<SessionRequest>(a).size(), 1u);
  const uint64_t session = Sent<SessionRequest>(a)[0].session;
  auto renewal = std::make_shared<Entry>(*EntryOf("k", {"a", 1}, 2));
  renewal->value_dot = {{"a", 1}, 1};
  renewal->value_left_out = true;
  Deliver(a, Live{{renewal}, false});
  Deliver(a, SessionEnd{session, std::make_shared<const VersionVector>(Covering(1))});
  EXPECT_EQ(node_.vector(), Covering(1));
  // In a session it does.
  Later(Timing().lack);
  Deliver(a, ReportOf(Covering(2)));
  ASSERT_EQ(Sent<SessionRequest>(a).size(), 1u);
  const uint64_t second = Sent<SessionRequest>(a)[0].session;
  Deliver(a, SessionEntries{second, {renewal}});
  Deliver(a, SessionEnd{second, std::make_shared<const VersionVector>(Covering(2))});
  EXPECT_EQ(node_.vector(), Covering(1));
}

TEST_F(NodeAlone, BroadcastsGoToWhomTheyAreFor) {
  const LinkId a = Link("a"), b = Link("b");
  node_.OnAccepted(now_, kA, "m:1", "c:9");  // it has not shaken hands
  EXPECT_EQ(*node_.SendBroadcast(now_, "", "x"), 2);
  Take();
  ASSERT_EQ(Sent<Broadcast>(a).size(), 1u);
  EXPECT_EQ(Sent<Broadcast>(a)[0].payload, "x");
  EXPECT_EQ(*node_.SendBroadcast(now_, "b", "y"), 1);
  Take();
  EXPECT_TRUE(Sent<Broadcast>(a).empty());
  EXPECT_EQ(Sent<Broadcast>(b).size(), 1u);
  EXPECT_EQ(*node_.SendBroadcast(now_, "m", "y"), 0);
  EXPECT_THAT(node_.SendBroadcast(now_, "nobody", "y"), HasReason("REQUEST_INVALID"));
  EXPECT_THAT(node_.SendBroadcast(now_, "", std::string(kMaxBroadcastBytes, 'x')), IsOk());
  EXPECT_THAT(node_.SendBroadcast(now_, "", std::string(kMaxBroadcastBytes + 1, 'x')), HasReason("REQUEST_INVALID"));
  Deliver(a, Broadcast{"hello"});
  ASSERT_EQ(effects_.heard.size(), 1u);
  EXPECT_EQ(effects_.heard[0].from_node, "a");
  EXPECT_EQ(effects_.heard[0].payload, "hello");
}

TEST_F(NodeAlone, AQueryIsAnsweredWithTheEntryWithoutItsValue) {
  const EntryPtr written = Write(Command("k"));
  const LinkId a = Link("a");
  Deliver(a, Query{9, "k"});
  ASSERT_EQ(Sent<QueryReply>(a).size(), 1u);
  const QueryReply reply = Sent<QueryReply>(a)[0];
  EXPECT_EQ(reply.token, 9u);
  EXPECT_EQ(reply.entry->dot, written->dot);
  EXPECT_TRUE(reply.entry->value.empty());
  EXPECT_EQ(*reply.vector, node_.vector());
  Deliver(a, Query{10, "none"});
  EXPECT_EQ(Sent<QueryReply>(a)[0].entry, nullptr);
  // Of very many gaps it names some.
  std::vector<EntryPtr> many;
  for (uint64_t n = 1; n <= kReportExceptions + 1; ++n) many.push_back(EntryOf("many", {"a", 1}, 2 * n));
  Deliver(a, Live{many, false});
  ASSERT_EQ(node_.vector().exceptions(), kReportExceptions + 1);
  Deliver(a, Query{11, "none"});
  EXPECT_EQ(Sent<QueryReply>(a)[0].vector->exceptions(), kReportExceptions);
}

TEST_F(NodeAlone, AnExplainEndsWhenAllHaveAnsweredOrAreGone) {
  Write(Command("k"));
  const LinkId a = Link("a", ReportOf(node_.vector())), b = Link("b");
  const auto wait = node_.Explain(now_, "k", 1000);
  ASSERT_THAT(wait, IsOk());
  Take();
  ASSERT_EQ(Sent<Query>(a).size(), 1u);
  EXPECT_EQ(Sent<Query>(a)[0].key, "k");
  EXPECT_EQ(node_.NextDue(now_), std::min(node_.NextDue(now_), now_.mono + 900));
  Deliver(a, QueryReply{Sent<Query>(a)[0].token, EntryOf("k", {"a", 1}, 1)});
  EXPECT_TRUE(effects_.answered.empty());
  Deliver(a, QueryReply{*wait, nullptr});  // a second answer counts for nothing
  EXPECT_TRUE(effects_.answered.empty());
  node_.OnClosed(now_, b);
  Tick();
  ASSERT_EQ(effects_.answered.size(), 1u);
  EXPECT_EQ(effects_.answered[0].wait, *wait);
  const auto& views = effects_.answered[0].explanation->views;
  ASSERT_EQ(views.size(), 3u);
  EXPECT_EQ(views[0].member, node_.self());
  EXPECT_TRUE(views[0].asked && views[0].answered && views[0].lag_known);
  EXPECT_EQ(views[0].entry->key, "k");
  EXPECT_TRUE(views[1].asked && views[1].answered && views[1].lag_known);
  EXPECT_EQ(views[1].lag, 1u);  // the vector of its answer is empty
  EXPECT_EQ(views[1].entry->dot.replica.node, "a");
  EXPECT_TRUE(views[2].asked && views[2].lag_known);
  EXPECT_FALSE(views[2].answered);
  EXPECT_EQ(views[2].lag, 1u);
  const auto late = node_.Explain(now_, "k", 1000);
  Take();
  Later(899);
  Tick();
  EXPECT_TRUE(effects_.answered.empty());
  Later(1);
  Tick();
  EXPECT_EQ(effects_.answered.size(), 1u);
}

}  // namespace
}  // namespace leasemap::core
