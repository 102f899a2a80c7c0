// Which node is asked next, and for how long, without a server or a clock.
#include "clients/cpp/core/endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace leasemap::internal {
namespace {

using testing::ElementsAre;

double Half() { return 0.5; }
Moment At(double seconds) { return absl::Seconds(seconds); }

TEST(Backoff, PausesDoubleUpToABound) {
  Backoff backoff;
  for (const int ms : {50, 100, 200, 400, 800, 1600, 2000, 2000}) EXPECT_EQ(backoff.Next(1), absl::Milliseconds(ms));
  EXPECT_EQ(backoff.Next(0), absl::Seconds(1)) << "chance cuts off up to a half";
}

TEST(Endpoints, AClientStaysWithOneNode) {
  Endpoints nodes({"a", "b", "c", "b"}, Half);
  EXPECT_EQ(nodes.Pick(At(0)), "b") << "chance chooses the first";
  nodes.Worked("b");
  EXPECT_EQ(nodes.Pick(At(100)), "b") << "it stays";
  nodes.Failed("b", At(100));
  EXPECT_EQ(nodes.Pick(At(100)), "c") << "the next one";
  EXPECT_EQ(nodes.Pause(At(100)), absl::ZeroDuration()) << "at once";
  EXPECT_EQ(nodes.Pick(At(200)), "c") << "it does not come back by itself";
  nodes.Failed("c", At(200));
  nodes.Failed("a", At(200));
  EXPECT_EQ(nodes.Pick(At(200)), "b") << "all round";
  nodes.Failed("b", At(200));
  nodes.Failed("b", At(200));
  EXPECT_EQ(nodes.Pick(At(200)), "c") << "of those that failed, whose pause ends first";
  EXPECT_GT(nodes.Pause(At(200)), absl::ZeroDuration());
  EXPECT_LE(nodes.Pause(At(200)), kFirstPause);
}

TEST(Endpoints, WhatNamesMeanChanges) {
  Endpoints nodes({"a", "b"}, Half);
  nodes.Failed("b", At(0));
  nodes.Failed("unknown", At(0));
  nodes.Replace({"b", "d"});
  EXPECT_EQ(nodes.Pick(At(0)), "d") << "the pause of a node that stays is kept";
  EXPECT_FALSE(nodes.Has("a"));
  nodes.Replace({"e"});
  EXPECT_EQ(nodes.home(), "e");
}

TEST(AttemptTime, TheFirstNodeLeavesTimeForAnother) {
  EXPECT_EQ(AttemptTime(absl::Seconds(5), kAttempt), absl::Seconds(2));
  EXPECT_EQ(AttemptTime(absl::Seconds(3), kAttempt), absl::Milliseconds(1500));
  EXPECT_EQ(AttemptTime(absl::Milliseconds(400), kAttempt), kAttemptLeast);
  EXPECT_EQ(AttemptTime(absl::Milliseconds(100), kAttempt), absl::Milliseconds(100));
  EXPECT_EQ(AttemptTime(absl::Seconds(5), kAttemptAcks), absl::Seconds(5));
  EXPECT_EQ(AttemptTime(absl::Seconds(60), kAttemptAcks), kAttemptAcks);
}

TEST(SplitEndpoints, RefusesWhatIsNoHostAndPort) {
  for (const char* bad : {"", " , ", "host", "host:", ":7400", "host:port", "host:70000", "a:1,b", "::1:7400"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(SplitEndpoints({bad}).status())) << bad;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(SplitEndpoints({}).status()));
}

TEST(SplitEndpoints, TakesListsAndCommas) {
  EXPECT_THAT(*SplitEndpoints({" 127.0.0.1:1, [::1]:2", "name:3"}), ElementsAre("127.0.0.1:1", "[::1]:2", "name:3"));
  EXPECT_EQ(SplitHostPort("[::1]:2")->host, "::1");
}

}  // namespace
}  // namespace leasemap::internal
