// Members that flood, lie or send what can't be read: they are cut off, named, and harm nobody else.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/quarantine.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

TEST(Quarantine, KeepsRatesAndForgetsThem) {
  Quarantine guard;
  MonoTime now(1000);
  for (int64_t n = 0; n < kSessionBurst; ++n) EXPECT_TRUE(guard.Charge("a", Cost::kSession, now));
  EXPECT_FALSE(guard.Charge("a", Cost::kSession, now));
  EXPECT_TRUE(guard.Charge("b", Cost::kSession, now));  // each has its own
  EXPECT_TRUE(guard.Charge("a", Cost::kControl, now));
  now += 1000 * (kSessionBurst + 1) / kSessionsPerSecond;
  guard.Tick(now);
  for (int64_t second = 0; second < 100; ++second, now += 1000) {
    for (int64_t n = 0; n < kSessionsPerSecond; ++n) EXPECT_TRUE(guard.Charge("a", Cost::kSession, now));
  }
}

TEST(Quarantine, ASpentBurstComesBackAtItsRateToTheMillisecond) {
  Quarantine guard;
  const MonoTime now(1'000'000);
  const auto spent = [&](Cost cost, int64_t burst, int64_t every_ms) {
    for (int64_t n = 0; n < burst; ++n) EXPECT_TRUE(guard.Charge("a", cost, now));
    EXPECT_FALSE(guard.Charge("a", cost, now + every_ms - 1));
    EXPECT_TRUE(guard.Charge("a", cost, now + every_ms));
    EXPECT_FALSE(guard.Charge("a", cost, now + every_ms));
  };
  spent(Cost::kSession, kSessionBurst, 1000 / kSessionsPerSecond);
  spent(Cost::kClient, kClientPerSecond, 1);
  spent(Cost::kOutrun, kOutrunBurst, kQuarantineMs);
  spent(Cost::kBogus, kBogusBurst, kQuarantineMs);
  for (int64_t n = 0; n < kControlBurst; ++n) EXPECT_TRUE(guard.Charge("a", Cost::kControl, now));
  for (int64_t n = 0; n < kControlPerSecond / 1000; ++n) EXPECT_TRUE(guard.Charge("a", Cost::kControl, now + 1));
  EXPECT_FALSE(guard.Charge("a", Cost::kControl, now + 1));
  guard.CutOff("a", "because", now);
  EXPECT_TRUE(guard.Charge("a", Cost::kBogus, now));  // it begins again
  EXPECT_EQ(guard.rates(), 1u);
  guard.Tick(now + kQuarantineMs - 1);
  EXPECT_EQ(guard.rates(), 1u);
  guard.Tick(now + kQuarantineMs);
  EXPECT_EQ(guard.rates(), 0u);
  const auto refused = guard.Judge("a", now);
  EXPECT_FALSE(refused.has_value());
  guard.CutOff("b", "why", now);
  EXPECT_EQ(guard.Judge("b", now)->reason, kQuarantined);
  EXPECT_EQ(guard.Judge("b", now)->message, "it was cut off: why");
  for (int64_t n = 0; n < kClientPerSecond; ++n) EXPECT_THAT(guard.ChargeClient(now), IsOk());
  EXPECT_THAT(guard.ChargeClient(now), HasReason("BYTES_LIMIT"));
  EXPECT_EQ(RetryMsOf(guard.ChargeClient(now)), 100);
}

TEST(Quarantine, HoldsForAMinute) {
  Quarantine guard;
  EXPECT_EQ(guard.Refused("a", MonoTime(0)), nullptr);
  guard.CutOff("a", "because", MonoTime(1000));
  ASSERT_NE(guard.Refused("a", MonoTime(1000)), nullptr);
  EXPECT_EQ(*guard.Refused("a", MonoTime(999 + kQuarantineMs)), "because");
  EXPECT_EQ(guard.Refused("b", MonoTime(1000)), nullptr);
  guard.Tick(MonoTime(999 + kQuarantineMs));
  EXPECT_EQ(guard.held(), 1u);
  EXPECT_EQ(guard.Refused("a", MonoTime(1000 + kQuarantineMs)), nullptr);
  guard.Tick(MonoTime(1000 + kQuarantineMs));
  EXPECT_EQ(guard.held(), 0u);
  EXPECT_EQ(guard.cut_offs(), 1u);
}

