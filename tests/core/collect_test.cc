// What everybody knows can go: deletes, lapsed keys, the incarnations of the past, and members that are gone.
#include <gtest/gtest.h>

#include <algorithm>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

constexpr int64_t kHours = 3'600'000;

WriteCommand DeleteOf(const Mesh& mesh, int i, const std::string& key) {
  WriteCommand command = mesh.Command(i, key);
  command.change = Change::kDelete;
  return command;
}

// Three linked nodes; a key was set on the first, and deleted.
class Collecting : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* id : {"A", "B", "C"}) mesh_.Add(id);
    LinkAll();
    mesh_.Advance(4000);
    ASSERT_THAT(mesh_.Set(0, "k", "old"), IsOk());
    mesh_.Settle();
  }
  void LinkAll() {
    Link(0, 1);
    Link(0, 2);
    Link(1, 2);
  }
  LinkId Link(int a, int b) { return mesh_.Connect(a, b); }
  // Nothing is looked at for so long; links don't outlive it.
  void Pass(int64_t ms) {
    mesh_.Skip(ms);
    mesh_.Advance(10);
  }
  size_t Keys(int i) { return mesh_[i].store().keys(); }

  Mesh mesh_;
};

TEST_F(Collecting, ADeleteGoesOnceAllCoverItAndAnHourHasPassed) {
  ASSERT_THAT(mesh_.Write(0, DeleteOf(mesh_, 0, "k")), IsOk());
  mesh_.Advance(kCollectEveryMs + 1000);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Keys(i), 1u) << "too early on " << i;
  Pass(2 * kHours);
  LinkAll();
  mesh_.Advance(kCollectEveryMs + 1000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Keys(i), 0u) << i;
    EXPECT_EQ(mesh_[i].GetStatus().collected, 1u);
    EXPECT_FALSE(mesh_[i].replica().floor().empty());
    EXPECT_EQ(mesh_[i].vector(), mesh_[0].vector());
  }
}

TEST_F(Collecting, NothingGoesByAClockThatNobodyAgreesWith) {
  ASSERT_THAT(mesh_.Write(0, DeleteOf(mesh_, 0, "k")), IsOk());
  mesh_.Settle();
  mesh_.peer(2).offset_ms = 3 * kHours;
  mesh_.Advance(2 * kCollectEveryMs);  // its links go, and then it is alone with that clock
  EXPECT_EQ(Keys(2), 1u);
  mesh_.peer(2).offset_ms = 0;
  Pass(2 * kHours);
  LinkAll();
  mesh_.Advance(kCollectEveryMs + 1000);
  EXPECT_EQ(Keys(2), 0u);
}

// A wrote it and B deleted it: A's log has the write still, and nobody has the delete any more.
TEST_F(Collecting, ANewcomerHearsOfThePastOnlyWhatStands) {
  WriteCommand gone = DeleteOf(mesh_, 1, "k");
  gone.holder = mesh_[0].Get(mesh_.now(0), "k")->lease.holder;
  ASSERT_THAT(mesh_.Write(1, gone), IsOk());
  mesh_.Settle();
  Pass(2 * kHours);
  LinkAll();
  mesh_.Advance(kCollectEveryMs + 1000);
  ASSERT_EQ(Keys(0), 0u);
  const int late = mesh_.Add("D");
  for (int i = 0; i < 3; ++i) Link(late, i);
  mesh_.Advance(3000);
  EXPECT_TRUE(mesh_[late].ready());
  EXPECT_EQ(Keys(late), 0u);
  EXPECT_EQ(mesh_[late].vector(), mesh_[0].vector());
}

