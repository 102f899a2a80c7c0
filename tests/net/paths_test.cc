// Two links in a row that stood still: the next have smaller segments.
#include "peer/net/paths.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace leasemap::net {
namespace {

TEST(Paths, TwoEndsInARowMakeSegmentsSmallerStepByStep) {
  Paths paths;
  EXPECT_EQ(paths.SegmentTo("a", 0), 0);
  EXPECT_FALSE(paths.Ended("a", LinkEnd::kStuck, 3000, 1));
  EXPECT_EQ(paths.SegmentTo("a", 2), 0);
  EXPECT_TRUE(paths.Ended("a", LinkEnd::kSilent, 3000, 4000));
  EXPECT_EQ(paths.SegmentTo("a", 4001), Paths::kSmaller);
  EXPECT_EQ(paths.SegmentTo("b", 4001), 0);
  EXPECT_NE(paths.Describe(4001).at("a").find("segments of 1200 bytes"), std::string::npos);
  EXPECT_FALSE(paths.Ended("a", LinkEnd::kStuck, 3000, 8000));
  EXPECT_TRUE(paths.Ended("a", LinkEnd::kStuck, 3000, 12'000));
  EXPECT_EQ(paths.SegmentTo("a", 12'001), Paths::kSmallest);
  for (int n = 0; n < 10; ++n) EXPECT_FALSE(paths.Ended("a", LinkEnd::kStuck, 3000, 13'000));  // there is none below
}

TEST(Paths, AnEndThatIsFineOrComesLateBeginsTheCountAgain) {
  Paths paths;
  for (int64_t ms = 0; ms < 100'000; ms += 10'000) {
    EXPECT_FALSE(paths.Ended("a", LinkEnd::kStuck, 3000, ms));
    EXPECT_FALSE(paths.Ended("a", ms % 20'000 == 0 ? LinkEnd::kFine : LinkEnd::kStuck, Paths::kLastsMs, ms + 5000));
  }
  EXPECT_EQ(paths.SegmentTo("a", 100'000), 0);
}

TEST(Paths, AfterAnHourTheUsualSizeIsTried) {
  Paths paths;
  for (int n = 0; n < Paths::kEnds; ++n) paths.Ended("a", LinkEnd::kStuck, 3000, 0);
  EXPECT_EQ(paths.SegmentTo("a", Paths::kForgetMs - 1), Paths::kSmaller);
  EXPECT_EQ(paths.SegmentTo("a", Paths::kForgetMs), 0);
  EXPECT_TRUE(paths.Describe(Paths::kForgetMs).empty());
  EXPECT_FALSE(paths.Ended("a", LinkEnd::kStuck, 3000, Paths::kForgetMs));
}

// A machine that stalled looks the same from where nothing was to be sent: no reason to blame the network.
TEST(Paths, SilenceAloneIsNotNamed) {
  Paths paths;
  for (int n = 0; n < Paths::kEnds; ++n) paths.Ended("a", LinkEnd::kSilent, 3000, 0);
  EXPECT_EQ(paths.SegmentTo("a", 1), Paths::kSmaller);
  EXPECT_TRUE(paths.Describe(1).empty());
}

TEST(Paths, TheOldestMakesRoom) {
  Paths paths;
  for (size_t n = 0; n <= Paths::kMostPaths; ++n) {
    for (int end = 0; end < Paths::kEnds; ++end) {
      paths.Ended(absl::StrCat(n), LinkEnd::kStuck, 3000, static_cast<int64_t>(n));
    }
  }
  EXPECT_EQ(paths.SegmentTo("0", 1000), 0);
  EXPECT_EQ(paths.SegmentTo("1", 1000), Paths::kSmaller);
  EXPECT_EQ(paths.Describe(1000).size(), Paths::kMostPaths);
}

}  // namespace
}  // namespace leasemap::net
