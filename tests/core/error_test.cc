// What clients read of our errors: reasons, metadata that is escaped and cut, names and durations.
#include "peer/core/data/error.h"

#include <gtest/gtest.h>

#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

TEST(Shown, EscapesAndCuts) {
  EXPECT_EQ(Shown("color"), "color");
  EXPECT_EQ(Shown(std::string("a\0b\n", 4)), "a\\x00b\\x0a");
  EXPECT_EQ(Shown("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(Shown("grün ✓"), "grün ✓");
  EXPECT_EQ(Shown("\xe2\x80\xae"
                  "x"),
            "\\xe2\\x80\\xaex");  // turns the text around
  EXPECT_EQ(Shown(std::string(64, 'a')), std::string(64, 'a'));
  const std::string cut = Shown(std::string(65, 'a'));
  EXPECT_LE(cut.size(), 64u);
  EXPECT_EQ(cut.substr(cut.size() - 3), "...");
  for (size_t n = 0; n < 200; ++n) {
    EXPECT_LE(Shown(std::string(n, '\x01')).size(), 67u);
    std::string euros;
    for (size_t i = 0; i < n; ++i) euros += "€";
    EXPECT_TRUE(IsUtf8(Shown(euros)));
    EXPECT_LE(Shown(euros).size(), 67u);
  }
}

TEST(Errors, CarryReasonMetadataAndRetry) {
  auto status = Refusal(absl::StatusCode::kAborted, "VERSION_MISMATCH", "read it again");
  EXPECT_THAT(status, HasReason("VERSION_MISMATCH"));
  EXPECT_EQ(status.message(), "read it again");
  EXPECT_EQ(RetryMsOf(status), -1);
  SetRetryMs(status, 250);
  EXPECT_EQ(RetryMsOf(status), 250);
  AddMetadata(status, "key", std::string(5000, 'k'));
  AddMetadata(status, "holder", "node-1");
  const auto metadata = MetadataOf(status);
  EXPECT_EQ(metadata.size(), 2u);
  EXPECT_EQ(metadata.at("holder"), "node-1");
  EXPECT_LE(metadata.at("key").size(), 64u);
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
  const auto field = InvalidField("page_size", "must not be negative");
  EXPECT_THAT(field, HasReason("REQUEST_INVALID"));
  EXPECT_EQ(MetadataOf(field).at("field"), "page_size");
  EXPECT_EQ(Unsupported("ack", "later").code(), absl::StatusCode::kUnimplemented);
}

TEST(Errors, KeysAndNames) {
  EXPECT_THAT(CheckKey(""), HasReason("KEY_INVALID"));
  EXPECT_THAT(CheckKey(std::string(4096, '\0')), IsOk());
  EXPECT_THAT(CheckKey(std::string(4097, 'k')), HasReason("KEY_INVALID"));
  EXPECT_THAT(CheckName("holder", "worker 7 ✓"), IsOk());
  EXPECT_THAT(CheckName("holder", std::string(255, 'h')), IsOk());
  for (const std::string& bad : {std::string(), std::string(256, 'h'), std::string("a\nb"), std::string("\xff"),
                                 std::string("a\0b", 3), std::string("\xc0\xaf"), std::string("\xed\xa0\x80")}) {
    EXPECT_THAT(CheckName("holder", bad), HasReason("REQUEST_INVALID"));
  }
}

TEST(Errors, DurationsForPeople) {
  EXPECT_EQ(ShownDuration(-5), "0.0s");
  EXPECT_EQ(ShownDuration(3250), "3.2s");
  EXPECT_EQ(ShownDuration(59'000), "59s");
  EXPECT_EQ(ShownDuration(3'552'000), "59m12s");
  EXPECT_EQ(ShownDuration(9'999), "9.9s");
  EXPECT_EQ(ShownDuration(10'000), "10s");
  EXPECT_EQ(ShownDuration(59'999), "59s");
  EXPECT_EQ(ShownDuration(60'000), "1m0s");
  EXPECT_EQ(ShownDuration(3'599'999), "59m59s");
  EXPECT_EQ(ShownDuration(3'600'000), "1h0m");
  EXPECT_EQ(ShownDuration(7'500'000), "2h5m");
}

}  // namespace
}  // namespace leasemap::core
