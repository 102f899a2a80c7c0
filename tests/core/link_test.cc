// How nodes meet: refusals and their reasons on both sides, second links, readiness, and meeting oneself.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

void ExpectRefused(const NodeOptions& one, const NodeOptions& other, const std::string& reason, int64_t offset_ms = 0) {
  Mesh mesh;
  const int a = mesh.Add(one), b = mesh.Add(other, offset_ms);
  const LinkId link = mesh.Connect(a, b);
  EXPECT_FALSE(mesh.alive(link)) << reason;
  EXPECT_TRUE(mesh.Logged(a, reason)) << reason;
  EXPECT_TRUE(mesh.Logged(b, reason)) << reason;
  EXPECT_TRUE(mesh[a].GetStatus().members.empty());
  // Once for as long as it stays the same.
  const size_t lines = mesh.peer(a).log.size();
  mesh.Connect(a, b);
  EXPECT_EQ(mesh.peer(a).log.size(), lines);
}

TEST(Handshake, RefusesWithAReasonOnBothSides) {
  const NodeOptions plain = Mesh::Options("a");
  NodeOptions cluster = Mesh::Options("b"), off = cluster, period = cluster;
  cluster.cluster = "other";
  ExpectRefused(plain, cluster, "CLUSTER_MISMATCH");
  off.rules.leasing = false;
  ExpectRefused(plain, off, "LEASING_MISMATCH");
  period.rules.period_ms = 60'000;
  ExpectRefused(plain, period, "LEASING_MISMATCH");
  NodeOptions same = Mesh::Options("a");
  same.seed = 99;
  ExpectRefused(plain, same, "DUPLICATE_NODE_ID");
  ExpectRefused(plain, Mesh::Options("b"), "CLOCK_MISMATCH", 501);
  ExpectRefused(plain, Mesh::Options("b"), "CLOCK_MISMATCH", -501);
}

TEST(Handshake, AcceptsWhatDoesNotMatter) {
  NodeOptions one = Mesh::Options("a"), other = Mesh::Options("b");
  one.rules.leasing = other.rules.leasing = false;
  other.rules.period_ms = 60'000;
  Mesh mesh;
  const int a = mesh.Add(one), b = mesh.Add(other, 500);
  EXPECT_TRUE(mesh.alive(mesh.Connect(a, b)));
  mesh.Advance(1100);  // a heartbeat
  ASSERT_EQ(mesh[a].GetStatus().members.size(), 1u);
  EXPECT_EQ(mesh[a].GetStatus().members[0].offset_ms, 500);
  EXPECT_EQ(mesh[b].GetStatus().members[0].offset_ms, -500);
}

std::optional<Refuse> AnswerTo(const Hello& hello) {
  Node node(Mesh::Options("a"), {MonoTime(1000), Mesh::kStart});
  node.OnAccepted({MonoTime(1000), Mesh::kStart}, LinkId{1}, "a:1", "b:2");
  node.OnMessage({MonoTime(1001), Mesh::kStart + 1}, LinkId{1}, hello);
  for (auto& send : node.Take().send) {
    if (auto* refuse = std::get_if<Refuse>(&send.message)) return *refuse;
  }
  return std::nullopt;
}

TEST(Handshake, ProtocolRangesMustMeet) {
  Hello hello;
  hello.cluster = "leasemap";
  hello.period_ms = 3'600'000;
  hello.self = {"b", 5};
  hello.wall_ms = Mesh::kStart;
  EXPECT_FALSE(AnswerTo(hello));
  hello.protocol_max = kProtocolMax + 1;
  EXPECT_FALSE(AnswerTo(hello));
  hello.protocol_min = kProtocolMax + 1;
  EXPECT_EQ(AnswerTo(hello)->reason, "PROTOCOL_MISMATCH");
  hello.protocol_min = hello.protocol_max = 0;
  EXPECT_EQ(AnswerTo(hello)->reason, "PROTOCOL_MISMATCH");
  hello.protocol_min = hello.protocol_max = kProtocolMax;
  for (const std::string& bad : {std::string(), std::string(256, 'n'), std::string("a\nb")}) {
    hello.self.node = bad;
    EXPECT_TRUE(AnswerTo(hello)) << bad;
  }
}

