// What `leasemap bench` measures: percentiles are right to 3 %, and no call that was due is left out of them.
#include <gtest/gtest.h>

#include "clients/cli/core/histogram.h"
#include "clients/cli/core/pace.h"

namespace leasemap::cli {
namespace {

TEST(Histogram, PercentilesAreRightTo3Percent) {
  Histogram histogram;
  EXPECT_EQ(histogram.Percentile(0.5), absl::ZeroDuration());
  for (int us = 1; us <= 100'000; ++us) histogram.Add(absl::Microseconds(us));
  EXPECT_EQ(histogram.count(), 100'000u);
  for (const double part : {0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999}) {
    const double us = absl::ToDoubleMicroseconds(histogram.Percentile(part));
    EXPECT_GE(us, part * 100'000);
    EXPECT_LE(us, part * 100'000 * 1.035 + 1);
  }
  EXPECT_EQ(histogram.Percentile(1), absl::Milliseconds(100));
  EXPECT_EQ(histogram.max(), absl::Milliseconds(100));
}

TEST(Histogram, TakesAnything) {
  Histogram histogram;
  histogram.Add(-absl::Seconds(1));
  histogram.Add(absl::InfiniteDuration());
  EXPECT_EQ(histogram.Percentile(0.5), absl::ZeroDuration());
  EXPECT_EQ(histogram.max(), absl::Hours(1));
}

TEST(Histogram, ShowsBarsByTheirNumbers) {
  Histogram histogram;
  for (int i = 0; i < 10; ++i) histogram.Add(absl::Microseconds(200));
  histogram.Add(absl::Milliseconds(5));
  EXPECT_EQ(histogram.Lines(10), (std::vector<std::string>{"  0.255 ms         10  ##########",  //
                                                           "  6.143 ms          1  #"}));
  EXPECT_EQ(ShowLatency(absl::Milliseconds(12)), "12.00 ms");
  EXPECT_EQ(ShowLatency(absl::Seconds(2)), "2000 ms");
}

constexpr absl::Time kBegin = absl::UnixEpoch();

absl::Time At(int ms) { return kBegin + absl::Milliseconds(ms); }

TEST(Pace, AClosedLoopKeepsSomeUnderWay) {
  Pace pace(0, 2, kBegin, At(100));
  EXPECT_EQ(pace.Take(At(1)), At(1));
  EXPECT_EQ(pace.Take(At(2)), At(2));
  EXPECT_EQ(pace.Take(At(3)), std::nullopt);
  EXPECT_EQ(pace.Next(), At(100));
  pace.Answered();
  EXPECT_EQ(pace.Take(At(4)), At(4));
  pace.Answered();
  EXPECT_EQ(pace.Take(At(100)), std::nullopt);
  EXPECT_EQ(pace.missed(), 0u);
}

TEST(Pace, AnOpenLoopCountsFromWhenACallWasDue) {
  Pace pace(100, 1000, kBegin, At(100));
  EXPECT_EQ(pace.Take(At(0)), At(0));
  EXPECT_EQ(pace.Take(At(5)), std::nullopt);
  EXPECT_EQ(pace.Next(), At(10));
  // This program stalled: all that were due meanwhile are sent, and count from when they were due.
  EXPECT_EQ(pace.Take(At(35)), At(10));
  EXPECT_EQ(pace.Take(At(35)), At(20));
  EXPECT_EQ(pace.Take(At(35)), At(30));
  EXPECT_EQ(pace.Take(At(35)), std::nullopt);
}

TEST(Pace, CallsThatCouldNotBeSentAreTold) {
  Pace pace(100, 2, kBegin, At(100));
  EXPECT_TRUE(pace.Take(At(0)));
  EXPECT_TRUE(pace.Take(At(10)));
  EXPECT_FALSE(pace.Take(At(50)));  // the node does not answer
  EXPECT_FALSE(pace.Over(At(150)));
  EXPECT_EQ(pace.Next(), At(100) + kLateMost);
  EXPECT_TRUE(pace.Over(At(100) + kLateMost));
  EXPECT_EQ(pace.missed(), 8u);
}

TEST(Pace, CallsThatWereDueBeforeTheEndAreSentALittleLater) {
  Pace pace(100, 1000, kBegin, At(30));
  EXPECT_EQ(pace.Take(At(40)), At(0));
  EXPECT_EQ(pace.Take(At(40)), At(10));
  EXPECT_FALSE(pace.Over(At(40)));
  EXPECT_EQ(pace.Take(At(40)), At(20));
  EXPECT_TRUE(pace.Over(At(40)));
  EXPECT_EQ(pace.Take(At(40)), std::nullopt);
  EXPECT_EQ(pace.missed(), 0u);
}

}  // namespace
}  // namespace leasemap::cli
