// What a mark of the past claims, and what it does not: two vectors may have folded at other times, and one may have
// travelled without what its mark stands for.
#include <gtest/gtest.h>

#include "peer/core/data/limits.h"
#include "peer/core/data/version_vector.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

// "a" wrote five and ended, "b" seven, "c" two and lives.
VersionVector Runs() {
  VersionVector vector;
  vector.Add({"a", 1}, 1, 5);
  vector.Add({"b", 2}, 1, 7);
  vector.Add({"c", 3}, 1, 2);
  return vector;
}
VersionVector Folded(const std::vector<ReplicaId>& ended = {{"a", 1}, {"b", 2}}) {
  VersionVector vector = Runs();
  EXPECT_EQ(vector.Fold(ended), ended.size());
  return vector;
}

TEST(Folding, CoversWhatWasFoldedAndNoMore) {
  const VersionVector vector = Folded();
  EXPECT_EQ(vector.runs().size(), 1u);
  EXPECT_TRUE(vector.Covers(Dot{{"a", 1}, 5}));
  EXPECT_FALSE(vector.Covers(Dot{{"a", 1}, 6}));
  EXPECT_TRUE(vector.Covers(Dot{{"b", 2}, 7}));
  // A name that was never seen, also one whose clock was behind.
  for (const uint64_t incarnation : {uint64_t{1}, uint64_t{2}, uint64_t{9}}) {
    EXPECT_FALSE(vector.Covers(Dot{{"new", incarnation}, 1}));
    EXPECT_FALSE(vector.Covers(Dot{{"a", incarnation + 1}, 1}));
  }
}

TEST(Folding, AGapIsNotFolded) {
  VersionVector vector = Runs();
  vector.Add({"a", 1}, 9, 9);
  EXPECT_EQ(vector.Fold({{"a", 1}, {"b", 2}, {"never seen", 1}}), 1u);
  EXPECT_TRUE(vector.runs().contains({"a", 1}));
}

TEST(Folding, WhoFoldedOthersCoversTheSame) {
  const std::vector<VersionVector> all = {Runs(), Folded({{"a", 1}}), Folded({{"b", 2}}), Folded()};
  for (const VersionVector& one : all) {
    for (const VersionVector& other : all) {
      EXPECT_TRUE(one.Covers(other));
      EXPECT_TRUE(one.Covers(other.Brief()));
      EXPECT_TRUE(one.Brief().Covers(other));
      VersionVector both = one;
      both.Join(other);
      EXPECT_TRUE(both.Covers(one) && one.Covers(both));
    }
  }
}

TEST(Folding, WhatOneLacksIsFoundInBothDirections) {
  VersionVector less = Runs();
  VersionVector more = Runs();
  more.Add({"b", 2}, 8, 8);
  more.Fold({{"a", 1}, {"b", 2}});
  less.Fold({{"b", 2}});
  EXPECT_FALSE(less.Covers(more));
  EXPECT_FALSE(less.Covers(more.Brief()));
  EXPECT_FALSE(less.Brief().Covers(more));
  EXPECT_TRUE(more.Covers(less));
  VersionVector joined = less;
  joined.Join(more);
  EXPECT_TRUE(joined.Covers(more) && more.Covers(joined));
  EXPECT_TRUE(joined.Covers(Dot{{"b", 2}, 8}));
  // One that the other never heard of, with a clock that was behind.
  VersionVector stranger = Folded();
  stranger.Add({"z", 1}, 1, 1);
  EXPECT_FALSE(Folded().Covers(stranger));
  EXPECT_TRUE(stranger.Covers(Folded()));
  EXPECT_TRUE(stranger.Covers(Folded().Brief()));
}

TEST(Folding, AMemberThatIsThereIsNotOfThePastThoughItWroteNothing) {
  VersionVector vector = Folded();
  const VersionVector report = vector.Naming({{"early", 1}, {"late", 9}}).Brief();
  EXPECT_TRUE(report.runs().contains({"early", 1}));
  EXPECT_FALSE(report.runs().contains({"late", 9}));
  vector.Add({"early", 1}, 1, 4);
  EXPECT_TRUE(vector.Covers(report));
  EXPECT_FALSE(report.Covers(vector));
  // It left, and was folded: an old report or cursor is understood all the same.
  vector.Fold({{"early", 1}});
  EXPECT_TRUE(vector.Covers(report));
  EXPECT_FALSE(report.Covers(vector));
}

