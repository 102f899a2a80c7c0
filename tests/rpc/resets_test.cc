// When a client breaks off too many calls, and what its address may do then. Time is given.
#include "server/rpc/resets.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace leasemap::rpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const SteadyTime kStart = SteadyTime(seconds(1000));

TEST(BrokenOff, TheBoundIsOfOneSecond) {
  BrokenOff calls(kStart);
  EXPECT_FALSE(calls.IsTooMany(BrokenOff::kMost, BrokenOff::kMost, kStart + milliseconds(100)));
  EXPECT_TRUE(calls.IsTooMany(BrokenOff::kMost + 1, BrokenOff::kMost, kStart + milliseconds(200)));
}

TEST(BrokenOff, ManyOverALongTimeAreNotTooMany) {
  BrokenOff calls(kStart);
  // As many as are allowed, each second of an hour.
  for (int64_t i = 1; i <= 3600; ++i) {
    EXPECT_FALSE(calls.IsTooMany(i * BrokenOff::kMost, BrokenOff::kMost, kStart + i * milliseconds(1001))) << i;
  }
  // The first look at a connection that is old says nothing of one second.
  BrokenOff old(kStart);
  EXPECT_FALSE(old.IsTooMany(1'000'000, BrokenOff::kMost, kStart + seconds(60)));
  EXPECT_FALSE(old.IsTooMany(1'000'000 + BrokenOff::kMost, BrokenOff::kMost, kStart + seconds(61)));
  EXPECT_TRUE(old.IsTooMany(1'000'001 + BrokenOff::kMost, BrokenOff::kMost, kStart + seconds(61)));
}

TEST(BrokenOff, TheBoundMayChangeWhileAConnectionIsOpen) {
  BrokenOff calls(kStart);
  EXPECT_FALSE(calls.IsTooMany(401, BrokenOff::kMost, kStart + milliseconds(100)));
  EXPECT_TRUE(calls.IsTooMany(401, BrokenOff::kMostUnderPenalty, kStart + milliseconds(200)));
  EXPECT_FALSE(calls.IsTooMany(401, BrokenOff::kMost, kStart + milliseconds(300)));
}

TEST(Penalties, AreInForceForSomeTime) {
  Penalties penalties;
  EXPECT_FALSE(penalties.any(kStart));
  penalties.Add("a", kStart);
  EXPECT_TRUE(penalties.any(kStart) && penalties.Has("a", kStart));
  EXPECT_FALSE(penalties.Has("b", kStart));
  const SteadyTime end = kStart + Penalties::kLasts;
  EXPECT_TRUE(penalties.Has("a", end - milliseconds(1)));
  EXPECT_FALSE(penalties.any(end) || penalties.Has("a", end));
}

TEST(Penalties, AnAddressMayConnectOnceASecondUntilThePenaltyEnds) {
  Penalties penalties;
  EXPECT_TRUE(penalties.Allows("a", kStart));
  penalties.Add("a", kStart);
  EXPECT_TRUE(penalties.Allows("b", kStart));
  EXPECT_FALSE(penalties.Allows("a", kStart + milliseconds(999)));
  EXPECT_TRUE(penalties.Allows("a", kStart + milliseconds(1000)));
  EXPECT_FALSE(penalties.Allows("a", kStart + milliseconds(1500)));
  EXPECT_TRUE(penalties.Allows("a", kStart + milliseconds(2000)));
  EXPECT_TRUE(penalties.Allows("a", kStart + Penalties::kLasts));
  EXPECT_EQ(penalties.size(), 0u);
  EXPECT_TRUE(penalties.Allows("a", kStart + Penalties::kLasts));
}

TEST(Penalties, TheirNumberIsBounded) {
  Penalties penalties;
  for (size_t i = 0; i <= Penalties::kMostAddresses; ++i) {
    penalties.Add(absl::StrCat("address ", i), kStart + milliseconds(i));
  }
  EXPECT_EQ(penalties.size(), Penalties::kMostAddresses);
  EXPECT_TRUE(penalties.Allows("address 0", kStart + milliseconds(1000)));  // the one that would have ended first
  EXPECT_FALSE(penalties.Allows("address 1", kStart + milliseconds(1000)));
}

}  // namespace
}  // namespace leasemap::rpc
