// What a "complete below" mark claims, and what it does not: of two vectors with marks, one may have travelled without
// what its marks stand for.
#include <gtest/gtest.h>

#include "peer/core/version_vector.h"

namespace leasemap::core {
namespace {

// Incarnation 1 of "a" wrote five, 2 wrote seven; both are folded below 3.
VersionVector Folded() {
  VersionVector vector;
  vector.Add({"a", 1}, 1, 5);
  vector.Add({"a", 2}, 1, 7);
  EXPECT_TRUE(vector.Fold("a", 3));
  return vector;
}

TEST(Folding, AMarkCoversWhatWasFoldedAndNoMore) {
  const VersionVector vector = Folded();
  EXPECT_TRUE(vector.runs().empty());
  EXPECT_TRUE(vector.Covers(Dot{{"a", 1}, 5}));
  EXPECT_FALSE(vector.Covers(Dot{{"a", 1}, 6}));
  EXPECT_FALSE(vector.Covers(Dot{{"a", 3}, 1}));
}

TEST(Folding, AReportsMarkIsKnownToCoverWhereItStandsForTheSame) {
  VersionVector runs;
  runs.Add({"a", 1}, 1, 5);
  runs.Add({"a", 2}, 1, 7);
  const VersionVector report = Folded().Brief();
  for (const VersionVector& ours : {Folded(), runs}) {
    EXPECT_TRUE(ours.KnowsCovered(report, {{"a", 1}, 5}));
    EXPECT_TRUE(ours.KnowsCovered(report, {{"a", 2}, 7}));
    EXPECT_FALSE(ours.KnowsCovered(report, {{"a", 3}, 1}));
  }
  // Somebody folded the same incarnations at other lengths: what that mark stands for is not known here.
  VersionVector longer;
  longer.Add({"a", 1}, 1, 9);
  ASSERT_TRUE(longer.Fold("a", 3));
  EXPECT_FALSE(Folded().KnowsCovered(longer.Brief(), {{"a", 1}, 5}));
}

TEST(Folding, ARunBeyondAMarkIsNotCoveredByTheMarkAlone) {
  VersionVector vector = Folded();
  const VersionVector report = vector.Brief();
  EXPECT_TRUE(report.Covers(vector));
  vector.Add({"a", 1}, 6, 6);  // a write of an ended incarnation that nobody had when it was folded
  EXPECT_FALSE(report.Covers(vector));
  EXPECT_FALSE(vector.KnowsCovered(report, {{"a", 1}, 6}));
  EXPECT_TRUE(vector.Covers(report));
}

TEST(Folding, ACursorLearnsWhatItsMarksStandFor) {
  VersionVector cursor = Folded().Brief();
  EXPECT_TRUE(cursor.Covers(Dot{{"a", 1}, 6}));  // it can't tell
  VersionVector runs;
  runs.Add({"a", 1}, 1, 5);
  runs.Add({"a", 2}, 1, 7);
  for (const VersionVector& ours : {Folded(), runs}) {
    VersionVector learned = cursor;
    learned.LearnFolded(ours);
    EXPECT_TRUE(learned.Covers(Dot{{"a", 1}, 5}));
    EXPECT_TRUE(learned.Covers(Dot{{"a", 2}, 7}));
    EXPECT_FALSE(learned.Covers(Dot{{"a", 1}, 6}));
  }
}

TEST(Folding, AMarkThatStandsForNothingDoesNotPassForAll) {
  VersionVector nothing;
  nothing.JoinMark("a", {3, 0});
  VersionVector empty;
  ASSERT_TRUE(empty.AdoptMarks(nothing));
  EXPECT_FALSE(empty.Covers(Dot{{"a", 1}, 1}));
}

}  // namespace
}  // namespace leasemap::core
