// The links of a node and what is asked for over them, alone: which is pinged, silent or in the way of another, what is
// believed, and when a session is asked for, to the millisecond.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/catch_up.h"
#include "peer/core/mesh/links.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

constexpr MonoTime kNow(1'000'000);
constexpr int64_t kWallMs = 1'700'000'000'000;
constexpr LinkId kA{1}, kB{2}, kC{3};

NodeOptions Options() {
  NodeOptions options;
  options.node_id = "m";
  return options;
}

class LinksAlone : public testing::Test {
 protected:
  Link& Open(LinkId id, bool dialed = true, const std::string& address = "a:1") {
    return links_.Open(id, Link(now_, dialed, address, "self:1"));
  }
  Link& Shake(LinkId id, const std::string& node, bool dialed = true, uint64_t incarnation = 1) {
    Link& link = Open(id, dialed, node + ":1");
    Hello hello;
    hello.self = {node, incarnation};
    hello.advertise = node + ":1";
    link.TakeHello(hello);
    link.AwaitAccept();
    return link;
  }
  Link& Up(LinkId id, const std::string& node, bool dialed = true, uint64_t incarnation = 1) {
    Link& link = Shake(id, node, dialed, incarnation);
    links_.SetUp(id);
    link.alive.Pinged(now_);
    return link;
  }
  static VectorPtr Covering(uint64_t upto, const std::string& node = "p") {
    auto vector = std::make_shared<VersionVector>();
    vector->Add({node, 1}, 1, upto);
    return vector;
  }
  void Report(Link& link, const VectorPtr& vector, bool cut_short = false) {
    struct Report report;
    report.vector = vector;
    report.cut_short = cut_short;
    report.whole = true;
    report.map_hash = 99;
    link.theirs.Take(report);
  }

  const Timing timing_;
  MonoTime now_ = kNow;
  Links links_{timing_};
  Membership membership_{{"m", 1}, {}, 1};
  Replica replica_{Options(), {kNow, kWallMs}, 0};
};

TEST_F(LinksAlone, OfSeveralOfAMemberTheLeastIsNamed) {
  Up(kC, "a");
  Up(kB, "a", true, 2);
  Up(kA, "b");
  EXPECT_EQ(links_.UpWith("a"), kB);
  EXPECT_EQ(links_.UpWith("aa"), LinkId::kNone);
  EXPECT_EQ(links_.UpWith("c"), LinkId::kNone);
  EXPECT_TRUE(links_.IsUpWith({"a", 2}));
  EXPECT_FALSE(links_.IsUpWith({"a", 1}));
  EXPECT_EQ(links_.up(), 3u);
  links_.Close(kB);
  EXPECT_EQ(links_.UpWith("a"), kC);
  EXPECT_FALSE(links_.IsUp(kB));
  EXPECT_TRUE(links_.IsUp(kC));
  EXPECT_EQ(links_.Close(kB), std::nullopt);
}

TEST_F(LinksAlone, TheFirstThatSaidNothingMakesRoom) {
  Shake(kA, "a", false);
  for (uint64_t id = 100; links_.size() < kMaxLinks - 1; ++id) Open(LinkId{id});
  EXPECT_EQ(links_.RoomFor("x:1"), LinkId::kNone);
  Open(LinkId{99});
  EXPECT_EQ(links_.RoomFor("x:1"), std::nullopt);
  links_.Close(LinkId{100});
  links_.Close(LinkId{101});
  Open(LinkId{9}, false);
  Open(kC, false);
  EXPECT_EQ(links_.RoomFor("x:1"), kC);
}

TEST_F(LinksAlone, ManyWhoSayNothingMakeRoomForNewcomers) {
  uint64_t id = 100;
  for (size_t i = 0; i < kMaxStrangersOfOne - 1; ++i) Open(LinkId{id++}, false, absl::StrCat("one:", i));
  EXPECT_EQ(links_.RoomFor("one:9"), LinkId::kNone);
  Open(LinkId{50}, false, "other:1");
  Open(LinkId{id++}, false, "one:77");
  // The first of the same address, though another one waits for longer.
  EXPECT_EQ(links_.RoomFor("one:9"), LinkId{100});
  EXPECT_EQ(links_.RoomFor("other:2"), LinkId::kNone);
  for (size_t i = 0; i < kMaxStrangers - kMaxStrangersOfOne - 1; ++i) {
    EXPECT_EQ(links_.RoomFor("other:2"), LinkId::kNone);
    Open(LinkId{id++}, false, absl::StrCat("host", i, ":1"));
  }
  EXPECT_EQ(links_.RoomFor("other:2"), LinkId{50});
  // Who has said something, and whom this node dialled, is no stranger.
  links_.Close(LinkId{50});
  Shake(LinkId{51}, "other", false);
  Open(LinkId{52});
  EXPECT_EQ(links_.RoomFor("other:2"), LinkId::kNone);
}

