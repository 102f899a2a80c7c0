// A command under a lease gets TERM before the lease's local deadline, and KILL at it, whatever happens when. Time is
// an input here, and nothing sleeps.
#include "clients/cli/core/guard.h"

#include <gtest/gtest.h>

namespace leasemap::cli {
namespace {

using Act = Guard::Act;

constexpr absl::Duration kGrace = absl::Seconds(1);

absl::Duration S(double seconds) { return absl::Seconds(seconds); }

Guard::Seen Left(double seconds) { return {.left = S(seconds), .ended = false, .gone = false}; }
Guard::Seen Ended(double seconds) { return {.left = S(seconds), .ended = true, .gone = false}; }
Guard::Seen Gone(double seconds) { return {.left = S(seconds), .ended = true, .gone = true}; }

TEST(Guard, LeavesACommandAloneWhileTheLeaseIsRenewed) {
  Guard guard(kGrace);
  for (int second = 100; second < 200; second += 3) {
    EXPECT_EQ(guard.Look(S(second), Left(7)), Act::kNone);
    EXPECT_EQ(guard.next(), S(second + 6));
  }
  EXPECT_EQ(guard.Look(S(200), Ended(5)), Act::kRelease);
  EXPECT_FALSE(guard.stopped());
  EXPECT_EQ(guard.next(), absl::InfiniteDuration());
  EXPECT_EQ(guard.Look(S(201), Gone(4)), Act::kNone);
}

TEST(Guard, TermComesBeforeTheDeadlineAndKillAtIt) {
  Guard guard(kGrace);
  EXPECT_EQ(guard.Look(S(10), Left(7.5)), Act::kNone);
  EXPECT_EQ(guard.next(), S(16.5));
  EXPECT_EQ(guard.Look(S(16.5), Left(1)), Act::kTerm);
  EXPECT_TRUE(guard.stopped());
  EXPECT_EQ(guard.next(), S(17.5));
  EXPECT_EQ(guard.Look(S(17), Left(0.5)), Act::kNone);
  EXPECT_EQ(guard.Look(S(17.5), Left(0)), Act::kKill);
  EXPECT_EQ(guard.Look(S(17.6), Gone(0)), Act::kRelease);
}

TEST(Guard, ATimerThatIsLateDoesNotPutKillOff) {
  Guard guard(kGrace);
  EXPECT_EQ(guard.Look(S(10), Left(0.3)), Act::kTerm);
  EXPECT_EQ(guard.next(), S(10.3));
}

TEST(Guard, ARenewalAfterTermChangesNothing) {
  Guard guard(kGrace);
  EXPECT_EQ(guard.Look(S(10), Left(1)), Act::kTerm);
  EXPECT_EQ(guard.Look(S(10.5), Left(7)), Act::kNone);
  EXPECT_EQ(guard.Look(S(11), Left(6.5)), Act::kKill);
}

TEST(Guard, ALeaseThatIsLostWithoutWarningLeavesTheGrace) {
  Guard guard(kGrace);
  EXPECT_EQ(guard.Look(S(10), Left(7)), Act::kNone);
  EXPECT_EQ(guard.Look(S(11), Left(0)), Act::kTerm);
  EXPECT_EQ(guard.next(), S(12));
  EXPECT_EQ(guard.Look(S(11.9), Left(0)), Act::kNone);
  EXPECT_EQ(guard.Look(S(12), Left(0)), Act::kKill);
}

TEST(Guard, OneThatEndsAtTermIsNotKilled) {
  Guard guard(kGrace);
  EXPECT_EQ(guard.Look(S(10), Left(0)), Act::kTerm);
  EXPECT_EQ(guard.Look(S(10.2), Gone(0)), Act::kRelease);
  EXPECT_TRUE(guard.stopped());
}

TEST(Guard, WhatAStoppedCommandStartedHasToEndToo) {
  Guard guard(kGrace);
  EXPECT_EQ(guard.Look(S(10), Left(0)), Act::kTerm);
  EXPECT_EQ(guard.Look(S(10.1), Ended(0)), Act::kNone);
  EXPECT_EQ(guard.Look(S(11), Ended(0)), Act::kKill);
  EXPECT_EQ(guard.Look(S(11.1), Gone(0)), Act::kRelease);
}

TEST(Guard, AProcessThatCannotBeKilledIsNotWaitedForForEver) {
  Guard guard(kGrace);
  EXPECT_EQ(guard.Look(S(10), Left(0)), Act::kTerm);
  EXPECT_EQ(guard.Look(S(11), Left(0)), Act::kKill);
  EXPECT_EQ(guard.next(), S(11) + kKillMost);
  EXPECT_EQ(guard.Look(S(11.5), Ended(0)), Act::kNone);
  EXPECT_EQ(guard.Look(S(11) + kKillMost, Left(0)), Act::kRelease);
}

TEST(Guard, ACommandThatEndedWhenTheLeaseWasLostIsOver) {
  Guard guard(kGrace);
  EXPECT_EQ(guard.Look(S(10), Ended(0)), Act::kRelease);
  EXPECT_FALSE(guard.stopped());
}

}  // namespace
}  // namespace leasemap::cli