// evil is linked with good and with other, and good with other.
class Hostile : public testing::Test {
 protected:
  Hostile() {
    evil_ = mesh_.Add("evil");
    good_ = mesh_.Add("good");
    other_ = mesh_.Add("other");
    link_ = Next(mesh_.Connect(evil_, good_));  // good's end
    mesh_.Connect(evil_, other_);
    between_ = mesh_.Connect(good_, other_);
    mesh_.Advance(500);
  }
  void Send(Message message) { mesh_[good_].OnMessage(mesh_.now(good_), link_, std::move(message)); }
  void ExpectCutOff(const std::string& why) {
    mesh_.Settle();
    EXPECT_FALSE(mesh_.alive(link_));
    EXPECT_TRUE(mesh_.alive(between_));
    EXPECT_TRUE(mesh_.Logged(good_, "refusing evil (evil:1): QUARANTINED: " + why));
    EXPECT_TRUE(mesh_.Logged(evil_, "refused by good (good:1): QUARANTINED: " + why));
    const NodeStatus status = mesh_[good_].GetStatus();
    EXPECT_EQ(status.cut_offs, 1u);
    bool named = false;
    for (const auto& note : status.notes) named |= note.find("evil") != std::string::npos;
    EXPECT_TRUE(named);
    EXPECT_EQ(mesh_[other_].GetStatus().cut_offs, 0u);
    // Under its name it stays out for a minute; then it may try again.
    EXPECT_FALSE(mesh_.alive(mesh_.Connect(evil_, good_)));
    mesh_.Advance(kQuarantineMs - 1000);
    EXPECT_EQ(mesh_[good_].GetStatus().quarantined, 1u);
    EXPECT_FALSE(mesh_.alive(mesh_.Connect(evil_, good_)));
    mesh_.Advance(1100);
    EXPECT_TRUE(mesh_.alive(mesh_.Connect(evil_, good_)));
    EXPECT_EQ(mesh_[good_].GetStatus().quarantined, 0u);
    EXPECT_EQ(mesh_.Value(other_, "k"), mesh_.Value(good_, "k"));
  }
  static VectorPtr Vector(const std::vector<std::pair<ReplicaId, uint64_t>>& prefixes) {
    VersionVector vector;
    for (const auto& [replica, prefix] : prefixes) vector.Add(replica, 1, prefix);
    return std::make_shared<VersionVector>(std::move(vector));
  }
  EntryPtr FromTheFuture(uint64_t seq) {
    auto entry = std::make_shared<Entry>();
    entry->key = absl::StrCat("future", seq);
    entry->lease.holder = "evil";
    entry->dot = {mesh_[evil_].self(), seq};
    entry->stamp = StampAt(mesh_.now(good_).wall_ms + 3'600'000);
    return entry;
  }

  Mesh mesh_;
  int evil_ = 0, good_ = 0, other_ = 0;
  LinkId link_{}, between_{};
};

TEST_F(Hostile, AFloodOfMessages) {
  for (int64_t n = 0; n <= kControlBurst; ++n) Send(Broadcast{"x"});
  mesh_.Settle();
  EXPECT_EQ(mesh_.peer(good_).heard.size(), static_cast<size_t>(kControlBurst));  // the last is not taken in
  ExpectCutOff("more than 4000 messages a second");
}

TEST_F(Hostile, AFloodOfNothing) {
  for (int64_t n = 0; n <= kControlBurst; ++n) Send(Live{});
  ExpectCutOff("more than 4000 messages a second");
}

TEST_F(Hostile, SessionsWithoutEnd) {
  for (int64_t n = 0; n <= kSessionBurst; ++n) Send(SessionRequest{1, Vector({})});
  ExpectCutOff("more than 2 sessions a second");
}

TEST_F(Hostile, AVectorOfTheFuture) {
  ASSERT_THAT(mesh_.Set(good_, "k", "v"), IsOk());
  mesh_.Settle();
  const ReplicaId good = mesh_[good_].self();
  Report report;
  report.vector = Vector({{good, 1}});
  Send(report);
  EXPECT_TRUE(mesh_.alive(link_));
  report.vector = Vector({{good, 2}});
  Send(report);
  EXPECT_EQ(mesh_[good_].self(), good);  // no reason for a new incarnation
  ExpectCutOff("it claims writes of this node that were never made");
}

// One who meets good as "evil" and knows good as `incarnation`. Good's end of the link.
LinkId Meet(Mesh& mesh, int good, LinkId link, uint64_t incarnation) {
  Node& node = mesh[good];
  Hello hello;
  hello.cluster = node.options().cluster;
  hello.period_ms = node.options().rules.period_ms;
  hello.self = {"evil", 99};
  hello.wall_ms = mesh.now(good).wall_ms;
  Accept accept{hello.wall_ms, {}};
  VersionVector vector;
  vector.Add({node.self().node, incarnation}, 1, 1);
  accept.report.vector = std::make_shared<const VersionVector>(vector);
  node.OnAccepted(mesh.now(good), link, "good:1", "evil:2");
  node.OnMessage(mesh.now(good), link, hello);
  node.OnMessage(mesh.now(good), link, accept);
  mesh.Settle();
  return link;
}

