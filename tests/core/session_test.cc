// Live entries, sessions and reports between a few nodes.
#include "peer/core/sync/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

TEST(Live, OneHopAndEveryWrite) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  mesh.Connect(a, b);
  for (int i = 0; i < 10; ++i) ASSERT_THAT(mesh.Set(a, "k", std::to_string(i)), IsOk());
  mesh.Settle();
  EXPECT_EQ(mesh.Value(b, "k"), "9");
  EXPECT_EQ(mesh[a].vector(), mesh[b].vector());
  EXPECT_EQ(mesh[b].store().head(), 10u);  // replaced ones too
}

TEST(Session, AJoinerGetsTheMapAndItsTombstones) {
  Mesh mesh;
  const int a = mesh.Add("a");
  for (int i = 0; i < 1000; ++i) ASSERT_THAT(mesh.Set(a, absl::StrCat("k", i), "v"), IsOk());
  WriteCommand erase;
  erase.change = Change::kDelete;
  erase.key = "k5";
  erase.holder = "a";
  ASSERT_THAT(mesh.Write(a, erase), IsOk());
  mesh.Settle();
  const int b = mesh.Add("b");
  mesh.Connect(b, a);
  EXPECT_EQ(mesh[a].vector(), mesh[b].vector());
  EXPECT_EQ(mesh[a].store().hashes(), mesh[b].store().hashes());
  EXPECT_EQ(mesh[b].store().live_keys(), 999u);
  EXPECT_EQ(mesh[b].store().keys(), 1000u);
}

// The vector is the one of the start: an entry that is replaced behind the walk is not claimed.
TEST(Session, TheVectorIsTakenAtTheStart) {
  Store store;
  VersionVector vector;
  const auto put = [&](const std::string& key, uint64_t seq) {
    auto entry = std::make_shared<Entry>();
    entry->key = key;
    entry->value = std::string(kBatchBytes, 'v');  // one a message
    entry->lease.epoch = seq;
    entry->dot = {{"n", 1}, seq};
    vector.Add(entry->dot);
    store.Merge(entry);
  };
  put("a", 1);
  put("b", 2);
  ServedSession session(7, std::make_shared<VersionVector>(), std::make_shared<VersionVector>(vector));
  const auto first = std::get<SessionEntries>(session.Next(store));
  EXPECT_EQ(first.session, 7u);
  ASSERT_EQ(first.entries.size(), 1u);
  EXPECT_EQ(first.entries[0]->key, "a");
  put("a", 3);  // behind the walk
  put("b", 4);  // before it
  const auto second = std::get<SessionEntries>(session.Next(store));
  ASSERT_EQ(second.entries.size(), 1u);
  EXPECT_EQ(second.entries[0]->dot.seq, 4u);
  EXPECT_FALSE(session.done());
  const auto end = std::get<SessionEnd>(session.Next(store));
  EXPECT_TRUE(session.done());
  EXPECT_TRUE(end.vector->Covers(Dot{{"n", 1}, 2}));
  EXPECT_FALSE(end.vector->Covers(Dot{{"n", 1}, 3}));
}

TEST(Session, WhatTheAskerCoversIsNotSent) {
  Store store;
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    auto entry = std::make_shared<Entry>();
    entry->key = std::string(1, static_cast<char>('a' + seq));
    entry->dot = {{"n", 1}, seq};
    store.Merge(entry);
  }
  auto theirs = std::make_shared<VersionVector>();
  theirs->Add(Dot{{"n", 1}, 2});
  ServedSession session(1, theirs, std::make_shared<VersionVector>());
  const auto entries = std::get<SessionEntries>(session.Next(store));
  EXPECT_EQ(entries.entries.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<SessionEnd>(session.Next(store)));
}

// A session fills gaps in any order: what is told to everybody ten times a second meanwhile has to stay small.
TEST(Session, WhoIsInOneReportsFewOfItsGaps) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  mesh.Advance(1000);
  Live live;
  for (uint64_t seq = 1; seq <= 4000; seq += 2) {
    auto entry = std::make_shared<Entry>();
    entry->key = absl::StrCat("k", seq);
    entry->dot = {mesh[a].self(), seq};
    live.entries.push_back(std::move(entry));
  }
  mesh[b].OnMessage(mesh.now(b), Next(link), live);
  mesh[b].Take();
  mesh.Skip(1000);
  mesh[b].Tick(mesh.now(b));
  const Report* report = nullptr;
  const Effects effects = mesh[b].Take();
  for (const auto& send : effects.send) {
    if (const auto* found = std::get_if<Report>(&send.message)) report = found;
  }
  ASSERT_NE(report, nullptr);
  EXPECT_TRUE(report->cut_short);
  EXPECT_TRUE(report->vector->Covers(Dot{mesh[a].self(), 1}));
  EXPECT_LE(report->vector->exceptions(), 4 * 64u);
  EXPECT_EQ(mesh[b].vector().exceptions(), 1999u);
}