TEST_F(Collecting, AMemberThatIsAwayHoldsItUpUntilItIsForgotten) {
  mesh_.Restart(2);  // ends its links; nobody dials it here
  const uint64_t before = mesh_[2].self().incarnation;
  ASSERT_THAT(mesh_.Write(0, DeleteOf(mesh_, 0, "k")), IsOk());
  Pass(2 * kHours);
  Link(0, 1);
  mesh_.Advance(kCollectEveryMs + 1000);
  EXPECT_EQ(Keys(0), 1u);
  EXPECT_EQ(Keys(1), 1u);
  EXPECT_EQ(mesh_[0].GetStatus().remembered, 3u);
  ASSERT_THAT(mesh_[0].Forget(mesh_.now(0), "C"), IsOk());
  mesh_.Advance(kCollectEveryMs + 1000);
  EXPECT_EQ(mesh_[0].GetStatus().remembered, 2u);
  EXPECT_EQ(mesh_[1].GetStatus().remembered, 2u);  // the record spreads
  EXPECT_EQ(Keys(0), 0u);
  EXPECT_EQ(Keys(1), 0u);
  // It comes back empty: a member like any other, and nothing to reset.
  Link(0, 2);
  mesh_.Advance(1000);
  EXPECT_EQ(mesh_[0].GetStatus().remembered, 3u);
  EXPECT_EQ(mesh_[1].GetStatus().remembered, 3u);
  EXPECT_EQ(mesh_[2].self().incarnation, before);
  EXPECT_EQ(mesh_[2].vector(), mesh_[0].vector());
}

// C lost its power and starts again with nothing. A is linked with it, and B, which has not noticed, still relays what
// C covered before.
TEST_F(Collecting, WhatANeighbourRelaysOfAnEarlierProcessDoesNotCount) {
  mesh_.Restart(2);  // ends its links
  ASSERT_THAT(mesh_.Write(0, DeleteOf(mesh_, 0, "k")), IsOk());
  mesh_.Settle();
  Pass(2 * kHours);
  const LinkId to_b = Link(0, 1);
  mesh_.Freeze(to_b);
  Link(1, 2);
  ASSERT_TRUE(mesh_[2].vector().Covers(mesh_[0].vector()));
  mesh_.Advance(kReportEveryMs + 100);  // B's report with C's is on its way to A
  const int again = mesh_.Add("C");
  const LinkId to_c = mesh_.Dial(0, again);
  const auto met = [&](const Member& member) { return member.id == mesh_[again].self() && member.linked; };
  for (bool linked = false; !linked;) {
    ASSERT_GT(mesh_.Settle(1), 0);
    const auto members = mesh_[0].GetStatus().members;
    linked = std::any_of(members.begin(), members.end(), met);
  }
  mesh_.Freeze(to_c);
  ASSERT_TRUE(mesh_[again].vector().empty());
  mesh_.Thaw(to_b);
  mesh_.Advance(kCollectEveryMs + 1000);
  EXPECT_EQ(Keys(0), 1u);
}

TEST_F(Collecting, ALapsedEphemeralKeyGoesTheSameWay) {
  WriteCommand command = mesh_.Command(0, "e");
  command.ephemeral = true;
  command.duration_ms = 5000;
  ASSERT_THAT(mesh_.Write(0, command), IsOk());
  mesh_.Advance(6000);
  EXPECT_EQ(mesh_.Value(1, "e"), "(none)");
  EXPECT_EQ(Keys(1), 2u);
  Pass(2 * kHours);
  LinkAll();
  mesh_.Advance(kCollectEveryMs + 1000);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Keys(i), 1u) << i;
}

TEST_F(Collecting, ACursorBelowTheFloorExpiresAndALaterOneDoesNot) {
  const auto cursor_of = [&](int i) {
    auto watch = mesh_[i].StartWatch(mesh_.now(i), {}, true, "");
    EXPECT_THAT(watch, IsOk());
    auto batch = mesh_[i].ReadWatch(mesh_.now(i), *watch);
    EXPECT_THAT(batch, IsOk());
    return batch->cursor;
  };
  const std::string early = cursor_of(1);
  ASSERT_THAT(mesh_.Write(0, DeleteOf(mesh_, 0, "k")), IsOk());
  mesh_.Settle();
  const std::string late = cursor_of(1);
  Pass(2 * kHours);
  LinkAll();
  mesh_.Advance(kCollectEveryMs + 1000);
  for (int i = 0; i < 3; ++i) {
    auto watch = mesh_[i].StartWatch(mesh_.now(i), {}, false, early);
    ASSERT_THAT(watch, IsOk());
    EXPECT_THAT(mesh_[i].ReadWatch(mesh_.now(i), *watch), HasReason("CURSOR_EXPIRED")) << i;
    watch = mesh_[i].StartWatch(mesh_.now(i), {}, false, late);
    ASSERT_THAT(watch, IsOk());
    EXPECT_THAT(mesh_[i].ReadWatch(mesh_.now(i), *watch), IsOk()) << i;
  }
}