TEST_F(LinksAlone, PingsThatWouldBeDueSoonGoAlongWithTheFirst) {
  Up(kA, "a").alive.Pinged(now_);
  Up(kB, "b").alive.Pinged(now_ + timing_.heartbeat / 4);
  Up(kC, "c").alive.Pinged(now_ + timing_.heartbeat / 4 + 1);
  EXPECT_EQ(links_.NextDue(now_), now_ + timing_.heartbeat);
  EXPECT_TRUE(links_.Beat(now_ + timing_.heartbeat - 1).ping.empty());
  EXPECT_EQ(links_.Beat(now_ + timing_.heartbeat).ping, (std::vector<LinkId>{kA, kB}));
  EXPECT_EQ(links_.NextDue(now_), now_ + timing_.heartbeat / 4 + 1 + timing_.heartbeat);
}

TEST_F(LinksAlone, TheSilentAndThoseThatDontShakeHandsEnd) {
  Up(kA, "a");
  Open(kB, true, "b:1");
  Open(kC, false, "c:1");
  const auto dead = [&](MonoTime mono) {
    for (auto& [id, link] : links_) {
      if (link.up()) link.alive.Pinged(mono);
    }
    return links_.Beat(mono).dead;
  };
  EXPECT_TRUE(dead(now_ + timing_.silent - 1).empty());
  auto ended = dead(now_ + timing_.silent);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0], std::pair(kA, std::string("a (a:1) was silent for 3.0s")));
  EXPECT_EQ(links_.NextDue(now_), now_ + timing_.silent);
  links_.Close(kA);
  EXPECT_EQ(links_.NextDue(now_), now_ + timing_.handshake);
  EXPECT_TRUE(dead(now_ + timing_.handshake - 1).empty());
  ended = dead(now_ + timing_.handshake);
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0], std::pair(kB, std::string("b:1: no handshake within 4.0s")));
  EXPECT_EQ(ended[1], std::pair(kC, std::string()));
}

TEST_F(LinksAlone, AfterAJumpOfTheClockAllIsMeasuredAgain) {
  Link& link = Up(kA, "a");
  link.SetClockAgrees(true);
  struct Report report;
  report.ceiling_ms = kWallMs;
  report.holds_map = true;
  EXPECT_TRUE(link.ceiling.Hear(report));
  now_ += 10;
  links_.ClockJumped(now_);
  EXPECT_FALSE(link.clock_agrees());
  EXPECT_EQ(link.ceiling.theirs().ceiling_ms, 0);
  EXPECT_EQ(link.alive.PingDue(timing_), now_);
  EXPECT_EQ(links_.Beat(now_).ping, std::vector<LinkId>{kA});
}

// --- whose a node ID is

TEST_F(LinksAlone, OfTwoOfOneProcessTheSmallerIdsDialStays) {
  using Duplicate = Links::Duplicate;
  const auto judge = [&](bool dialed, const std::string& self) {
    return links_.CheckDuplicate(now_, dialed ? kB : kC, self, membership_);
  };
  Up(kA, "g");
  Shake(kB, "g", true);
  Shake(kC, "g", false);
  EXPECT_EQ(judge(true, "a"), Duplicate::kNone);
  EXPECT_EQ(judge(false, "a"), Duplicate::kProbe);
  EXPECT_EQ(judge(true, "z"), Duplicate::kYield);
  EXPECT_EQ(judge(false, "z"), Duplicate::kNone);
  links_.Close(kA);
  EXPECT_EQ(judge(true, "z"), Duplicate::kNone);
}

TEST_F(LinksAlone, ALaterProcessTakesThePlaceOfAnEarlierOneAndNotTheOtherWay) {
  using Duplicate = Links::Duplicate;
  Up(kA, "a", true, 5);
  Shake(kB, "a", true, 6);
  Shake(kC, "a", true, 4);
  EXPECT_EQ(links_.CheckDuplicate(now_, kB, "m", membership_), Duplicate::kNone);
  EXPECT_EQ(links_.CheckDuplicate(now_, kC, "m", membership_), Duplicate::kProbe);
}

class HeldName : public LinksAlone {
 protected:
  // Another process named "a" comes, from elsewhere.
  void SetUp() override {
    ASSERT_TRUE(membership_.Meet({"a", 1}, "old:1", now_));
    membership_.Heard("a", {now_, kWallMs});
    Shake(kA, "a", true, 2);
  }
  bool Held() { return links_.CheckDuplicate(now_, kA, "m", membership_) == Links::Duplicate::kHeld; }
};