TEST(Handshake, ACertificateIsThatOfTheNodeWhichShowsIt) {
  Hello hello;
  hello.cluster = "leasemap";
  hello.period_ms = 3'600'000;
  hello.self = {"b", 5};
  hello.wall_ms = Mesh::kStart;
  hello.certified = Certified{"b", true};
  EXPECT_FALSE(AnswerTo(hello));
  hello.certified = Certified{"c", true};
  ASSERT_TRUE(AnswerTo(hello));
  EXPECT_EQ(AnswerTo(hello)->reason, "CERTIFICATE_MISMATCH");
  EXPECT_EQ(AnswerTo(hello)->message, "b shows the certificate of node c; give it one of its own (leasemap tls node)");
  hello.certified = Certified{"b", false};
  ASSERT_TRUE(AnswerTo(hello));
  EXPECT_EQ(AnswerTo(hello)->message,
            "b shows the certificate of client b; give it one of its own (leasemap tls node)");
}

// It is logged once for each machine, and the status of the dialler says it.
TEST(Handshake, TlsThatFailsIsLogged) {
  Node node(Mesh::Options("a"), {MonoTime(1000), Mesh::kStart});
  const Now now{MonoTime(1001), Mesh::kStart + 1};
  std::vector<std::string> lines;
  const auto fail = [&](LinkId link) {
    node.OnUnproven(now, link, "bad certificate");
    Effects effects = node.Take();
    for (const auto& line : effects.log) lines.push_back(line.text);
    return effects.hang_up.size();
  };
  node.Take();
  node.OnAccepted(now, LinkId{1}, "a:1", "b:2");
  EXPECT_EQ(fail(LinkId{1}), 1u);
  node.OnAccepted(now, LinkId{2}, "a:1", "b:3");
  EXPECT_EQ(fail(LinkId{2}), 1u);
  EXPECT_EQ(lines, std::vector<std::string>{"refusing b (b:2): TLS_FAILED: bad certificate"});
  node.OnDialed(now, LinkId{3}, "c:7401", "a:1");
  EXPECT_EQ(fail(LinkId{3}), 1u);
  EXPECT_EQ(lines.back(), "refusing c:7401 (c:7401): TLS_FAILED: bad certificate");
  EXPECT_EQ(fail(LinkId{3}), 0u);  // it is gone
}

TEST(Handshake, OutOfTurnIsHungUpOn) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  LinkId link = mesh.Dial(a, b);
  mesh[b].OnMessage(mesh.now(b), Next(link), Live{});
  mesh.Settle();
  EXPECT_FALSE(mesh.alive(link));
  link = mesh.Dial(a, b);
  mesh[b].OnMessage(mesh.now(b), Next(link), Accept{});
  mesh.Settle();
  EXPECT_FALSE(mesh.alive(link));
  link = mesh.Dial(a, b);
  mesh.Freeze(link);
  mesh.Advance(kHandshakeMs + 20);
  EXPECT_FALSE(mesh.alive(link));
}

TEST(Handshake, MyselfIsHungUpOnSilently) {
  Mesh mesh;
  const int a = mesh.Add("a");
  const LinkId link = mesh.Connect(a, a);
  EXPECT_FALSE(mesh.alive(link));
  EXPECT_FALSE(mesh.Logged(a, "refus"));
}

TEST(Links, ASilentOneEndsAfterThreeSeconds) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  mesh.Advance(10'000);
  EXPECT_TRUE(mesh.alive(link));
  mesh.Freeze(link);
  mesh.Advance(kSilentMs - 100);
  EXPECT_TRUE(mesh[a].GetStatus().members[0].linked);
  mesh.Advance(1100);
  EXPECT_FALSE(mesh[a].GetStatus().members[0].linked);
}

TEST(Links, AClockThatLeavesTheBoundClosesThem) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  mesh.peer(b).offset_ms = 800;
  mesh.Advance(1200);
  EXPECT_FALSE(mesh.alive(link));
  EXPECT_TRUE(mesh.Logged(a, "CLOCK_MISMATCH"));
}

TEST(Links, OfTwoThatCrossTheOneDialledByTheSmallerStays) {
  for (const bool smaller_first : {true, false}) {
    Mesh mesh;
    const int a = mesh.Add("a"), b = mesh.Add("b");
    const LinkId first = smaller_first ? mesh.Dial(a, b) : mesh.Dial(b, a);
    const LinkId second = smaller_first ? mesh.Dial(b, a) : mesh.Dial(a, b);
    mesh.Settle();
    mesh.Advance(1500);
    EXPECT_EQ(mesh.alive(first), smaller_first);
    EXPECT_EQ(mesh.alive(second), !smaller_first);
    EXPECT_FALSE(mesh.Logged(a, "DUPLICATE"));
    EXPECT_FALSE(mesh.Logged(b, "lost"));
    ASSERT_THAT(mesh.Set(a, "k", "v"), IsOk());
    mesh.Settle();
    EXPECT_EQ(mesh.Value(b, "k"), "v");
  }
}