// Seed 763 of clocks: a process that the one who gave the cursor had not heard of, and whose clock was behind, has a
// gap here. The mark never stands for it; a watch that took it for covered missed its writes.
TEST(Folding, AProcessWithAGapIsMeantByNoMark) {
  VersionVector ours = Runs();
  ours.Add({"new", 1}, 1, 2);
  ours.Add({"new", 1}, 4, 4);
  VersionVector cursor = Folded().Brief();
  ASSERT_TRUE(cursor.Learn(ours));
  EXPECT_TRUE(cursor.Covers(Dot{{"a", 1}, 5}));
  EXPECT_FALSE(cursor.Covers(Dot{{"new", 1}, 1}));
  EXPECT_FALSE(ours.KnowsCovered(Folded().Brief(), ours.MeaningOf(Folded().Brief()), {{"new", 1}, 1}));
}

TEST(Folding, WhoComesBackGoesOn) {
  VersionVector vector = Folded();
  const VersionVector before = vector.Brief();
  vector.Add({"a", 1}, 6, 6);
  EXPECT_TRUE(vector.runs().contains({"a", 1}));
  EXPECT_TRUE(vector.Covers(Dot{{"a", 1}, 6}));
  EXPECT_FALSE(vector.Covers(Dot{{"a", 1}, 7}));
  EXPECT_TRUE(vector.Covers(Folded()));
  EXPECT_FALSE(Folded().Covers(vector));
  vector.Fold({{"a", 1}});
  EXPECT_TRUE(vector.Covers(Dot{{"a", 1}, 6}));
  EXPECT_FALSE(vector.Covers(before));  // which claims to end with the fifth: what it is can't be told any more
  EXPECT_TRUE(vector.Covers(Folded()));
}

TEST(Folding, WhoseReportIsKnownToCoverADot) {
  for (const VersionVector& ours : {Runs(), Folded(), Folded({{"a", 1}})}) {
    const VersionVector report = Folded().Brief();
    const Meaning meaning = ours.MeaningOf(report);
    EXPECT_TRUE(ours.KnowsCovered(report, meaning, {{"a", 1}, 5}));
    EXPECT_TRUE(ours.KnowsCovered(report, meaning, {{"b", 2}, 7}));
    EXPECT_FALSE(ours.KnowsCovered(report, meaning, {{"a", 1}, 6}));
    EXPECT_FALSE(ours.KnowsCovered(report, meaning, {{"z", 1}, 1}));
    EXPECT_FALSE(ours.KnowsCovered(report, meaning, {{"z", 9}, 1}));
  }
  // Somebody folded the same process at another length: what that mark stands for is not known here.
  VersionVector longer = Runs();
  longer.Add({"a", 1}, 6, 9);
  longer.Fold({{"a", 1}});
  const Meaning meaning = Folded().MeaningOf(longer.Brief());
  EXPECT_EQ(meaning, Meaning::kUnknown);
  EXPECT_FALSE(Folded().KnowsCovered(longer.Brief(), meaning, {{"a", 1}, 5}));
}

TEST(Folding, OnlyWhatAllCoverAlikeIsAlike) {
  const VersionVector ours = Runs();
  const auto alike = [&](const VersionVector& report) {
    return ours.IsAlike(report, ours.MeaningOf(report), {"a", 1});
  };
  EXPECT_TRUE(alike(Runs()));
  EXPECT_TRUE(alike(Folded().Brief()));
  VersionVector less;
  less.Add({"a", 1}, 1, 4);
  EXPECT_FALSE(alike(less));
  VersionVector more = Runs();
  more.Add({"a", 1}, 6, 6);
  EXPECT_FALSE(alike(more));
  more.Fold({{"a", 1}});
  EXPECT_FALSE(alike(more.Brief()));
  EXPECT_FALSE(alike(VersionVector()));
}

TEST(Folding, ACursorLearnsWhatItsMarkStandsFor) {
  for (const VersionVector& ours : {Folded(), Runs()}) {
    VersionVector cursor = Folded().Brief();
    ASSERT_TRUE(cursor.Learn(ours));
    EXPECT_TRUE(cursor.Covers(Dot{{"a", 1}, 5}));
    EXPECT_TRUE(cursor.Covers(Dot{{"b", 2}, 7}));
    EXPECT_FALSE(cursor.Covers(Dot{{"a", 1}, 6}));
  }
  VersionVector cursor = Folded().Brief();
  EXPECT_FALSE(cursor.Learn(VersionVector()));
}