TEST_F(HeldName, ForTenSecondsAfterItWasHeard) {
  EXPECT_TRUE(Held());
  now_ += timing_.name_hold - 1;
  EXPECT_TRUE(Held());
  now_ += 1;
  EXPECT_FALSE(Held());
}
TEST_F(HeldName, NotByWhoWasNeverHeardOrIsGone) {
  membership_.Heard("a", {now_, 0});
  EXPECT_FALSE(Held());
  membership_.Heard("a", {now_, kWallMs});
  membership_.Forget("a");
  EXPECT_FALSE(Held());
}
TEST_F(HeldName, NotAgainstWhoComesFromTheSameAddressOrIsTheSame) {
  bool changed = false;
  membership_.Learn({{"a", 2}, "", 0}, now_, &changed);
  EXPECT_FALSE(Held());
  membership_.Learn({{"a", 3}, "", 0}, now_, &changed);
  EXPECT_TRUE(Held());
  ASSERT_TRUE(membership_.Meet({"a", 3}, "a:1", now_));
  EXPECT_FALSE(Held());
}
TEST_F(HeldName, WhileANeighbourIsLinkedWithTheOther) {
  now_ += timing_.name_hold;
  Link& near = Up(kB, "near");
  near.theirs.TakePeers(std::make_shared<const Peers>(Peers{{{{"a", 1}, "old:1", 0}}, {"a"}}), 1);
  EXPECT_TRUE(Held());
  near.theirs.TakePeers(std::make_shared<const Peers>(Peers{{{{"a", 2}, "a:1", 0}}, {"a"}}), 2);
  EXPECT_FALSE(Held());  // with this very one
  near.theirs.TakePeers(std::make_shared<const Peers>(Peers{{{{"a", 1}, "old:1", 0}}, {"b"}}), 3);
  EXPECT_FALSE(Held());
}

TEST_F(LinksAlone, AProbeEndsWhenTheFirstIsHeardOrGoneOrItsTimeIsOver) {
  using Probed = Links::Probed;
  Up(kA, "a");
  Shake(kB, "a");
  EXPECT_EQ(links_.Probe(now_, kB), kA);
  EXPECT_EQ(links_.Probing(), std::vector<LinkId>{kB});
  EXPECT_EQ(links_.LookAtProbe(now_ + timing_.probe - 1, kB).end, Probed::kWaits);
  EXPECT_EQ(links_.LookAtProbe(now_ + timing_.probe, kB).end, Probed::kSilent);
  EXPECT_EQ(links_.LookAtProbe(now_, kB).first, kA);
  EXPECT_TRUE(links_.Beat(now_ + timing_.handshake).dead.size() == 1u);  // the first alone: a probe has its own time
  links_.Find(kA)->alive.Heard(now_);
  EXPECT_EQ(links_.LookAtProbe(now_, kB).end, Probed::kWaits);  // as before
  links_.Find(kA)->alive.Heard(now_ + 1);
  EXPECT_EQ(links_.LookAtProbe(now_ + timing_.probe, kB).end, Probed::kHeard);
  links_.Close(kA);
  EXPECT_EQ(links_.LookAtProbe(now_, kB).end, Probed::kGone);
  EXPECT_EQ(links_.NextDue(now_), now_ + 50);
}

TEST_F(LinksAlone, SoManyProbesAtOnce) {
  Up(kA, "a");
  for (uint64_t n = 0; n <= kMaxProbes; ++n) Shake(LinkId{100 + n}, "a");
  for (uint64_t n = 0; n < kMaxProbes; ++n) EXPECT_EQ(links_.Probe(now_, LinkId{100 + n}), kA);
  EXPECT_EQ(links_.Probe(now_, LinkId{100 + kMaxProbes}), LinkId::kNone);
}

// --- what is believed

TEST_F(LinksAlone, OfThisNodeAndOfItsPeersOnlyWhatTheyMadeIsBelieved) {
  auto entry = std::make_shared<Entry>();
  entry->key = "k";
  replica_.Apply(replica_.Sign(entry));
  Up(kA, "b");  // it has not reported
  Report(Up(kB, "a"), Covering(3, "a"));
  Shake(kC, "c");
  VersionVector more;
  more.Add({"a", 1}, 5, 5);
  more.Add({"b", 1}, 1, 2);
  replica_.TakeSession(now_, more, VersionVector());
  VersionVector claim;
  claim.Add(replica_.self(), 1, 1);
  claim.Add({"a", 1}, 1, 3);
  claim.Add({"a", 1}, 5, 5);
  for (const char* other : {"b", "c", "far"}) claim.Add({other, 1}, 1, 9);
  auto all = std::make_shared<const VersionVector>(claim);
  EXPECT_EQ(links_.Believable(all, replica_), all);
  VersionVector bold = claim;
  bold.Add(replica_.self(), 2, 2);
  bold.Add({"a", 1}, 4, 4);
  bold.Add({"a", 1}, 6, 9);
  EXPECT_EQ(*links_.Believable(std::make_shared<const VersionVector>(bold), replica_), claim);
}