// Another process of the name b, at an address of its own if one is given.
NodeOptions AnotherB(const std::string& address = "b:1") {
  NodeOptions options = Mesh::Options("b");
  options.seed = 77;
  options.advertise = address;
  return options;
}

TEST(Names, ASuccessorAtTheSameAddressTakesItsPlaceAtOnce) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  mesh.Freeze(mesh.Connect(a, b));  // its machine lost its power: nobody was told
  mesh.Skip(5);
  const int restarted = mesh.Add(AnotherB());
  const LinkId second = mesh.Connect(restarted, a);
  EXPECT_TRUE(mesh.alive(second));
  ASSERT_EQ(mesh[a].GetStatus().members.size(), 1u);
  EXPECT_EQ(mesh[a].GetStatus().members[0].id, mesh[restarted].self());
}

// The clock went back between two starts: which of the two is the later can't be told by their incarnations.
TEST(Names, AnEarlierIncarnationAtTheSameAddressWaitsForTheFirstToBeSilent) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId first = mesh.Connect(a, b);
  const int earlier = mesh.Add(AnotherB(), -400);
  ASSERT_LT(mesh[earlier].self(), mesh[b].self());
  const LinkId refused = mesh.Connect(earlier, a);
  mesh.Advance(200);
  EXPECT_TRUE(mesh.alive(first));
  EXPECT_FALSE(mesh.alive(refused));
  mesh.Freeze(first);
  const LinkId second = mesh.Connect(earlier, a);
  EXPECT_TRUE(mesh.alive(first));
  mesh.Advance(kProbeMs + 100);
  EXPECT_FALSE(mesh.alive(first));
  // It is told of its later self, takes an incarnation above that, and comes again.
  EXPECT_FALSE(mesh.alive(second));
  mesh.Connect(earlier, a);
  EXPECT_EQ(mesh[a].GetStatus().members[0].id, mesh[earlier].self());
}

TEST(Names, AProcessElsewhereIsRefusedWhileTheFirstIsHeard) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId first = mesh.Connect(a, b);
  mesh.Skip(5);
  const int impostor = mesh.Add(AnotherB("elsewhere:1"));
  EXPECT_FALSE(mesh.alive(mesh.Connect(impostor, a)));
  EXPECT_TRUE(mesh.Logged(impostor, "DUPLICATE_NODE_ID"));
  EXPECT_TRUE(mesh.alive(first));
  // The first one stalls, for longer than a link bears, and comes back.
  mesh.Freeze(first);
  mesh.Advance(kSilentMs + 2000);
  EXPECT_FALSE(mesh.alive(first));
  EXPECT_FALSE(mesh.alive(mesh.Connect(impostor, a)));
  EXPECT_TRUE(mesh.alive(mesh.Connect(b, a)));
  EXPECT_EQ(mesh[a].GetStatus().members[0].id, mesh[b].self());
}

TEST(Names, AProcessElsewhereTakesTheNameOfOneThatIsSilentForLong) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  mesh.Freeze(mesh.Connect(a, b));
  const int moved = mesh.Add(AnotherB("elsewhere:1"));
  mesh.Advance(kNameHoldMs - 100);
  EXPECT_FALSE(mesh.alive(mesh.Connect(moved, a)));
  mesh.Advance(200);
  EXPECT_TRUE(mesh.alive(mesh.Connect(moved, a)));
}

TEST(Names, AProcessElsewhereTakesTheNameOfOneThatLeft) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  mesh[b].Leave(mesh.now(b));
  mesh.Settle();
  mesh.Break(link);
  EXPECT_TRUE(mesh.alive(mesh.Connect(mesh.Add(AnotherB("elsewhere:1")), a)));
}

// The first one is linked with another member, and not here.
TEST(Names, AProcessElsewhereIsRefusedWhileANeighbourIsLinkedWithTheFirst) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b"), c = mesh.Add("c");
  mesh.Connect(a, c);
  mesh.Connect(b, c);
  mesh.Advance(500);
  EXPECT_FALSE(mesh.alive(mesh.Connect(mesh.Add(AnotherB("elsewhere:1")), a)));
}

