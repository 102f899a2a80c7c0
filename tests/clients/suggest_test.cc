// A mistyped word gets the word that was meant, and a word that is like none gets none.
#include "clients/cli/core/suggest.h"

#include <gtest/gtest.h>

namespace leasemap::cli {
namespace {

TEST(Nearest, FindsTheWordThatWasMeant) {
  const std::vector<std::string> known = {"get", "set", "put", "del", "rm", "ls", "list", "watch", "status", "members"};
  EXPECT_EQ(Nearest("gte", known), "get");
  EXPECT_EQ(Nearest("sett", known), "set");
  EXPECT_EQ(Nearest("wathc", known), "watch");
  EXPECT_EQ(Nearest("member", known), "members");
  EXPECT_EQ(Nearest("stat", known), "status") << "the beginning of a word";
  EXPECT_EQ(Nearest("delete", known), "del") << "a word that begins with a known one";
}

TEST(Nearest, IsSilentWhereNothingIsNear) {
  const std::vector<std::string> known = {"get", "rm", "ls", "holder"};
  for (const char* word : {"", "x", "zz", "frobnicate", "he"}) EXPECT_EQ(Nearest(word, known), "") << word;
  EXPECT_EQ(Nearest(std::string(1 << 20, 'g'), known), "") << "no time is spent on a word that is far too long";
}

}  // namespace
}  // namespace leasemap::cli