// --- what is lacked

class LackAlone : public LinksAlone {
 protected:
  void Get(uint64_t upto, const std::string& node = "p") {
    replica_.TakeSession(now_, *Covering(upto, node), VersionVector());
  }
  MonoTime Due() { return lack_.Due(now_, alive_, timing_); }

  Lack lack_;
  Liveness alive_{kNow};
};

TEST_F(LackAlone, IsAskedForASecondAfterItWasClaimed) {
  lack_.Update(now_, nullptr, replica_);
  EXPECT_FALSE(lack_.any());
  const VectorPtr claim = Covering(3);
  lack_.Update(now_, claim, replica_);
  ASSERT_TRUE(lack_.any());
  EXPECT_EQ(Due(), kNow + timing_.lack);
  EXPECT_FALSE(lack_.IsDue(kNow + timing_.lack - 1, alive_, timing_));
  EXPECT_TRUE(lack_.IsDue(kNow + timing_.lack, alive_, timing_));
  // The same claim is as old as it is; what comes after it is another.
  lack_.Update(now_ + 500, Covering(4), replica_);
  EXPECT_EQ(Due(), kNow + timing_.lack);
  Get(3);
  lack_.Update(now_ + 700, Covering(5), replica_);
  EXPECT_EQ(Due(), kNow + 700 + timing_.lack);
  Get(5);
  lack_.Update(now_ + 800, Covering(5), replica_);
  EXPECT_FALSE(lack_.any());
}

TEST_F(LackAlone, IsAskedForLaterWhileALargeMessageArrives) {
  lack_.Update(now_, Covering(3), replica_);
  now_ += 100;
  alive_.HeardPiece(now_);
  EXPECT_EQ(Due(), kNow + timing_.session_turn);
  now_ += timing_.lack - 1;
  EXPECT_EQ(Due(), kNow + timing_.session_turn);
  now_ += 1;
  EXPECT_EQ(Due(), kNow + timing_.lack);
}

TEST_F(LackAlone, AtOnceWhatAHandshakeToldButNotAgainAndAgain) {
  lack_.Update(now_, Covering(3), replica_);
  lack_.FetchNow(true);
  EXPECT_EQ(Due(), kNow);
  lack_.Asked(kNow - 400);
  EXPECT_EQ(Due(), kNow + timing_.lack - 400);
  Get(3);
  lack_.Update(now_, Covering(3), replica_);
  lack_.Update(now_ + 5, Covering(4), replica_);  // that was not told in the handshake
  EXPECT_EQ(Due(), kNow + 5 + timing_.lack);
}

TEST_F(LackAlone, AValueIsAskedForThoughTheReportIsCovered) {
  lack_.LackValue(kNow, {{"p", 1}, 3});
  ASSERT_TRUE(lack_.any());
  EXPECT_EQ(Due(), kNow);
  lack_.LackValue(kNow + 9, {{"q", 1}, 2});  // both, since the first
  EXPECT_EQ(Due(), kNow);
  lack_.Update(kNow, Covering(0), replica_);
  EXPECT_TRUE(lack_.any());
  Get(3);
  lack_.Update(kNow, Covering(3), replica_);
  EXPECT_TRUE(lack_.any());
  Get(1, "q");
  lack_.Update(kNow, Covering(2, "p"), replica_);
  EXPECT_TRUE(lack_.any());
  Get(2, "q");
  lack_.Update(kNow, Covering(3), replica_);
  EXPECT_FALSE(lack_.any());
}

TEST_F(LackAlone, WhatASessionDidNotBringIsNotAskedForAtOnce) {
  lack_.Joined(now_, replica_, timing_);
  EXPECT_EQ(lack_.avoid_until(), MonoTime());
  lack_.Update(now_, Covering(3), replica_);
  Get(3);
  lack_.Joined(now_, replica_, timing_);
  EXPECT_EQ(lack_.avoid_until(), MonoTime());
  lack_.Update(now_, Covering(4), replica_);
  lack_.Joined(now_, replica_, timing_);
  EXPECT_EQ(lack_.avoid_until(), kNow + timing_.lack);
}

}  // namespace
}  // namespace leasemap::core