TEST(Folding, AFloorNamesWhatItCollected) {
  VersionVector floor;
  floor.Add({"a", 1}, 1, 3);
  const VersionVector none;
  EXPECT_TRUE(Folded().CoversFloor(floor, none));
  floor.Fold({{"a", 1}});
  EXPECT_TRUE(Folded().CoversFloor(floor, none));
  EXPECT_TRUE(Runs().CoversFloor(floor, none));
  VersionVector less;
  less.Add({"a", 1}, 1, 2);
  EXPECT_FALSE(less.CoversFloor(floor, none));
  EXPECT_TRUE(less.CoversFloor(floor, floor));
  less.Fold({{"a", 1}});
  EXPECT_FALSE(less.CoversFloor(floor, none));
}

TEST(Folding, WhereNothingEndedNothingIsFolded) {
  VersionVector vector = Runs();
  EXPECT_EQ(vector.Fold({}), 0u);
  EXPECT_EQ(vector.Fold({{"never seen", 1}}), 0u);
  EXPECT_EQ(vector.past(), nullptr);
}

TEST(Folding, OneThatIsAddedTwiceIsAddedOnce) {
  Past past;
  past.Add({"a", 1}, 5);
  const PastMark mark = past.mark();
  past.Add({"a", 1}, 5);
  past.Add({"a", 1}, 7);
  EXPECT_EQ(past.mark(), mark);
  EXPECT_EQ(past.PrefixOf({"a", 1}), 5u);
  past.Remove({"nobody", 1});
  EXPECT_EQ(past.mark(), mark);
  past.Remove({"a", 1});
  EXPECT_EQ(past.mark().digest, 0u);
  EXPECT_EQ(past.PrefixOf({"a", 1}), std::nullopt);
  past.Add({"b", 4}, 0);  // it wrote nothing
  EXPECT_EQ(past.mark(), (PastMark{4, 0}));
  past.Add({"c", 9}, 1);
  past.Add({"d", 9}, 1);
  EXPECT_EQ(past.DigestAfter(8), DigestOf({"c", 9}, 1) + DigestOf({"d", 9}, 1));
  EXPECT_EQ(past.DigestAfter(9), 0u);
  past.Reach(12);
  past.Reach(3);
  EXPECT_EQ(past.mark().upto, 12u);
}

TEST(Folding, WhatAnotherDroppedIsTakenOverAsAWhole) {
  Past ours, theirs(PastMark{5, 77});
  for (const auto& id : {ReplicaId{"a", 4}, ReplicaId{"b", 5}, ReplicaId{"c", 6}}) ours.Add(id, 1);
  theirs.Add({"b", 5}, 1);
  ours.TakeDropped(theirs);
  EXPECT_EQ(ours.PrefixOf({"a", 4}), std::nullopt);  // it may be among them
  EXPECT_TRUE(ours.PrefixOf({"b", 5}) && ours.PrefixOf({"c", 6}));
  EXPECT_EQ(ours.dropped(), (PastMark{5, 77}));
  EXPECT_EQ(ours.mark(), (PastMark{6, 77 + DigestOf({"b", 5}, 1) + DigestOf({"c", 6}, 1)}));
}

TEST(Folding, WhatWasDroppedHereIsNotCountedOnceMore) {
  VersionVector ours, theirs;
  ours.SetPast(Past(PastMark{1, DigestOf({"old", 1}, 3)}));
  theirs.Add({"old", 1}, 1, 3);
  theirs.Add({"new", 5}, 1, 1);
  theirs.Fold({{"old", 1}, {"new", 5}});
  EXPECT_FALSE(ours.Covers(theirs));
  ours.Join(theirs);
  EXPECT_EQ(ours.past_mark(), theirs.past_mark());
  EXPECT_TRUE(ours.Covers(theirs));
}

