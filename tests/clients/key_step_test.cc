// Keys are completed up to the next slash, and none that a shell would act upon comes to a command line.
#include "clients/cli/core/key_step.h"

#include <gtest/gtest.h>

namespace leasemap::cli {
namespace {

TEST(KeyStep, GoesToTheNextSlash) {
  EXPECT_EQ(KeyStep("color", ""), "color");
  EXPECT_EQ(KeyStep("jobs/a/1", ""), "jobs/");
  EXPECT_EQ(KeyStep("jobs/a/1", "jo"), "jobs/");
  EXPECT_EQ(KeyStep("jobs/a/1", "jobs/"), "jobs/a/");
  EXPECT_EQ(KeyStep("jobs/a/1", "jobs/a/"), "jobs/a/1");
}

TEST(AfterStep, SkipsAllKeysOfAStep) {
  EXPECT_EQ(AfterStep("color"), std::string("color\0", 6));
  EXPECT_EQ(AfterStep("jobs/"), "jobs0");
  EXPECT_GT(AfterStep("jobs/"), "jobs/\xff\xff");
}

TEST(IsPlainWord, RefusesWhatAShellActsUpon) {
  for (const char* word : {"color", "jobs/a-1", "a:b@c.d,e+f%g_h"}) EXPECT_TRUE(IsPlainWord(word)) << word;
  for (const char* word : {"", "-x", "a b", "$(reboot)", "a;b", "`a`", "a\n", "*", "a'b", "~x", "a\\b", "\xc3\xa4"}) {
    EXPECT_FALSE(IsPlainWord(word)) << word;
  }
}

}  // namespace
}  // namespace leasemap::cli