TEST_F(Hostile, LaterSelvesAgainAndAgain) {
  mesh_.Break(Mesh::OtherEnd(link_));
  for (int64_t n = 0; n < kOutrunBurst; ++n) {
    const uint64_t before = mesh_[good_].self().incarnation;
    Meet(mesh_, good_, LinkId{1000 + static_cast<uint64_t>(n)}, before + 1);
    EXPECT_GT(mesh_[good_].self().incarnation, before + 1);
  }
  const ReplicaId last = mesh_[good_].self();
  between_ = mesh_.Connect(good_, other_);
  ASSERT_TRUE(mesh_.alive(between_));
  Meet(mesh_, good_, LinkId{2000}, last.incarnation + 1);
  EXPECT_EQ(mesh_[good_].self(), last);
  EXPECT_TRUE(mesh_.alive(between_));
  EXPECT_EQ(mesh_[good_].GetStatus().cut_offs, 1u);
  EXPECT_TRUE(mesh_.Logged(good_, "again and again it knows later selves"));
}

// There is no incarnation above the greatest number.
TEST_F(Hostile, ASelfAtTheEndOfAllNumbers) {
  mesh_.Break(Mesh::OtherEnd(link_));
  const ReplicaId good = mesh_[good_].self();
  Meet(mesh_, good_, LinkId{1000}, UINT64_MAX);
  EXPECT_EQ(mesh_[good_].self(), good);
  EXPECT_TRUE(mesh_.alive(between_));
  Meet(mesh_, good_, LinkId{1001}, UINT64_MAX - 1);
  EXPECT_EQ(mesh_[good_].self().incarnation, UINT64_MAX);
  EXPECT_TRUE(mesh_.alive(mesh_.Connect(good_, other_)));
}

TEST_F(Hostile, WritesFromTheFutureAgainAndAgain) {
  for (int64_t n = 0; n < kBogusBurst; ++n) {
    Send(Live{{FromTheFuture(1)}});
    mesh_.Settle();
    ASSERT_FALSE(mesh_.alive(link_));
    ASSERT_EQ(mesh_[good_].GetStatus().cut_offs, 0u);
    link_ = Next(mesh_.Connect(evil_, good_));
    ASSERT_TRUE(mesh_.alive(link_));
  }
  Send(Live{{FromTheFuture(1)}});
  ExpectCutOff("again and again");
  EXPECT_EQ(mesh_.Value(good_, "future1"), "(none)");
}

TEST_F(Hostile, WhatCantBeRead) {
  mesh_[good_].OnMalformed(mesh_.now(good_), link_, "a bad key");
  ExpectCutOff("what it sent can't be read: a bad key");
}

TEST_F(Hostile, WhatAStrangerSendsIsHungUpOnSilently) {
  const LinkId link = Next(mesh_.Dial(other_, good_));
  mesh_[good_].OnMalformed(mesh_.now(good_), link, "junk");
  EXPECT_EQ(mesh_[good_].GetStatus().cut_offs, 0u);
  mesh_.Settle();
  EXPECT_FALSE(mesh_.Logged(good_, "junk"));
  EXPECT_TRUE(mesh_.alive(between_));
  mesh_[good_].OnMalformed(mesh_.now(good_), LinkId{12345}, "junk");  // a link that is gone
}

// A session that good asked evil for: evil's own code answers it, and the test another after it.
class HostileSession : public Hostile {
 protected:
  void SetUp() override {
    Report report;
    report.vector = Vector({{mesh_[evil_].self(), 5}});
    Send(report);
    mesh_.Advance(kLackMs + 10);  // good asks evil, whose honest half answers, and has nothing
    report.vector = Vector({{mesh_[evil_].self(), 9}});
    Send(report);
    mesh_.Skip(kLackMs);
    mesh_[good_].Tick(mesh_.now(good_));
    for (const auto& send : mesh_[good_].Take().send) {
      if (const auto* request = std::get_if<SessionRequest>(&send.message)) session_ = request->session;
    }
    ASSERT_NE(session_, 0u);
  }
  uint64_t session_ = 0;
};

TEST_F(HostileSession, WithAWriteFromTheFutureJoinsNothing) {
  auto entry = std::make_shared<Entry>(*FromTheFuture(1));
  entry->dot.replica = {"gone", 7};
  Send(SessionEntries{session_, {entry}});
  EXPECT_TRUE(mesh_.alive(link_));
  Send(SessionEnd{session_, Vector({{{"gone", 7}, 3}})});
  EXPECT_FALSE(mesh_[good_].vector().Covers(Dot{{"gone", 7}, 1}));
}

