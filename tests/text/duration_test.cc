// Durations of flags, of the command line and of the lines of a file.
#include "text/duration.h"

#include <gtest/gtest.h>

namespace leasemap::text {
namespace {

TEST(ParseDuration, TakesNumbersWithUnits) {
  EXPECT_EQ(*ParseDuration("30s"), absl::Seconds(30));
  EXPECT_EQ(*ParseDuration("1h"), absl::Hours(1));
  EXPECT_EQ(*ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(*ParseDuration("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseDuration("1.5s"), absl::Milliseconds(1500));
  EXPECT_EQ(*ParseDuration("0"), absl::ZeroDuration());
  EXPECT_EQ(*ParseDuration("0s"), absl::ZeroDuration());
}

TEST(ParseDuration, RefusesEverythingElse) {
  // Abseil itself reads infinities and signs.
  for (const char* text : {"", "30", "s", "1 h", "1d", "inf", "-inf", "+inf", "-5s", "30s ", " 30s", "x", "1h-5m",
                           "0x10s", "1e3s", "9999999999999999h"}) {
    const auto duration = ParseDuration(text);
    EXPECT_EQ(duration.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_NE(std::string(ParseDuration("30").status().message()).find("30s"), std::string::npos)
      << "the message shows how to write one";
}

}  // namespace
}  // namespace leasemap::text
