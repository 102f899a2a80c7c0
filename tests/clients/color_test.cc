// Colours are for terminals that have them and users who want them.
#include "clients/cli/core/color.h"

#include <gtest/gtest.h>

namespace leasemap::cli {
namespace {

TEST(WantsColor, AsksTheTerminalAndTheUser) {
  EXPECT_TRUE(WantsColor(ColorMode::kAuto, true, "", "xterm"));
  EXPECT_FALSE(WantsColor(ColorMode::kAuto, false, "", "xterm")) << "a pipe";
  EXPECT_FALSE(WantsColor(ColorMode::kAuto, true, "1", "xterm")) << "NO_COLOR";
  EXPECT_FALSE(WantsColor(ColorMode::kAuto, true, "", "dumb"));
  EXPECT_FALSE(WantsColor(ColorMode::kAuto, true, "", "")) << "no TERM";
}

TEST(WantsColor, AnOptionOutranksTheRest) {
  EXPECT_TRUE(WantsColor(ColorMode::kAlways, false, "1", "dumb"));
  EXPECT_FALSE(WantsColor(ColorMode::kNever, true, "", "xterm"));
}

TEST(InColor, SwitchesOnAndOff) { EXPECT_EQ(InColor(Color::kRed, "x"), "\x1b[31mx\x1b[0m"); }

}  // namespace
}  // namespace leasemap::cli