TEST_F(HostileSession, ThatNeverEndsIsGivenUp) {
  for (int64_t ms = 0; ms <= kSessionMostMs; ms += 2000) {
    mesh_.Skip(2000);
    Send(SessionEntries{session_, {}});
  }
  mesh_[good_].Tick(mesh_.now(good_));
  ASSERT_TRUE(mesh_.alive(link_));
  Send(SessionEnd{session_, Vector({{{"gone", 7}, 3}})});
  EXPECT_FALSE(mesh_[good_].vector().Covers(Dot{{"gone", 7}, 1}));
}

// The end of a session claims what never was: of this node, and of one that it is linked with and hears itself.
TEST_F(HostileSession, CoversAtItsEndNothingThatIsNotThere) {
  ASSERT_THAT(mesh_.Set(other_, "k", "v"), IsOk());
  mesh_.Settle();
  const ReplicaId good = mesh_[good_].self(), other = mesh_[other_].self(), evil = mesh_[evil_].self();
  const ReplicaId gone{"gone", 7};
  Send(SessionEnd{session_, Vector({{evil, 9}, {gone, 3}, {good, 4}, {other, 1000}})});
  const VersionVector& covered = mesh_[good_].vector();
  EXPECT_TRUE(covered.Covers(Dot{evil, 9}));
  EXPECT_TRUE(covered.Covers(Dot{gone, 3}));
  EXPECT_FALSE(covered.Covers(Dot{good, 1}));
  EXPECT_TRUE(covered.Covers(Dot{other, 1}));
  EXPECT_FALSE(covered.Covers(Dot{other, 2}));
  // What other writes from now on is not taken for known.
  ASSERT_THAT(mesh_.Set(other_, "k", "news"), IsOk());
  ASSERT_THAT(mesh_.Set(good_, "mine", "here"), IsOk());
  mesh_.Advance(500);
  EXPECT_EQ(mesh_.Value(good_, "k"), "news");
  EXPECT_EQ(mesh_.Value(other_, "mine"), "here");
  EXPECT_TRUE(mesh_.alive(between_));
}

// A seed that claims what nobody ever wrote keeps no joiner from serving.
TEST_F(Hostile, AJoinerIsNotKeptWaiting) {
  NodeOptions options = Mesh::Options("joiner");
  options.seeds = {"liar:1"};
  const int joiner = mesh_.Add(options);
  Node& node = mesh_[joiner];
  node.Tick(mesh_.now(joiner));
  node.OnResolved(mesh_.now(joiner), "liar:1", {"liar:1"});
  mesh_.Connect(other_, joiner);
  constexpr LinkId kLink{99};
  Hello hello;
  hello.cluster = options.cluster;
  hello.period_ms = options.rules.period_ms;
  hello.self = {"liar", 1};
  hello.wall_ms = mesh_.now(joiner).wall_ms;
  Accept accept{hello.wall_ms, {}};
  accept.report.vector = Vector({{mesh_[other_].self(), 1000}});
  node.OnDialed(mesh_.now(joiner), kLink, "liar:1", "joiner:1");
  node.OnMessage(mesh_.now(joiner), kLink, hello);
  node.OnMessage(mesh_.now(joiner), kLink, accept);
  for (int n = 0; n < 29; ++n) {
    EXPECT_FALSE(node.ready());
    mesh_.Advance(100);
    node.OnMessage(mesh_.now(joiner), kLink, Ping{1});
  }
  mesh_.Advance(200);
  EXPECT_TRUE(node.ready());
}

TEST_F(Hostile, NoClientMakesItsNodeLookLikeAFlood) {
  int sent = 0, refused = 0;
  for (int64_t n = 0; n < 3 * kControlBurst; ++n) {
    const auto done = mesh_[good_].SendBroadcast(mesh_.now(good_), "", "x");
    ++(done.ok() ? sent : refused);
    if (!done.ok()) {
      EXPECT_THAT(done, HasReason("BYTES_LIMIT"));
      EXPECT_GT(RetryMsOf(done.status()), 0);
    }
  }
  EXPECT_EQ(sent, kClientPerSecond);
  EXPECT_GT(refused, 0);
  mesh_.Settle();
  EXPECT_EQ(mesh_[other_].GetStatus().cut_offs, 0u);
  EXPECT_EQ(mesh_.peer(other_).heard.size(), static_cast<size_t>(sent));
  mesh_.Advance(1100);
  EXPECT_THAT(mesh_[good_].SendBroadcast(mesh_.now(good_), "", "x"), IsOk());
}

}  // namespace
}  // namespace leasemap::core
