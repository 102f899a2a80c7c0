// The lines of `leasemap batch` and how they are cut into calls.
#include "clients/cli/core/batch_input.h"

#include <gtest/gtest.h>

#include "clients/cli/core/request.h"
#include "tests/matchers/status.h"

namespace leasemap::cli {
namespace {

v1::SetRequest Defaults() {
  v1::SetRequest defaults;
  defaults.set_holder("me");
  defaults.mutable_lease_duration()->set_seconds(60);
  return defaults;
}

TEST(ParseBatchLine, ReadsTabSeparatedLines) {
  const auto request = ParseBatchLine("a\\tb\tx\ty", Defaults());
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->key(), "a\tb");
  EXPECT_EQ(request->value(), "x\ty") << "only the first tab separates";
  EXPECT_EQ(request->holder(), "me");
  EXPECT_EQ(request->lease_duration().seconds(), 60);
}

TEST(ParseBatchLine, SendsBytesThatAreNoTextAsBytes) {
  const auto request = ParseBatchLine("k\\xff\t\\xfe", Defaults());
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->key_bytes(), "k\xff");
  EXPECT_EQ(request->value_bytes(), "\xfe");
}

TEST(ParseBatchLine, ReadsLinesWithCarriageReturns) { EXPECT_EQ(ParseBatchLine("k\tv\r", Defaults())->value(), "v"); }

TEST(ParseBatchLine, ReadsJson) {
  const auto request = ParseBatchLine(R"({"key":"k\n","value":"","lease":"1m30s","holder":"you"})", Defaults());
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->key(), "k\n");
  EXPECT_TRUE(request->has_value()) << "the empty value counts as given";
  EXPECT_EQ(request->lease_duration().seconds(), 90);
  EXPECT_EQ(request->holder(), "you");
}

TEST(ParseBatchLine, ReadsBytesOfJsonAsBase64) {
  const auto request = ParseBatchLine(R"({"key_bytes":"/w==","value_bytes":"AAE="})", Defaults());
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->key_bytes(), "\xff");
  EXPECT_EQ(request->value_bytes(), std::string("\0\1", 2));
  EXPECT_EQ(request->holder(), "me") << "what the line leaves out comes from the options";
}

TEST(ParseBatchLine, SaysWhatIsWrong) {
  const char* const lines[] = {"just words",
                               "{",
                               "{}",
                               R"({"key":"k"})",
                               R"({"value":"v"})",
                               R"({"key":"k","value":1})",
                               R"({"key":"k","value":null})",
                               R"({"key":"k","key_bytes":"aw==","value":"v"})",
                               R"({"key":"k","value":"v","ttl":"5s"})",
                               R"({"key":"k","value":"v","lease":"5"})",
                               R"({"key":"k","value_bytes":"%"})",
                               "{\"key\":\"\xff\",\"value\":\"v\"}",
                               "k\t\\q"};
  for (const char* line : lines) {
    const auto request = ParseBatchLine(line, Defaults());
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << line;
  }
}

TEST(Chunk, HoldsAThousandItems) {
  Chunk chunk;
  v1::SetRequest request;
  request.set_key("k");
  for (size_t i = 0; i < Chunk::kMaxItems; ++i) ASSERT_TRUE(chunk.Add(i + 1, request));
  EXPECT_FALSE(chunk.Add(1001, request));
  EXPECT_EQ(chunk.items().size(), Chunk::kMaxItems);
  EXPECT_EQ(chunk.items().back().line, 1000u);
  chunk.Clear();
  EXPECT_TRUE(chunk.items().empty());
  EXPECT_TRUE(chunk.Add(1001, request));
}

TEST(Chunk, HoldsAMebibyteOrOneLargerItem) {
  v1::SetRequest half;
  half.set_value(std::string(Chunk::kMaxBytes / 2 - 100, 'x'));
  v1::SetRequest huge;
  huge.set_value(std::string(2 * Chunk::kMaxBytes, 'x'));
  Chunk chunk;
  EXPECT_TRUE(chunk.Add(1, half));
  EXPECT_TRUE(chunk.Add(2, half));
  EXPECT_FALSE(chunk.Add(3, half));
  chunk.Clear();
  EXPECT_TRUE(chunk.Add(3, huge)) << "the node says what it thinks of it";
  EXPECT_FALSE(chunk.Add(4, half));
}

}  // namespace
}  // namespace leasemap::cli
