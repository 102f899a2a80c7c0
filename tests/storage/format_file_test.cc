#include "server/storage/format_file.h"

#include <string>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/matchers/status.h"

namespace leasemap::storage {
namespace {

using testing::HasSubstr;

const Format kFormatOfA{"node a", "leasemap", Format::Map::kGood};

TEST(FormatFileTest, IsReadAsItWasWritten) {
  for (const auto map : {Format::Map::kNew, Format::Map::kGood, Format::Map::kLost}) {
    const Format format{"node a", "my cluster", map};
    const auto back = ParseFormat(FormatText(format));
    ASSERT_THAT(back, IsOk());
    EXPECT_EQ(*back, format);
  }
}

TEST(FormatFileTest, AFlippedLetterIsDamage) {
  const std::string text = FormatText(kFormatOfA);
  for (size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] ^= 1;
    EXPECT_FALSE(ParseFormat(flipped).ok()) << i;
  }
}

TEST(FormatFileTest, ATextThatEndsTooSoonIsDamage) {
  const std::string text = FormatText(kFormatOfA);
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(ParseFormat(text.substr(0, size)).status())) << size;
  }
}

TEST(FormatFileTest, ALaterFormatIsNoDamage) {
  const auto later = ParseFormat(absl::StrReplaceAll(FormatText(kFormatOfA), {{"format 1", "format 2"}}));
  EXPECT_TRUE(absl::IsFailedPrecondition(later.status()));
  EXPECT_THAT(std::string(later.status().message()), HasSubstr("it has format 2; this version reads 1 to 1"));
}

}  // namespace
}  // namespace leasemap::storage