// Seed 606 of faults: its incarnation is below its predecessor's, since the clock went back, so that the members did
// not learn of it from the neighbour.
TEST(Names, AProcessElsewhereIsTakenWhereANeighbourIsLinkedWithThisVeryOne) {
  Mesh mesh;
  const int a = mesh.Add("a"), c = mesh.Add("c"), b = mesh.Add(Mesh::Options("b"), 200);
  const int moved = mesh.Add(AnotherB("elsewhere:1"), -200);
  ASSERT_LT(mesh[moved].self(), mesh[b].self());
  mesh.Connect(a, b);
  mesh.Kill(b);
  mesh.Advance(kNameHoldMs + 1000);
  ASSERT_TRUE(mesh.alive(mesh.Connect(moved, c)));
  ASSERT_TRUE(mesh.alive(mesh.Connect(a, c)));
  mesh.Advance(500);
  // It is told of its later self, takes an incarnation above that, and comes again.
  mesh.Connect(moved, a);
  EXPECT_FALSE(mesh.Logged(moved, "DUPLICATE_NODE_ID"));
  EXPECT_TRUE(mesh.alive(mesh.Connect(moved, a))) << mesh.peer(moved).log.back();
}

TEST(Names, WhoIsShutOutByItsNameIsNotReady) {
  Mesh mesh;
  NodeOptions options = Mesh::Options("b");
  options.seeds = {"a:1"};
  const int a = mesh.Add("a"), b = mesh.Add(options);
  mesh.DialThemselves();
  mesh.Advance(1000);
  ASSERT_TRUE(mesh[b].ready());
  mesh.Cut(a, b);
  mesh.Advance(kNameHoldMs + kSilentMs);
  const int impostor = mesh.Add(AnotherB("elsewhere:1"));
  ASSERT_TRUE(mesh.alive(mesh.Connect(impostor, a)));
  EXPECT_TRUE(mesh[b].ready());  // it can't know
  mesh.Mend(a, b);
  mesh.Advance(8000);
  EXPECT_FALSE(mesh[b].ready());
  ASSERT_FALSE(mesh[b].waits_for().empty());
  EXPECT_NE(mesh[b].waits_for()[0].text.find("another process runs as b"), std::string::npos);
  EXPECT_TRUE(mesh.Logged(b, "not ready any more"));
  // The other one is stopped: the name is its own again.
  mesh.Kill(impostor);
  mesh.Advance(kNameHoldMs + 8000);
  EXPECT_TRUE(mesh[b].ready());
}

// A peer that knows this node at a later incarnation, or at this one with writes that this process never made.
TEST(OwnId, ALaterIncarnationIsOutrun) {
  for (const bool later : {true, false}) {
    Mesh mesh;
    const int a = mesh.Add("a");
    ASSERT_THAT(mesh.Set(a, "k", "v"), IsOk());
    const ReplicaId before = mesh[a].self();
    const ReplicaId known{"a", before.incarnation + (later ? 5 : 0)};
    Hello hello;
    hello.cluster = "leasemap";
    hello.period_ms = 3'600'000;
    hello.self = {"b", 5};
    hello.wall_ms = mesh.now(a).wall_ms;
    mesh[a].OnAccepted(mesh.now(a), LinkId{1001}, "a:1", "b:1");
    mesh[a].OnMessage(mesh.now(a), LinkId{1001}, hello);
    Accept accept;
    accept.wall_ms = mesh.now(a).wall_ms;
    auto vector = std::make_shared<VersionVector>();
    vector->Add(known, 1, 3);
    accept.report.vector = vector;
    mesh[a].OnMessage(mesh.now(a), LinkId{1001}, accept);
    EXPECT_GT(mesh[a].self(), known) << later;
    EXPECT_TRUE(mesh[a].GetStatus().members.empty());
    const auto written = mesh.Set(a, "k", "w");
    ASSERT_THAT(written, IsOk());
    EXPECT_EQ((*written)->dot.seq, 1u);
    EXPECT_EQ((*written)->dot.replica, mesh[a].self());
  }
}

TEST(OwnId, ALaterIncarnationThatNeverWroteIsOutrunToo) {
  Mesh mesh;
  const int a = mesh.Add("a");
  const ReplicaId known{"a", mesh[a].self().incarnation + 5};
  Hello hello;
  hello.cluster = "leasemap";
  hello.period_ms = 3'600'000;
  hello.self = {"b", 5};
  hello.wall_ms = mesh.now(a).wall_ms;
  mesh[a].OnAccepted(mesh.now(a), LinkId{1001}, "a:1", "b:1");
  mesh[a].OnMessage(mesh.now(a), LinkId{1001}, hello);
  Accept accept;
  accept.wall_ms = mesh.now(a).wall_ms;
  accept.report.peers = std::make_shared<Peers>(Peers{{{known, "a:1"}}, {}});
  mesh[a].OnMessage(mesh.now(a), LinkId{1001}, accept);
  EXPECT_GT(mesh[a].self(), known);
}

