// What becomes of what was written under a clock that was ahead, once it is set right: on one node, on all, on one
// side, for a joiner. The simulator's scenario `clocks` plays the rest.
#include "peer/core/sync/ceiling.h"

#include <gtest/gtest.h>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

constexpr int64_t kHour = 3'600'000, kAhead = 8 * kHour, kBound = 500;

Entry At(int64_t wall_ms) {
  Entry entry;
  entry.lease.epoch = static_cast<uint64_t>(wall_ms) << kEpochShift;
  entry.stamp = StampAt(wall_ms);
  return entry;
}

TEST(CeilingAlone, IsTheEndOfThePeriodAfterTheHighest) {
  for (const int64_t period_ms : {int64_t{4000}, kHour, 2 * kHour}) {
    Ceiling ceiling({true, period_ms, kBound});
    const int64_t now_ms = 1000 * kHour;
    ceiling.See(At(now_ms + 4 * kBound));
    EXPECT_FALSE(ceiling.Fix(now_ms));
    ceiling.See(At(now_ms + kAhead + 1234));
    EXPECT_TRUE(ceiling.Fix(now_ms));
    const int64_t least_ms = std::max(period_ms, kHour);
    EXPECT_EQ(ceiling.at_ms() % least_ms, 0);
    EXPECT_GT(ceiling.at_ms(), now_ms + kAhead + least_ms);
    EXPECT_LE(ceiling.at_ms(), now_ms + kAhead + 2 * least_ms);
    EXPECT_FALSE(IsBogus(ceiling.ReachAt(now_ms), At(ceiling.at_ms() - 1)));
    EXPECT_TRUE(IsBogus(ceiling.ReachAt(now_ms), At(ceiling.at_ms() + 1)));
  }
}

TEST(CeilingAlone, WhatIsBelowNeverRaisesIt) {
  Ceiling ceiling({true, kHour, kBound});
  const int64_t now_ms = 1000 * kHour;
  ceiling.See(At(now_ms + kAhead));
  ASSERT_TRUE(ceiling.Fix(now_ms));
  const int64_t fixed_ms = ceiling.at_ms();
  ceiling.See(At(fixed_ms - 1));
  EXPECT_FALSE(ceiling.Fix(now_ms));
  EXPECT_EQ(ceiling.at_ms(), fixed_ms);
  EXPECT_EQ(ceiling.EffectiveAt(fixed_ms), 0);  // the clock has come there
}

// Seed 20521 of clocks: an entry came between a reset and the old map's return, and was beyond the ceiling fixed later.
TEST(CeilingAlone, CoversWhatBothMapsHold) {
  Ceiling old_map({true, kHour, kBound}), new_map({true, kHour, kBound});
  const int64_t now_ms = 1000 * kHour;
  old_map.See(At(now_ms + kHour));
  new_map.See(At(now_ms + kAhead));
  new_map.Collected(At(now_ms + 2 * kAhead).lease.epoch);
  old_map.Join(new_map);
  ASSERT_TRUE(old_map.Fix(now_ms));
  EXPECT_GT(old_map.at_ms(), now_ms + 2 * kAhead);
  EXPECT_EQ(old_map.collected_epoch(), new_map.collected_epoch());
}

TEST(CeilingAlone, OfTwoMapsTheHigherYieldsAndBothKnow) {
  const CeilingWord none{0, true, 100}, low{1000, true, 101}, high{2000, true, 100}, empty{3000, false, 100};
  EXPECT_GT(CompareCeilings(high, low), 0);
  EXPECT_LT(CompareCeilings(low, high), 0);
  EXPECT_GT(CompareCeilings(low, none), 0);
  EXPECT_EQ(CompareCeilings(low, low), 0);
  EXPECT_EQ(CompareCeilings(high, empty), 0);
  EXPECT_EQ(CompareCeilings({100, true, 150}, {0, true, 100}), 0);  // both clocks are past it
}

