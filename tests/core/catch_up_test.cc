// Sessions as a node asks for them, alone: of whom, when, for how long, and what their end brings.
#include "peer/core/mesh/catch_up.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

constexpr MonoTime kStart(10'000'000);
constexpr int64_t kWallMs = 1'700'000'000'000;
constexpr LinkId kA{1}, kB{2}, kC{3};
using Ended = CatchUp::Ended;

NodeOptions Options() {
  NodeOptions options;
  options.node_id = "m";
  return options;
}

class CatchUpAlone : public testing::Test {
 protected:
  Link& Up(LinkId id, const std::string& node) {
    Link& link = links_.Open(id, Link(now_, true, node + ":1", "self:1"));
    Hello hello;
    hello.self = {node, 1};
    link.TakeHello(hello);
    link.AwaitAccept();
    links_.SetUp(id);
    return link;
  }
  static VersionVector Covering(uint64_t upto, const std::string& node = "p") {
    VersionVector vector;
    vector.Add({node, 1}, 1, upto);
    return vector;
  }
  // The link's peer claims this.
  void Claim(Link& link, uint64_t upto, uint64_t map_hash = 0, bool cut_short = false) {
    Report report;
    report.vector = std::make_shared<const VersionVector>(Covering(upto));
    report.whole = true;
    report.map_hash = map_hash;
    report.cut_short = cut_short;
    link.theirs.Take(report);
    link.lack.Update(now_, report.vector, replica_);
  }
  Now At() const { return {now_, kWallMs}; }
  // Whom it asks now; kNone: nobody.
  LinkId Ask() {
    std::vector<Effects::Send> send;
    catch_up_.Ask(At(), links_, replica_, membership_, send);
    if (send.empty()) return LinkId::kNone;
    EXPECT_EQ(send.size(), 1u);
    session_ = std::get<SessionRequest>(send[0].message).session;
    EXPECT_TRUE(catch_up_.IsAsking(send[0].link));
    return send[0].link;
  }
  LinkId AskAfter(int64_t ms) {
    now_ += ms;
    return Ask();
  }
  Ended End(LinkId id, uint64_t session, uint64_t upto, const VersionVector& floor = {}) {
    return catch_up_.End(
        At(), id,
        {session, std::make_shared<const VersionVector>(Covering(upto)), std::make_shared<const VersionVector>(floor)},
        links_, replica_);
  }
  MonoTime Due() { return catch_up_.NextDue(At(), links_); }

  const Timing timing_;
  MonoTime now_ = kStart;
  Links links_{timing_};
  Membership membership_{{"m", 1}, {}, 1};
  Replica replica_{Options(), {kStart, kWallMs}, 0};
  CatchUp catch_up_{timing_};
  uint64_t session_ = 0;
};

// --- whom it asks, and when

TEST_F(CatchUpAlone, AsksTheFirstOfThoseThatClaimedForASecond) {
  EXPECT_EQ(Due(), MonoTime::Never());
  Link &a = Up(kA, "a"), &b = Up(kB, "b"), &c = Up(kC, "c");
  Claim(b, 3);
  now_ += 100;
  Claim(c, 3);
  EXPECT_EQ(Due(), kStart + timing_.lack);
  EXPECT_EQ(AskAfter(timing_.lack - 101), LinkId::kNone);
  EXPECT_EQ(AskAfter(1), kB);
  EXPECT_EQ(session_, 1u);
  EXPECT_FALSE(catch_up_.TakesCovered(kB));
  EXPECT_EQ(AskAfter(200), LinkId::kNone);  // one at a time
  EXPECT_EQ(Due(), kStart + timing_.lack + timing_.session_idle);
  EXPECT_FALSE(a.lack.any());
}

