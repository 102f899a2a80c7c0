// A value comes from where its argument says, byte for byte, and not without a bound.
#include "clients/cli/core/value_source.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/matchers/status.h"

namespace leasemap::cli {
namespace {

using Kind = ValueSource::Kind;

void Expect(const std::optional<std::string>& argument, Kind kind, const std::string& text) {
  const auto source = ParseValueSource(argument);
  ASSERT_THAT(source, IsOk());
  EXPECT_EQ(source->kind, kind) << argument.value_or("none");
  EXPECT_EQ(source->text, text);
}

TEST(ParseValueSource, KnowsTextFilesAndInput) {
  Expect("blue", Kind::kText, "blue");
  Expect("", Kind::kText, "");
  Expect("--", Kind::kText, "--");
  Expect("a@b", Kind::kText, "a@b");
  Expect("@logo.png", Kind::kFile, "logo.png");
  Expect("-", Kind::kInput, "");
  Expect("@-", Kind::kInput, "");
  Expect(std::nullopt, Kind::kInput, "");
}

TEST(ParseValueSource, TwoAtSignsStandForOne) {
  Expect("@@", Kind::kText, "@");
  Expect("@@home", Kind::kText, "@home");
  Expect("@@@", Kind::kText, "@@");
  Expect("@@-", Kind::kText, "@-");
  EXPECT_EQ(ParseValueSource("@").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ReadValue, KeepsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 200'000; ++i) bytes += static_cast<char>(i * 7 % 256);
  std::istringstream input(bytes + "\n");
  EXPECT_EQ(*ReadValue(input), bytes + "\n");
  std::istringstream empty("");
  EXPECT_EQ(*ReadValue(empty), "");
}

TEST(ReadValue, StopsAtTheBound) {
  std::istringstream input(std::string(kLargestValue + 1, 'x'));
  EXPECT_EQ(ReadValue(input).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(ReadValue, TellsABrokenInput) {
  std::istringstream input("x");
  input.setstate(std::ios::badbit);
  EXPECT_EQ(ReadValue(input).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace leasemap::cli
