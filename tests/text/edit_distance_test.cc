// The distance between two words.
#include "text/edit_distance.h"

#include <gtest/gtest.h>

namespace leasemap::text {
namespace {

TEST(EditDistance, CountsEdits) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("get", "get"), 0u);
  EXPECT_EQ(EditDistance("gte", "get"), 1u) << "neighbours are swapped";
  EXPECT_EQ(EditDistance("sett", "set"), 1u);
  EXPECT_EQ(EditDistance("wacht", "watch"), 2u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("ca", "abc"), 3u) << "no letter is touched twice";
}

}  // namespace
}  // namespace leasemap::text