TEST(LeaseEnds, ALeaseOfAClockThatWasAheadEndsItsDurationAfterItCame) {
  const LeaseRules rules;
  Entry entry;
  entry.lease.duration_ms = 10'000;
  entry.lease.expire_ms = kAhead + 10'000;
  EXPECT_EQ(LeaseEnd(rules, entry, 0, 0), 10'000);
  EXPECT_EQ(LeaseEnd(rules, entry, 3000, 3000), 10'000);
  EXPECT_EQ(LeaseEnd(rules, entry, kAhead + 5000, kAhead + 5000), 10'000);  // also when less than it is left
  entry.lease.released = true;
  EXPECT_EQ(LeaseEnd(rules, entry, 3000, 3000), 0);
  entry.lease.released = false;
  entry.lease.expire_ms = 10'000 + 4 * kBound;  // clocks differ
  EXPECT_EQ(LeaseEnd(rules, entry, 0, 0), entry.lease.expire_ms);
}

class Ahead : public testing::Test {
 protected:
  int Add(const std::string& id, int64_t ahead_ms) {
    const int i = mesh_.Add(Mesh::Options(id), ahead_ms);
    mesh_.Advance(11'000);  // ready, also without a seed that answers
    return i;
  }
  std::string Set(int i, const std::string& key, const std::string& holder, int64_t duration_ms = 10'000,
                  bool ephemeral = false) {
    WriteCommand command = mesh_.Command(i, key, holder);
    command.holder = holder;
    command.duration_ms = duration_ms;
    command.ephemeral = ephemeral;
    const auto written = mesh_.Write(i, command);
    mesh_.Settle();
    return written.ok() ? "OK" : ReasonOf(written.status());
  }
  // A node that is not ready before it was linked with two others.
  static NodeOptions Waits(const std::string& id) {
    NodeOptions options = Mesh::Options(id);
    options.min_members = 3;
    return options;
  }
  void SetRight() {
    for (int i = 0; i < nodes_; ++i) mesh_.peer(i).offset_ms = 0;
  }
  bool Noted(int i, const std::string& part) {
    for (const auto& note : mesh_[i].GetStatus().notes) {
      if (note.find(part) != std::string::npos) return true;
    }
    return false;
  }

  Mesh mesh_;
  int nodes_ = 0;
};

TEST_F(Ahead, OneNodeAloneGoesOn) {
  Add("a", kAhead);
  nodes_ = 1;
  EXPECT_EQ(Set(0, "k", "h"), "OK");
  EXPECT_EQ(Set(0, "gone", "h", 2000, true), "OK");
  mesh_.Advance(3000);
  EXPECT_EQ(mesh_.Value(0, "gone"), "(none)");
  SetRight();
  EXPECT_EQ(Set(0, "k", "h"), "OK");
  EXPECT_EQ(Set(0, "eph", "h", 5000, true), "OK");
  EXPECT_EQ(mesh_.Value(0, "eph"), "h");
  EXPECT_TRUE(Noted(0, "clock that was ahead"));
  mesh_.Advance(5000);
  EXPECT_EQ(mesh_.Value(0, "eph"), "(none)");
  // Another holder, once the lease has run its duration here.
  EXPECT_EQ(Set(0, "k", "other"), "LEASE_HELD");
  mesh_.Advance(5000 + kBound);
  EXPECT_EQ(Set(0, "k", "other"), "OK");
  EXPECT_LE(mesh_[0].Get(mesh_.now(0), "k")->lease.start_s * 1000, mesh_.now(0).wall_ms + 1000);
  EXPECT_EQ(mesh_[0].retirement().resets(), 0u);
}

TEST_F(Ahead, ATakeoverBeginsWhenTheLeaseEndedHere) {
  Add("a", kAhead);
  nodes_ = 1;
  EXPECT_EQ(Set(0, "k", "h"), "OK");
  const EntryPtr held = mesh_[0].Get(mesh_.now(0), "k");
  mesh_.Advance(1000);
  SetRight();
  const int64_t end_ms = mesh_.now(0).wall_ms + 9000;
  mesh_.Advance(9000 + kBound);
  EXPECT_EQ(Set(0, "k", "other"), "OK");
  const EntryPtr taken = mesh_[0].Get(mesh_.now(0), "k");
  EXPECT_GE(taken->lease.start_s * 1000, end_ms);
  EXPECT_LE(taken->lease.start_s * 1000, end_ms + 1000);
  EXPECT_GT(FencingToken(taken->lease), FencingToken(held->lease));
}

// The ready node is gone; what it wrote is with one that was not ready yet, and lies beyond every clock.
TEST_F(Ahead, WhatIsLeftOfAMapWithoutReadyHoldersIsTaken) {
  Add("a", kAhead);
  EXPECT_EQ(Set(0, "k", "h"), "OK");
  const int b = mesh_.Add(Waits("b"), kAhead);
  mesh_.Connect(b, 0);
  mesh_.Advance(2000);
  ASSERT_EQ(mesh_[b].store().keys(), 1u);
  ASSERT_FALSE(mesh_[b].ready());
  mesh_.Kill(0);
  mesh_.DialThemselves();
  mesh_.peer(b).offset_ms = 0;
  const int c = mesh_.Add(Waits("c"), 0), d = mesh_.Add(Waits("d"), 0);
  mesh_.Connect(b, c);
  mesh_.Connect(c, d);
  mesh_.Connect(d, b);
  mesh_.Advance(15'000);
  for (const int i : {b, c, d}) {
    EXPECT_TRUE(mesh_[i].ready()) << i;
    EXPECT_EQ(mesh_.Value(i, "k"), "h") << i;
    EXPECT_TRUE(Noted(i, "clock that was ahead")) << i;
  }
}

// Seed 20749 of clocks: each of two nodes holds what is left of a map, one of them beyond every clock, and nobody is
// ready. The one goes down to the other's ceiling, waits for no ready member, and what only it held comes back.
TEST_F(Ahead, APartIsGivenUpForAPartAndItsWritesComeBack) {
  mesh_.DialThemselves();
  std::vector<int> rests;
  for (const auto& [name, offset_ms] : {std::pair{"a", kAhead}, {"b", int64_t{0}}}) {
    const int writer = Add(name, offset_ms);
    ASSERT_EQ(Set(writer, name, name), "OK");
    rests.push_back(mesh_.Add(Waits(std::string("of-") + name), offset_ms));
    mesh_.Connect(rests.back(), writer);
    mesh_.Advance(2000);
    ASSERT_EQ(mesh_[rests.back()].store().keys(), 1u);
    ASSERT_FALSE(mesh_[rests.back()].ready());
    mesh_.Kill(writer);
  }
  mesh_.peer(rests[0]).offset_ms = 0;
  NodeOptions empty = Waits("empty");
  empty.seeds = {"of-a:1", "of-b:1"};
  rests.push_back(mesh_.Add(empty));
  mesh_.Advance(30'000);
  for (const int i : rests) {
    EXPECT_TRUE(mesh_[i].ready()) << i;
    EXPECT_EQ(mesh_.Value(i, "a"), "a") << i;
    EXPECT_EQ(mesh_.Value(i, "b"), "b") << i;
    EXPECT_FALSE(Noted(i, "clock that was ahead")) << i;
  }
}

TEST_F(Ahead, KeysThatLapsedTooEarlyLiveAgainAndTheirWatchesEnd) {
  Add("a", 0);
  nodes_ = 1;
  EXPECT_EQ(Set(0, "eph", "h", 60'000, true), "OK");
  mesh_.peer(0).offset_ms = kAhead;
  mesh_.Advance(100);
  EXPECT_EQ(mesh_.Value(0, "eph"), "(none)");
  Watch watch = *mesh_[0].StartWatch(mesh_.now(0), {}, true, "");
  ASSERT_THAT(mesh_[0].ReadWatch(mesh_.now(0), watch), IsOk());
  SetRight();
  mesh_.Advance(100);
  EXPECT_EQ(mesh_.Value(0, "eph"), "h");
  EXPECT_THAT(mesh_[0].ReadWatch(mesh_.now(0), watch), HasReason("CURSOR_EXPIRED"));
  mesh_.Advance(60'000);
  EXPECT_EQ(mesh_.Value(0, "eph"), "(none)");
}

TEST_F(Ahead, AloneTheDeadAreKeptForAnHourByBothClocks) {
  Add("a", 0);
  nodes_ = 1;
  EXPECT_EQ(Set(0, "k", "h", 0), "OK");
  WriteCommand gone = mesh_.Command(0, "k");
  gone.change = Change::kDelete;
  ASSERT_THAT(mesh_.Write(0, gone), IsOk());
  mesh_.peer(0).offset_ms = 3 * kHour;
  mesh_.Advance(kCollectEveryMs + 1000);
  EXPECT_EQ(mesh_[0].store().keys(), 1u);
  // Made three hours ahead, and collected there: what follows under the right clock is above it.
  EXPECT_EQ(Set(0, "k", "h", 0), "OK");
  const std::string token = FencingToken(mesh_[0].Get(mesh_.now(0), "k")->lease);
  gone.holder = "h";
  ASSERT_THAT(mesh_.Write(0, gone), IsOk());
  mesh_.Skip(2 * kHour);
  mesh_.Advance(kCollectEveryMs + 1000);
  EXPECT_EQ(mesh_[0].store().keys(), 0u);
  SetRight();
  EXPECT_EQ(Set(0, "k", "h", 0), "OK");
  EXPECT_GT(FencingToken(mesh_[0].Get(mesh_.now(0), "k")->lease), token);
}

TEST_F(Ahead, AllOfThemGoOnAndAJoinerGetsTheMap) {
  nodes_ = 3;
  for (const char* id : {"a", "b", "c"}) mesh_.Add(Mesh::Options(id), kAhead);
  for (int i = 0; i < 3; ++i) {
    for (int other = i + 1; other < 3; ++other) mesh_.Connect(i, other);
  }
  mesh_.Advance(11'000);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Set(i, "k" + std::to_string(i), "h", kHour), "OK");
  SetRight();
  mesh_.Advance(2500);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(mesh_[i].ready());
    EXPECT_EQ(mesh_[i].retirement().resets(), 0u);
    EXPECT_EQ(mesh_[i].replica().ceiling().at_ms(), mesh_[0].replica().ceiling().at_ms());
    EXPECT_EQ(Set(i, "k0", "h"), "OK") << i;
    EXPECT_EQ(Set(i, "k1", "other"), "LEASE_HELD") << i;
  }
  const int joiner = mesh_.Add("joiner");
  mesh_.Connect(joiner, 0);
  mesh_.Advance(11'000);
  EXPECT_TRUE(mesh_[joiner].ready());
  EXPECT_EQ(mesh_[joiner].vector(), mesh_[0].vector());
  EXPECT_EQ(mesh_[joiner].replica().ceiling().at_ms(), mesh_[0].replica().ceiling().at_ms());
  EXPECT_EQ(Set(joiner, "k2", "h"), "OK");
  EXPECT_EQ(mesh_.Value(1, "k2"), "h");
}

TEST_F(Ahead, ASideThatWasAheadAloneYieldsAndServesReadsMeanwhile) {
  Add("a", 0);
  Add("x", kAhead);
  nodes_ = 2;
  EXPECT_EQ(Set(0, "both", "ha"), "OK");
  EXPECT_EQ(Set(1, "both", "hx"), "OK");
  EXPECT_EQ(Set(1, "mine", "hx"), "OK");
  SetRight();
  mesh_.Advance(100);
  mesh_.Connect(1, 0);
  EXPECT_EQ(mesh_[1].retirement().yields(), 1u);
  EXPECT_TRUE(mesh_[1].yielding() && mesh_[1].ready());
  EXPECT_EQ(mesh_.Value(1, "mine"), "hx");
  EXPECT_EQ(mesh_.Value(1, "both"), "hx");
  EXPECT_EQ(Set(1, "mine", "hx"), "SYNCING");
  EXPECT_TRUE(Noted(1, "reads go on"));
  mesh_.Connect(1, 0);
  mesh_.Advance(2000);
  EXPECT_FALSE(mesh_[1].yielding());
  EXPECT_EQ(mesh_[0].retirement().resets(), 0u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(mesh_.Value(i, "both"), "ha") << i;
    EXPECT_EQ(mesh_.Value(i, "mine"), "hx") << i;
    EXPECT_EQ(mesh_[i].replica().ceiling().EffectiveAt(mesh_.now(i).wall_ms), 0) << i;
  }
  EXPECT_EQ(Set(1, "mine", "hx"), "OK");
}

TEST_F(Ahead, WithNobodyToYieldToItTakesItsOwnMapBack) {
  Add("a", 0);
  Add("x", kAhead);
  nodes_ = 2;
  EXPECT_EQ(Set(0, "k", "ha"), "OK");
  EXPECT_EQ(Set(1, "mine", "hx"), "OK");
  SetRight();
  mesh_.Advance(100);
  mesh_.Connect(1, 0);
  ASSERT_TRUE(mesh_[1].yielding());
  mesh_.Advance(2 * kSilentMs + 100);
  EXPECT_FALSE(mesh_[1].yielding());
  EXPECT_EQ(mesh_.Value(1, "mine"), "hx");
  EXPECT_EQ(Set(1, "mine", "hx"), "OK");
}

TEST_F(Ahead, ARestartFromAnImageTakesThePeersCeiling) {
  Add("a", kAhead);
  nodes_ = 1;
  EXPECT_EQ(Set(0, "k", "h"), "OK");
  SetRight();
  mesh_.Advance(100);
  const Image image = mesh_[0].TakeImage();
  EXPECT_GT(image.ceiling_ms, 0);
  mesh_.Restart(0, &image);
  mesh_.Advance(11'000);
  EXPECT_EQ(mesh_[0].replica().ceiling().at_ms(), image.ceiling_ms);
  EXPECT_EQ(Set(0, "k", "h"), "OK");
}

}  // namespace
}  // namespace leasemap::core