TEST_F(CatchUpAlone, DoesNotAskWhoIsAvoidedOrShunnedOrHasToldNothingNew) {
  Link &a = Up(kA, "a"), &b = Up(kB, "b"), &c = Up(kC, "c");
  for (Link* link : {&a, &b, &c}) Claim(*link, 3);
  a.lack.Avoid(now_ + timing_.lack + 1);
  b.ceiling.Shun(true);
  EXPECT_EQ(Due(), kStart + timing_.lack);
  EXPECT_EQ(AskAfter(timing_.lack), kC);
  catch_up_.Closed(kA);
  EXPECT_TRUE(catch_up_.IsAsking(kC));
  catch_up_.Closed(kC);
  links_.Close(kC);
  EXPECT_EQ(Due(), now_ + 1);
  EXPECT_EQ(Ask(), LinkId::kNone);
  EXPECT_EQ(AskAfter(1), kA);
  catch_up_.Stop();
  EXPECT_FALSE(catch_up_.IsAsking(kA));
  replica_.TakeSession(now_, Covering(3), VersionVector());
  EXPECT_EQ(AskAfter(10'000), LinkId::kNone);  // it came meanwhile
  EXPECT_FALSE(a.lack.any());
}

TEST_F(CatchUpAlone, WhoHasNothingTakesTheFloorOfWhomItAsks) {
  Link& a = Up(kA, "a");
  a.theirs.TakeFloor(std::make_shared<const VersionVector>(Covering(2)));
  Claim(a, 3);
  EXPECT_EQ(AskAfter(timing_.lack), kA);
  EXPECT_EQ(replica_.floor(), Covering(2));
  catch_up_.Stop();
  replica_.TakeSession(now_, Covering(1, "q"), VersionVector());
  a.theirs.TakeFloor(std::make_shared<const VersionVector>(Covering(3)));
  EXPECT_EQ(AskAfter(timing_.lack), kA);
  EXPECT_EQ(replica_.floor(), Covering(2));
}

TEST_F(CatchUpAlone, OneThatIsIdleIsGivenUpAndItsPeerAvoided) {
  Link &a = Up(kA, "a"), &b = Up(kB, "b");
  Claim(a, 3);
  EXPECT_EQ(AskAfter(timing_.lack), kA);
  now_ += 1000;
  catch_up_.Heard(now_, kA, session_);
  catch_up_.Heard(now_ + 500, kA, session_ + 1);  // of another session
  catch_up_.Heard(now_ + 500, kB, session_);
  EXPECT_EQ(Due(), now_ + timing_.session_idle);
  now_ += 1000;
  catch_up_.HeardPiece(now_, kA);
  catch_up_.HeardPiece(now_ + 500, kB);
  EXPECT_EQ(Due(), now_ + timing_.session_idle);
  EXPECT_EQ(AskAfter(timing_.session_idle - 1), LinkId::kNone);
  EXPECT_TRUE(catch_up_.IsAsking(kA));
  EXPECT_EQ(AskAfter(1), LinkId::kNone);
  EXPECT_FALSE(catch_up_.IsAsking(kA));
  EXPECT_EQ(a.lack.avoid_until(), now_ + timing_.session_idle);
  Claim(b, 3);
  EXPECT_EQ(AskAfter(timing_.lack), kB);
  EXPECT_EQ(session_, 2u);
}

TEST_F(CatchUpAlone, OneThatBringsNothingWholeGivesWayToAnotherForTwiceAsLong) {
  Link &a = Up(kA, "a"), &b = Up(kB, "b");
  Claim(a, 3);
  EXPECT_EQ(AskAfter(timing_.lack), kA);
  const MonoTime begin = now_;
  const auto keep = [&](LinkId id, MonoTime until) {
    for (; now_ < until; now_ += 1000) catch_up_.HeardPiece(now_, id);
    now_ = until;
    catch_up_.HeardPiece(now_, id);
  };
  Claim(b, 3);
  keep(kA, begin + timing_.session_turn - 1);
  EXPECT_EQ(Ask(), LinkId::kNone);
  EXPECT_EQ(Due(), begin + timing_.session_turn);
  now_ += 1;
  EXPECT_EQ(Ask(), kB);
  // b has two turns.
  const MonoTime second = now_;
  keep(kB, second + 2 * timing_.session_turn - 1);
  EXPECT_EQ(Ask(), LinkId::kNone);
  now_ += 1;
  EXPECT_EQ(Ask(), kA);
  EXPECT_EQ(b.lack.avoid_until(), now_ + timing_.session_idle);
}

TEST_F(CatchUpAlone, WithNobodyElseToAskASlowOneGoesOnUntilItsTimeIsOver) {
  Link& a = Up(kA, "a");
  Claim(a, 3);
  EXPECT_EQ(AskAfter(timing_.lack), kA);
  const MonoTime begin = now_;
  now_ = begin + kSessionMostMs;
  catch_up_.HeardPiece(now_, kA);
  EXPECT_EQ(Ask(), LinkId::kNone);
  EXPECT_TRUE(catch_up_.IsAsking(kA));  // nothing whole came
  now_ = begin + kSessionMostMs - 1;
  catch_up_.Heard(now_, kA, session_);
  EXPECT_EQ(Ask(), LinkId::kNone);
  EXPECT_TRUE(catch_up_.IsAsking(kA));
  now_ += 1;
  Ask();
  EXPECT_FALSE(catch_up_.IsAsking(kA));
}

// --- its end

TEST_F(CatchUpAlone, ItsEndBringsWhatThePeerCovered) {
  Link& a = Up(kA, "a");
  Claim(a, 3);
  a.lack.FetchNow(true);
  EXPECT_EQ(Ask(), kA);
  EXPECT_EQ(End(kA, session_ + 1, 3), Ended::kNone);
  EXPECT_EQ(End(kB, session_, 3), Ended::kNone);
  EXPECT_EQ(End(kA, session_, 2, Covering(1)), Ended::kJoined);
  EXPECT_FALSE(catch_up_.IsAsking(kA));
  EXPECT_EQ(replica_.vector(), Covering(2));
  EXPECT_EQ(replica_.floor(), Covering(1));
  EXPECT_TRUE(a.lack.any());  // the third did not come
  EXPECT_EQ(a.lack.avoid_until(), now_ + timing_.lack);
  EXPECT_EQ(End(kA, session_, 3), Ended::kNone);
  EXPECT_EQ(AskAfter(timing_.lack), kA);
  EXPECT_EQ(End(kA, session_, 3), Ended::kJoined);
  EXPECT_FALSE(a.lack.any());
}

TEST_F(CatchUpAlone, OneOfWhichSomethingWasLeftOutBringsNothing) {
  Link& a = Up(kA, "a");
  Claim(a, 3);
  EXPECT_EQ(AskAfter(timing_.lack), kA);
  catch_up_.LeftOut(kB);
  catch_up_.LeftOut(kA);
  EXPECT_EQ(End(kA, session_, 3), Ended::kNoUse);
  EXPECT_TRUE(replica_.vector().empty());
  EXPECT_EQ(a.lack.avoid_until(), now_ + timing_.session_idle);
  EXPECT_FALSE(catch_up_.IsAsking(kA));
}

TEST_F(CatchUpAlone, AFloorThatRoseAboveThisNodeEndsIt) {
  Link& a = Up(kA, "a");
  replica_.TakeSession(now_, Covering(1, "q"), VersionVector());
  Claim(a, 3);
  EXPECT_EQ(AskAfter(timing_.lack), kA);
  EXPECT_EQ(End(kA, session_, 3, Covering(2)), Ended::kBelow);
  EXPECT_FALSE(replica_.vector().Covers(Dot{{"p", 1}, 1}));
}

// --- maps that differ

class Differing : public CatchUpAlone {
 protected:
  void SetUp() override {
    replica_.TakeSession(now_, Covering(3), VersionVector());
    link_ = &Up(kA, "a");
    Claim(*link_, 3, 99);
  }
  size_t Alarms(bool comparable = true) {
    send_.clear();
    return catch_up_.CompareHashes(At(), comparable, links_, replica_, membership_, send_).size();
  }
  // Whether there is an alarm after five seconds of this.
  bool AlarmsInTime(bool comparable = true) {
    EXPECT_EQ(Alarms(comparable), 0u);
    now_ += timing_.hash_alarm;
    return Alarms(comparable) > 0;
  }

  Link* link_ = nullptr;
  std::vector<Effects::Send> send_;
};

TEST_F(Differing, AreAnAlarmAfterFiveSecondsAndFetched) {
  EXPECT_EQ(Alarms(), 0u);
  EXPECT_EQ(link_->theirs.differs_since(), now_);
  now_ += timing_.hash_alarm - 1;
  EXPECT_EQ(Alarms(), 0u);
  now_ += 1;
  EXPECT_EQ(Alarms(), 1u);
  EXPECT_EQ(catch_up_.alarms(), 1u);
  ASSERT_EQ(send_.size(), 1u);
  const auto& request = std::get<SessionRequest>(send_[0].message);
  EXPECT_EQ(request.buckets.size(), kHashBuckets);
  EXPECT_TRUE(catch_up_.TakesCovered(kA));
  EXPECT_FALSE(catch_up_.TakesCovered(kB));
  EXPECT_EQ(link_->theirs.differs_since(), std::nullopt);
  now_ += timing_.hash_alarm;
  EXPECT_FALSE(AlarmsInTime());  // while it is being fetched
}
TEST_F(Differing, NotIfTheyDoSoOnlyForAMoment) {
  EXPECT_EQ(Alarms(), 0u);
  now_ += timing_.hash_alarm;
  Claim(*link_, 3, replica_.store().hash());
  EXPECT_EQ(Alarms(), 0u);
  Claim(*link_, 3, 98);
  EXPECT_EQ(Alarms(), 0u);
  EXPECT_EQ(link_->theirs.differs_since(), now_);
}
TEST_F(Differing, NotWhereTheyCantBeCompared) {
  EXPECT_FALSE(AlarmsInTime(false));
  Claim(*link_, 3, 0);
  EXPECT_FALSE(AlarmsInTime());
  Claim(*link_, 2, 99);
  EXPECT_FALSE(AlarmsInTime());
  Claim(*link_, 4, 99);
  EXPECT_FALSE(AlarmsInTime());
  Claim(*link_, 3, 99, true);
  EXPECT_FALSE(AlarmsInTime());
  Report report;
  report.vector = std::make_shared<const VersionVector>(Covering(3));
  report.map_hash = 99;
  link_->theirs.Take(report);  // it has no map yet
  EXPECT_FALSE(AlarmsInTime());
  Claim(*link_, 3, 99);
  EXPECT_TRUE(AlarmsInTime());
}

}  // namespace
}  // namespace leasemap::core