TEST(Folding, TheFirstThatWereFoldedAreDropped) {
  Past past;
  for (uint64_t n = 1; n <= kMaxFolded; ++n) past.Add({"p", 10'000 - n}, 1);
  EXPECT_EQ(past.dropped(), PastMark());
  past.Add({"p", 1}, 1);
  EXPECT_EQ(past.dropped(), (PastMark{9'999, DigestOf({"p", 9'999}, 1)}));
  past.Add({"p", 2}, 1);
  EXPECT_EQ(past.dropped(), (PastMark{9'999, DigestOf({"p", 9'999}, 1) + DigestOf({"p", 9'998}, 1)}));
  EXPECT_EQ(past.known().size(), kMaxFolded);
  EXPECT_TRUE(past.MayHaveDropped({"x", 9'999}));
  EXPECT_FALSE(past.MayHaveDropped({"x", 10'000}));
}

// Above its own floor it has what a session brought so far.
TEST(Folding, AFloorIsCoveredWhereTheOwnFloorFillsTheGap) {
  VersionVector vector, own, floor;
  vector.Add({"a", 1}, 4, 6);
  own.Add({"a", 1}, 1, 3);
  floor.Add({"a", 1}, 1, 6);
  EXPECT_TRUE(vector.CoversFloor(floor, own));
  floor.Add({"a", 1}, 7, 7);
  EXPECT_FALSE(vector.CoversFloor(floor, own));
}

// More names than are remembered one by one.
class Dropped : public testing::Test {
 protected:
  static ReplicaId Name(uint64_t n) { return {"pod-" + std::to_string(n), n}; }
  static VersionVector All(uint64_t names, uint64_t at_once) {
    VersionVector vector;
    std::vector<ReplicaId> ended;
    for (uint64_t n = 1; n <= names; ++n) {
      vector.Add(Name(n), 1, 1 + n % 3);
      ended.push_back(Name(n));
      if (ended.size() < at_once && n < names) continue;
      vector.Fold(ended);
      ended.clear();
    }
    return vector;
  }
};

TEST_F(Dropped, AreStillCoveredByWhoFoldedTheSame) {
  const VersionVector one = All(3 * kMaxFolded, 1), other = All(3 * kMaxFolded, 100);
  EXPECT_EQ(one.past()->known().size(), kMaxFolded);
  EXPECT_EQ(one.past_mark(), other.past_mark());
  EXPECT_TRUE(one.Covers(other) && other.Covers(one));
  EXPECT_TRUE(one.Covers(other.Brief()) && other.Brief().Covers(one));
  // Of what a member holds by now nothing is new to one that folded the same, though neither can name it.
  const Dot old{Name(7), 1};
  EXPECT_FALSE(one.Covers(old));
  EXPECT_TRUE(one.CoversHeld(old, other));
  VersionVector cursor = one.Brief();
  ASSERT_TRUE(cursor.Learn(other));
  EXPECT_TRUE(cursor.CoversHeld(old, other));
  EXPECT_FALSE(cursor.CoversHeld(Dot{{"new", 3 * kMaxFolded + 1}, 1}, other));
}

TEST_F(Dropped, NothingNewIsTakenForThem) {
  const VersionVector vector = All(3 * kMaxFolded, 100);
  EXPECT_FALSE(vector.Covers(Dot{{"new", 5}, 1}));
  VersionVector more = vector;
  more.Add({"new", 5}, 1, 1);
  EXPECT_TRUE(more.Covers(Dot{{"new", 5}, 1}));
  EXPECT_FALSE(vector.Covers(more));
  EXPECT_TRUE(more.Covers(vector));
}

TEST_F(Dropped, WhoHasNothingTakesThemOver) {
  const VersionVector vector = All(2 * kMaxFolded, 100);
  VersionVector joiner;
  joiner.Join(vector);
  EXPECT_EQ(joiner, vector);
  EXPECT_TRUE(joiner.Covers(vector) && vector.Covers(joiner));
  EXPECT_FALSE(VersionVector().Covers(vector));
  // An older peer names all that it knows: it lacks nothing, and nothing of it is lacked.
  VersionVector all;
  for (uint64_t n = 1; n <= 2 * kMaxFolded; ++n) all.Add(Name(n), 1, 1 + n % 3);
  EXPECT_TRUE(vector.Covers(all));
  EXPECT_TRUE(all.Covers(vector));
}

TEST_F(Dropped, TwoThatFoldedOtherNamesComeToTheSame) {
  VersionVector one = All(2 * kMaxFolded, 100), other = All(2 * kMaxFolded, 1);
  one.Add({"x", 9}, 1, 1);
  one.Fold({{"x", 9}});
  other.Add({"y", 9}, 1, 1);
  other.Fold({{"y", 9}});
  EXPECT_FALSE(one.Covers(other) || other.Covers(one));
  for (int n = 0; n < 3; ++n) {
    one.Join(other);
    other.Join(one);
  }
  EXPECT_TRUE(one.Covers(other) && other.Covers(one));
}

TEST(Folding, ExpandedNamesWhatIsKnownOfThePast) { EXPECT_EQ(Folded().Expanded(), Runs()); }

}  // namespace
}  // namespace leasemap::core
