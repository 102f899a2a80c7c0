// The gate's explorations: what three nodes can do within small bounds, all of it.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/sim/explore/search.h"

namespace leasemap::explore {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

Scope Within(int writes, int steps, int cuts, int crashes) {
  Scope scope;
  scope.writes = writes;
  scope.steps = steps;
  scope.cuts = cuts;
  scope.crashes = crashes;
  return scope;
}

// Explores all of it, and says how much that was.
Found ExploreAll(const Scope& scope) {
  const Found found = Explore(scope, Limits());
  std::printf("%s\n", found.Summary().c_str());
  EXPECT_EQ(found.fault, "") << Replay(scope, found.moves) << "replay: explore" << Flags(scope) << " --replay "
                             << Write(found.moves);
  EXPECT_TRUE(found.complete) << "the limit of states was reached: not all was explored";
  return found;
}

TEST(Explore, Writes) { ExploreAll(Within(3, 0, 0, 0)); }

TEST(Explore, WritesAndTime) {
  if (kSanitized) GTEST_SKIP() << "too slow under sanitizers";
  ExploreAll(Within(2, 1, 0, 0));
}

TEST(Explore, APartition) {
  if (kSanitized) GTEST_SKIP() << "too slow under sanitizers";
  ExploreAll(Within(2, 0, 1, 0));
}

TEST(Explore, ACrash) {
  if (kSanitized) GTEST_SKIP() << "too slow under sanitizers";
  ExploreAll(Within(2, 0, 0, 1));
}

TEST(Explore, ACrashAndAPartition) {
  if (kSanitized) GTEST_SKIP() << "too slow under sanitizers";
  ExploreAll(Within(1, 0, 1, 1));
}

// Two keys written by one node, one crash and one partition: that node and another crash, others are cut off.
TEST(Explore, TwoWritesACrashAndAPartition) {
  if (kSanitized) GTEST_SKIP() << "too slow under sanitizers";
  for (const auto& [crash_of, cut_of] : {std::pair(0, 1), {1, 0}, {1, 1}}) {
    Scope scope = Within(2, 0, 1, 1);
    scope.writers = scope.handshakes = 1;
    scope.crash_of = crash_of;
    scope.cut_of = cut_of;
    ExploreAll(scope);
  }
}

TEST(Explore, APartitionAndTime) {
  Scope scope = Within(1, 1, 1, 0);
  scope.handshakes = kSanitized ? 1 : kNodes;
  ExploreAll(scope);
}

TEST(Explore, TheEndOfALeasePeriod) {
  Scope scope = Within(2, 1, 0, 0);
  scope.turn = true;
  ExploreAll(scope);
}

// With all members asked, at most one of two holders that write at the same time is told that all have its write.
TEST(Explore, Acks) {
  for (Scope scope : {Within(2, 0, 0, 0), Within(1, 1, 0, 0), Within(1, 0, 1, 0), Within(1, 0, 0, 1)}) {
    scope.acks = true;
    ExploreAll(scope);
  }
}

TEST(Explore, EitherEndDials) {
  Scope scope = Within(1, 0, 1, 0);
  scope.both_dial = scope.half_open = true;
  scope.handshakes = kSanitized ? 1 : kNodes;
  ExploreAll(scope);
}

TEST(Explore, LinksThatEndAtOneEndFirst) {
  Scope scope = Within(1, 0, 1, 0);
  scope.half_open = true;
  scope.handshakes = 1;
  ExploreAll(scope);
}

// What is left out as a matter of order leaves out no end.
TEST(Reduction, MeetsTheSameEnds) {
  Scope half_open = Within(1, 0, 1, 0), both_dial = Within(1, 0, 0, 1);
  half_open.half_open = both_dial.half_open = both_dial.both_dial = true;
  for (Scope scope : {Within(2, 0, 0, 0), Within(3, 0, 0, 0), Within(1, 1, 0, 0), Within(1, 0, 1, 0),
                      Within(1, 0, 0, 1), half_open, both_dial}) {
    const Found reduced = ExploreAll(scope);
    scope.reduce = false;
    const Found all = ExploreAll(scope);
    EXPECT_EQ(reduced.all_final, all.all_final) << Flags(scope);
    EXPECT_LE(reduced.states, all.states);
  }
}

TEST(Replay, TellsTheStory) {
  const std::vector<Move> moves = {{Kind::kWrite, 0, 0}, {Kind::kPull, 0, 1}, {Kind::kDeliver, 0, 1}};
  const std::string story = Replay(Within(1, 0, 0, 0), moves);
  EXPECT_NE(story.find("1. A sets x\n2. A sends its next bulk message to B\n3. B gets from A: Live x (A#1)"),
            std::string::npos)
      << story;
  std::vector<Move> read;
  ASSERT_TRUE(Read(Write(moves), read));
  EXPECT_EQ(Write(read), Write(moves));
  EXPECT_FALSE(Read("123", read));
  EXPECT_FALSE(Read("f000", read));
  EXPECT_NE(Replay(Within(0, 0, 0, 0), moves).find("move 1 is not possible here"), std::string::npos);
}

}  // namespace
}  // namespace leasemap::explore
