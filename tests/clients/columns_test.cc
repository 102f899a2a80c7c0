// Text keeps to its columns: widths, cuts, wrapped lines and tables.
#include "clients/cli/core/columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace leasemap::cli {
namespace {

using testing::ElementsAre;

TEST(WidthOf, CountsColumnsAndNotBytes) {
  EXPECT_EQ(WidthOf(""), 0u);
  EXPECT_EQ(WidthOf("color"), 5u);
  EXPECT_EQ(WidthOf("é"), 1u);
  EXPECT_EQ(WidthOf("e\u0301"), 1u) << "a letter and its accent";
  EXPECT_EQ(WidthOf("值 ✓"), 4u);
  EXPECT_EQ(WidthOf("😀"), 2u);
}

TEST(Cut, LeavesShortTextAndCutsTheRest) {
  EXPECT_EQ(Cut("color", 5), "color");
  EXPECT_EQ(Cut("color", 4), "col…");
  EXPECT_EQ(Cut("color", 1), "…");
  EXPECT_EQ(Cut("", 1), "");
  EXPECT_EQ(Cut("éèê", 3), "éèê");
  EXPECT_EQ(Cut("éèêë", 3), "éè…");
  EXPECT_EQ(Cut("值值", 4), "值值");
  EXPECT_EQ(Cut("值值", 3), "值…");
  EXPECT_EQ(Cut("值值", 2), "…") << "no half of a wide character";
}

TEST(Wrap, BreaksAtSpaces) {
  EXPECT_THAT(Wrap("a bc d", 4), ElementsAre("a bc", "d"));
  EXPECT_THAT(Wrap("a bc d", 3), ElementsAre("a", "bc", "d"));
  EXPECT_THAT(Wrap("  a   b ", 9), ElementsAre("a b"));
  EXPECT_THAT(Wrap("longer a", 3), ElementsAre("longer", "a"));
  EXPECT_THAT(Wrap("", 3), ElementsAre());
}

TEST(Columns, AlignsCellsAndKeepsWidths) {
  Columns columns;
  EXPECT_THAT(columns.Lines({{"KEY", "VALUE", "X"}, {"值值", "1", "y"}}),
              ElementsAre("KEY   VALUE  X", "值值  1      y"));
  EXPECT_THAT(columns.Lines({{"a", "b", "c"}}), ElementsAre("a     b      c")) << "a later part stays aligned";
  EXPECT_THAT(columns.Lines({{"abcdef", "b", ""}}), ElementsAre("abcdef  b      ")) << "and may grow";
}

}  // namespace
}  // namespace leasemap::cli
