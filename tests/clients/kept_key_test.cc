// Arguments of `leasemap keep` are keys, with values or without. Those that make no sense are refused, with what to do.
#include "clients/cli/core/kept_key.h"

#include <gtest/gtest.h>

#include "tests/matchers/status.h"

namespace leasemap::cli {
namespace {

TEST(ParseKeptKeys, TakesKeysAndValues) {
  const auto keys = ParseKeptKeys({"a", "b=", "c=d=e"});
  ASSERT_THAT(keys, IsOk());
  ASSERT_EQ(keys->size(), 3u);
  EXPECT_EQ((*keys)[0].key, "a");
  EXPECT_FALSE((*keys)[0].value);
  EXPECT_EQ((*keys)[1].key, "b");
  EXPECT_EQ((*keys)[1].value, "");
  EXPECT_EQ((*keys)[2].key, "c");
  EXPECT_EQ((*keys)[2].value, "d=e");
}

TEST(ParseKeptKeys, RefusesWhatMakesNoSense) {
  EXPECT_FALSE(ParseKeptKeys({"=v"}).ok());
  EXPECT_FALSE(ParseKeptKeys({"a", "a=v"}).ok());
  std::vector<std::string> many;
  for (size_t i = 0; i < kKeptMost; ++i) many.push_back("k" + std::to_string(i));
  EXPECT_THAT(ParseKeptKeys(many), IsOk());
  many.push_back("one more");
  EXPECT_FALSE(ParseKeptKeys(many).ok());
}

}  // namespace
}  // namespace leasemap::cli