// The floor covers what lapsed by the dot it was set with, which the cursor covers, too.
TEST_F(Collecting, ACursorOfBeforeALapseThatWasCollectedExpires) {
  WriteCommand command = mesh_.Command(0, "e");
  command.ephemeral = true;
  command.duration_ms = 5000;
  ASSERT_THAT(mesh_.Write(0, command), IsOk());
  mesh_.Settle();
  auto watch = mesh_[1].StartWatch(mesh_.now(1), {}, true, "");
  ASSERT_THAT(watch, IsOk());
  const std::string cursor = mesh_[1].ReadWatch(mesh_.now(1), *watch)->cursor;  // e was set
  mesh_.Advance(6000);
  Pass(2 * kHours);
  LinkAll();
  mesh_.Advance(kCollectEveryMs + 1000);
  auto fresh = mesh_[1].StartWatch(mesh_.now(1), {}, true, "");
  ASSERT_THAT(fresh, IsOk());
  const std::string later = mesh_[1].ReadWatch(mesh_.now(1), *fresh)->cursor;
  // One that comes only now, and never had the entry, does not know what lapsed, but that something may have.
  const int joiner = mesh_.Add("D");
  mesh_.Connect(joiner, 0);
  mesh_.Advance(4000);
  for (const int i : {0, 1, 2, joiner}) {
    ASSERT_EQ(mesh_[i].store().Find("e"), nullptr);
    auto old = mesh_[i].StartWatch(mesh_.now(i), {}, false, cursor);
    ASSERT_THAT(old, IsOk());
    EXPECT_THAT(mesh_[i].ReadWatch(mesh_.now(i), *old), HasReason("CURSOR_EXPIRED")) << i;
    auto on = mesh_[i].StartWatch(mesh_.now(i), {}, false, later);
    ASSERT_THAT(on, IsOk());
    EXPECT_THAT(mesh_[i].ReadWatch(mesh_.now(i), *on), IsOk()) << i;
  }
}

TEST_F(Collecting, AWatchThatStoodStillBeforeADeleteIsTold) {
  auto watch = mesh_[1].StartWatch(mesh_.now(1), {}, true, "");
  ASSERT_THAT(watch, IsOk());
  ASSERT_THAT(mesh_[1].ReadWatch(mesh_.now(1), *watch), IsOk());
  ASSERT_THAT(mesh_.Write(0, DeleteOf(mesh_, 0, "k")), IsOk());
  mesh_.Settle();
  auto reader = mesh_[1].StartWatch(mesh_.now(1), {}, true, "");
  ASSERT_THAT(mesh_[1].ReadWatch(mesh_.now(1), *reader), IsOk());
  Pass(2 * kHours);
  LinkAll();
  mesh_.Advance(kCollectEveryMs + 1000);
  EXPECT_THAT(mesh_[1].ReadWatch(mesh_.now(1), *watch), HasReason("CURSOR_EXPIRED"));
  EXPECT_THAT(mesh_[1].ReadWatch(mesh_.now(1), *reader), IsOk());
}