// Who claims a member's name again and again makes nothing wait without end, and does not take the link of the member.
TEST(Duplicates, NoMoreLinksThanMayWaitForAProbe) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  mesh.Connect(a, b);
  Hello hello;
  hello.cluster = "leasemap";
  hello.period_ms = 3'600'000;
  hello.self = {"b", 5};
  hello.wall_ms = mesh.now(a).wall_ms;
  size_t dropped = 0;
  for (LinkId link{1001}; link <= LinkId{1001 + kMaxProbes}; link = Next(link)) {
    mesh[a].OnAccepted(mesh.now(a), link, "a:1", "b:1");
    mesh[a].OnMessage(mesh.now(a), link, hello);
    for (const auto& hang_up : mesh[a].Take().hang_up) dropped += hang_up.link == link;
  }
  EXPECT_EQ(dropped, 1u);
  EXPECT_TRUE(mesh[a].GetStatus().members[0].linked);
}

TEST(OwnId, AClockAndADiskThatWentBackDoNotMakeAnIncarnationAgain) {
  const uint64_t known = NewIncarnation(2000, 0, 1);
  EXPECT_GT(NewIncarnation(1000, known, 2), known);
  EXPECT_GT(NewIncarnation(2000, known, 2), known);
  EXPECT_NE(NewIncarnation(1000, known, 2), NewIncarnation(1000, known, 3));
  EXPECT_GT(NewIncarnation(1000, UINT64_MAX - 1, 2), UINT64_MAX - 1);
}

TEST(OwnId, WhatAPeerHasOfThisRunIsNoReasonForANewOne) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  ASSERT_THAT(mesh.Set(a, "k", "v"), IsOk());
  mesh.Settle();
  const ReplicaId before = mesh[a].self();
  mesh.Break(link);
  mesh.Connect(b, a);
  EXPECT_EQ(mesh[a].self(), before);
  EXPECT_TRUE(mesh[a].GetStatus().members[0].linked);
}

NodeOptions WithSeeds(const std::string& id, std::vector<std::string> seeds) {
  NodeOptions options = Mesh::Options(id);
  options.seeds = std::move(seeds);
  return options;
}

TEST(Seeds, OthersTakeTheirPlace) {
  Mesh mesh;
  const int b = mesh.Add(WithSeeds("b", {"a:1", "kept:1"}));
  mesh[b].Tick(mesh.now(b));
  mesh[b].OnResolved(mesh.now(b), "a:1", {"a:1"});
  mesh[b].OnResolved(mesh.now(b), "kept:1", {"kept:1"});
  mesh.Settle();
  mesh.Advance(100);
  mesh[b].SetSeeds({"kept:1", "new:1"});
  for (const char* address : {"a:1", "kept:1"}) mesh[b].OnDialFailed(mesh.now(b), address, "refused");
  mesh[b].Tick(mesh.now(b));
  mesh[b].OnResolved(mesh.now(b), "new:1", {"new:1"});
  mesh.Settle();
  mesh.peer(b).dialed.clear();
  for (int i = 0; i < 10; ++i) {
    for (const char* address : {"kept:1", "new:1"}) mesh[b].OnDialFailed(mesh.now(b), address, "refused");
    mesh.Advance(1000);
  }
  const auto& dialed = mesh.peer(b).dialed;
  const auto count = [&](const char* address) { return std::count(dialed.begin(), dialed.end(), address); };
  EXPECT_GT(count("new:1"), 0);
  EXPECT_GT(count("kept:1"), 0);
  EXPECT_EQ(count("a:1"), 0);  // nobody dials an address that only a seed of the past stood for
}

TEST(Seeds, AMemberIsKeptWhoseSeedGoes) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add(WithSeeds("b", {"a:1"}));
  mesh[b].Tick(mesh.now(b));
  mesh[b].OnResolved(mesh.now(b), "a:1", {"a:1"});
  const LinkId link = mesh.Connect(b, a);
  mesh[b].SetSeeds({});
  mesh.Advance(2000);
  EXPECT_TRUE(mesh.alive(link));
  mesh.Break(link);
  mesh.peer(b).dialed.clear();
  mesh.Advance(5000);
  EXPECT_FALSE(mesh.peer(b).dialed.empty());
}

}  // namespace
}  // namespace leasemap::core
