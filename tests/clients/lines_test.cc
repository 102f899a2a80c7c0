// Lines come one by one, and a long one takes no more memory than its bound.
#include "clients/cli/core/lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

namespace leasemap::cli {
namespace {

using testing::ElementsAre;

std::vector<std::string> Read(const std::string& text, size_t longest = kLongestLine) {
  std::istringstream input(text);
  std::vector<std::string> lines;
  std::string line;
  for (bool whole = true; ReadLine(input, line, whole, longest);) lines.push_back(whole ? line : line + "…");
  return lines;
}

TEST(ReadLine, EndsAtNewlinesAndAtTheEnd) {
  EXPECT_THAT(Read(""), ElementsAre());
  EXPECT_THAT(Read("\n"), ElementsAre(""));
  EXPECT_THAT(Read("a\n\nb"), ElementsAre("a", "", "b"));
  EXPECT_THAT(Read("a\r\n"), ElementsAre("a\r"));
}

TEST(ReadLine, SkipsTheRestOfALongLine) { EXPECT_THAT(Read("abc\nabcd\nab\n", 3), ElementsAre("abc", "abc…", "ab")); }

struct Broken : std::streambuf {
  int_type underflow() override { throw std::ios_base::failure("no such thing"); }
};

TEST(ReadLine, EndsWhereReadingFails) {
  Broken broken;
  std::istream input(&broken);
  std::string line;
  bool whole = true;
  EXPECT_FALSE(ReadLine(input, line, whole));
  EXPECT_TRUE(input.bad());
}

}  // namespace
}  // namespace leasemap::cli