TEST_F(Collecting, WhoForgetsAMemberThatAnotherIsLinkedWithIsToldSo) {
  EXPECT_THAT(mesh_[0].Forget(mesh_.now(0), "C"), HasReason("REQUEST_INVALID"));
  EXPECT_THAT(mesh_[0].Forget(mesh_.now(0), "A"), HasReason("REQUEST_INVALID"));
  EXPECT_THAT(mesh_[0].Forget(mesh_.now(0), "nobody"), HasReason("REQUEST_INVALID"));
  Mesh line;
  for (const char* id : {"A", "B", "C"}) line.Add(id);
  line.Connect(0, 1);
  line.Connect(1, 2);
  line.Advance(1000);
  ASSERT_EQ(line[0].GetStatus().remembered, 3u);
  ASSERT_THAT(line[0].Forget(line.now(0), "C"), IsOk());
  EXPECT_EQ(line[0].GetStatus().remembered, 2u);
  line.Advance(1000);
  EXPECT_EQ(line[0].GetStatus().remembered, 3u);
  EXPECT_EQ(line[2].GetStatus().remembered, 3u);
}

TEST_F(Collecting, WhoLeavesIsNotWaitedForAndWhoIsSilentForLongIsForgotten) {
  mesh_[2].Leave(mesh_.now(2));
  mesh_.Settle();
  EXPECT_EQ(mesh_[0].GetStatus().remembered, 2u);
  mesh_.Restart(2);
  mesh_.Advance(1000);
  EXPECT_EQ(mesh_[1].GetStatus().remembered, 2u);
  mesh_.Restart(1);
  EXPECT_EQ(mesh_[0].GetStatus().remembered, 2u);
  Pass(kForgetAfterMs + 1000);
  EXPECT_EQ(mesh_[0].GetStatus().remembered, 1u);
}

TEST_F(Collecting, TwoHundredRestartsLeaveNoTraceInVectorsAndCursors) {
  for (int n = 0; n < 200; ++n) {
    mesh_.Restart(1);
    Link(0, 1);
    Link(1, 2);
    mesh_.Advance(200);
    ASSERT_THAT(mesh_.Set(1, "r", std::to_string(n), "h"), IsOk()) << n;
    mesh_.Advance(kCollectEveryMs + 200);
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(mesh_[i].vector().runs().size(), 3u) << i;
    EXPECT_TRUE(mesh_[i].vector().Covers(mesh_[0].vector()) && mesh_[0].vector().Covers(mesh_[i].vector())) << i;
    auto watch = mesh_[i].StartWatch(mesh_.now(i), {}, true, "");
    ASSERT_THAT(watch, IsOk());
    EXPECT_LT(mesh_[i].ReadWatch(mesh_.now(i), *watch)->cursor.size(), 400u);
  }
}

TEST_F(Collecting, ACursorOfBeforeAFoldResumesAndOneOfLostWritesDoesNot) {
  ASSERT_THAT(mesh_.Set(1, "r", "1"), IsOk());
  mesh_.Settle();
  const auto cursor_of = [&](int i) {
    auto watch = mesh_[i].StartWatch(mesh_.now(i), {}, true, "");
    return mesh_[i].ReadWatch(mesh_.now(i), *watch)->cursor;
  };
  const std::string shared = cursor_of(1);
  ASSERT_THAT(mesh_.Set(1, "r", "2"), IsOk());  // never sent
  const std::string lost = cursor_of(1);
  mesh_.Restart(1);
  Link(0, 1);
  Link(1, 2);
  mesh_.Advance(2 * kCollectEveryMs);
  for (int i = 0; i < 3; ++i) {
    ASSERT_GT(mesh_[i].vector().past_mark().upto, 0u) << i;
    auto good = mesh_[i].StartWatch(mesh_.now(i), {}, false, shared);
    EXPECT_TRUE(mesh_[i].ReadWatch(mesh_.now(i), *good)->first) << i;
    auto bad = mesh_[i].StartWatch(mesh_.now(i), {}, false, lost);
    std::string reason;
    for (int n = 0; n < 30 && reason.empty(); ++n) {
      reason = ReasonOf(mesh_[i].ReadWatch(mesh_.now(i), *bad).status());
      mesh_.Advance(100);
    }
    EXPECT_EQ(reason, "CURSOR_EXPIRED") << i;
  }
}

}  // namespace
}  // namespace leasemap::core