TEST(Session, OneThatIsCutJoinsNothingButKeepsWhatCame) {
  Mesh mesh;
  const int a = mesh.Add("a"), c = mesh.Add("c");
  // Writes of c that a got, and c is gone: b can have them by a session only.
  const LinkId ac = mesh.Connect(a, c);
  for (int i = 0; i < 2000; ++i) ASSERT_THAT(mesh.Set(c, absl::StrCat("k", i % 1200), "v"), IsOk());
  mesh.Settle();
  mesh.Break(ac);
  const int b = mesh.Add("b");
  const LinkId ab = mesh.Dial(b, a);
  mesh.Settle(6);  // the handshake, the request, and the first of the entries
  mesh.Break(ab);
  const uint64_t came = mesh[b].store().keys();
  EXPECT_GT(came, 0u);
  EXPECT_LT(came, 1200u);
  uint64_t covered = 0;
  for (uint64_t seq = 1; seq <= 2000; ++seq) covered += mesh[b].vector().Covers(Dot{mesh[c].self(), seq});
  EXPECT_EQ(covered, came);  // exactly the dots of what came
  mesh.Connect(b, a);
  EXPECT_EQ(mesh[b].vector(), mesh[a].vector());
  EXPECT_EQ(mesh[b].store().hashes(), mesh[a].store().hashes());
}

TEST(Session, AMissingLinkIsBridgedWithinSeconds) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b"), c = mesh.Add("c");
  mesh.Connect(a, b);
  mesh.Connect(b, c);
  mesh.Advance(200);
  ASSERT_THAT(mesh.Set(a, "k", "v"), IsOk());
  mesh.Advance(1500);
  EXPECT_EQ(mesh.Value(c, "k"), "v");
  EXPECT_EQ(mesh[a].vector(), mesh[c].vector());
}

// c lacks old writes of a dead member for good, and b's newest for a moment each, without an end. The newest must not
// keep the old ones from being asked for. (b names c's own lack by its report; its live entries come late.)
TEST(Session, FreshWritesDoNotHideWhatIsLackedForLong) {
  Mesh mesh;
  const int b = mesh.Add("b"), c = mesh.Add("c"), z = mesh.Add("z");
  mesh.Connect(b, c);
  mesh.Advance(100);
  mesh.Connect(z, b);
  ASSERT_THAT(mesh.Set(z, "old", "v"), IsOk());
  mesh.Settle();
  const LinkId far{4};
  EXPECT_TRUE(mesh.alive(far));
  mesh.Break(far);
  // From here on reports reach c before the entries that they name: a report each 100 ms claims one write more.
  for (int i = 0; i < 40 && mesh.Value(c, "old") != "v"; ++i) {
    Report report;
    auto claimed = std::make_shared<VersionVector>(mesh[b].vector());
    claimed->Add(mesh[b].self(), 1, static_cast<uint64_t>(i + 1));
    report.vector = claimed;
    mesh[c].OnMessage(mesh.now(c), LinkId{3}, report);
    mesh.Settle();
    mesh.Advance(90);
    ASSERT_THAT(mesh.Set(b, "new", std::to_string(i)), IsOk());
    mesh.Settle();
  }
  EXPECT_EQ(mesh.Value(c, "old"), "v");
}

TEST(Session, EntriesFromTheFutureAreLeftOutAndNotCovered) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  mesh.Connect(a, b);
  auto entry = std::make_shared<Entry>();
  entry->key = "k";
  entry->dot = {{"x", 1}, 1};
  entry->stamp = StampAt(mesh.now(b).wall_ms + 60'000);
  mesh[b].OnMessage(mesh.now(b), LinkId{3}, Live{{entry}});
  EXPECT_EQ(mesh[b].store().keys(), 0u);
  EXPECT_FALSE(mesh[b].vector().Covers(entry->dot));
  EXPECT_TRUE(mesh.alive(LinkId{2}));
  // The sender's own: the link is refused.
  auto own = std::make_shared<Entry>(*entry);
  own->dot.replica = mesh[a].self();
  mesh[b].OnMessage(mesh.now(b), LinkId{3}, Live{{own}});
  mesh.Settle();
  EXPECT_FALSE(mesh.alive(LinkId{2}));
  EXPECT_TRUE(mesh.Logged(b, "CLOCK_MISMATCH"));
  EXPECT_TRUE(mesh.Logged(a, "CLOCK_MISMATCH"));
}

TEST(Session, ASilentServerIsGivenUpForAnother) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId ab = mesh.Connect(a, b);
  ASSERT_THAT(mesh.Set(a, "k", "v"), IsOk());
  mesh.Settle();
  const int c = mesh.Add("c");
  const LinkId ca = mesh.Dial(c, a);
  mesh.Settle(4);
  mesh.Freeze(ca);
  mesh.Connect(c, b);
  mesh.Advance(6000);
  EXPECT_TRUE(mesh.alive(ab));
  EXPECT_EQ(mesh.Value(c, "k"), "v");
}

// Over a thin link a value takes minutes, and all that comes for long is its pieces.
class ThinLink : public testing::Test {
 protected:
  ThinLink() {
    EXPECT_THAT(mesh_.Set(a_, "k", "v"), IsOk());
    link_ = mesh_.Dial(b_, a_);
    mesh_.Settle(4);  // b has asked for a session
    mesh_.Freeze(link_);
  }
  // Pieces come, seldom, for so long.
  void Trickle(int64_t ms) {
    for (const MonoTime end = mesh_.now(b_).mono + ms; mesh_.now(b_).mono < end;) {
      mesh_[b_].OnPiece(mesh_.now(b_), link_);
      mesh_.Skip(kSilentMs * kSilentInMessage - 1);
      mesh_[b_].Tick(mesh_.now(b_));
      ASSERT_TRUE(mesh_[b_].links().IsUp(link_));
    }
    mesh_[b_].OnPiece(mesh_.now(b_), link_);
  }

  Mesh mesh_;
  const int a_ = mesh_.Add("a"), b_ = mesh_.Add("b");
  LinkId link_{};
};

TEST_F(ThinLink, PiecesKeepLinkAndSession) {
  Trickle(3 * kSessionMostMs);
  mesh_.Thaw(link_);
  EXPECT_EQ(mesh_.Value(b_, "k"), "v");
  // Between messages silence counts as ever.
  mesh_.Freeze(link_);
  mesh_.Skip(kSilentMs);
  mesh_[b_].Tick(mesh_.now(b_));
  EXPECT_FALSE(mesh_[b_].links().IsUp(link_));
}

TEST_F(ThinLink, GivesWayToAnotherMember) {
  const int c = mesh_.Add("c");
  mesh_.Connect(c, a_);
  mesh_.Settle();
  ASSERT_EQ(mesh_.Value(c, "k"), "v");
  const LinkId other = mesh_.Connect(b_, c);
  EXPECT_EQ(mesh_.Value(b_, "k"), "(none)");
  for (int64_t ms = 0; ms <= kSessionTurnMs; ms += 1000) {
    mesh_[b_].OnPiece(mesh_.now(b_), link_);
    mesh_.Advance(1000);
  }
  ASSERT_TRUE(mesh_[b_].links().IsUp(other));
  EXPECT_EQ(mesh_.Value(b_, "k"), "v");
  EXPECT_TRUE(mesh_[b_].links().IsUp(link_));
}

TEST(Live, WhoFallsOffTheLogIsFilledInByASession) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  mesh.Break(link);
  for (size_t i = 0; i < kOwnLogEntries + 500; ++i) {
    ASSERT_THAT(mesh.Set(a, absl::StrCat("k", i % 700), std::to_string(i)), IsOk());
  }
  mesh.Connect(a, b);
  mesh.Advance(2000);
  EXPECT_EQ(mesh[a].vector(), mesh[b].vector());
  EXPECT_EQ(mesh[a].store().hashes(), mesh[b].store().hashes());
}

TEST(Broadcasts, ReachLinkedNodesAndNotTheSender) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b"), c = mesh.Add("c");
  mesh.Connect(a, b);
  mesh.Connect(a, c);
  EXPECT_EQ(*mesh[a].SendBroadcast(mesh.now(a), "", "hello"), 2);
  EXPECT_EQ(*mesh[a].SendBroadcast(mesh.now(a), "b", "you"), 1);
  EXPECT_EQ(mesh[a].SendBroadcast(mesh.now(a), "nobody", "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(mesh[a].SendBroadcast(mesh.now(a), "", std::string(kMaxBroadcastBytes + 1, 'x')).ok());
  mesh.Settle();
  EXPECT_EQ(mesh.peer(b).heard.size(), 2u);
  ASSERT_EQ(mesh.peer(c).heard.size(), 1u);
  EXPECT_EQ(mesh.peer(c).heard[0].from_node, "a");
  EXPECT_TRUE(mesh.peer(a).heard.empty());
}

}  // namespace
}  // namespace leasemap::core
