#include "clients/cli/core/color.h"

namespace leasemap::cli {
namespace {

// The parameters of ECMA-48's SGR sequence.
const char* Parameter(Color color) {
  switch (color) {
    case Color::kRed:
      return "31";
    case Color::kGreen:
      return "32";
    case Color::kYellow:
      return "33";
    case Color::kMagenta:
      return "35";
    case Color::kBold:
      return "1";
    case Color::kFaint:
      return "2";
  }
  return "0";
}

}  // namespace

bool WantsColor(ColorMode mode, bool is_terminal, const std::string& no_color, const std::string& term) {
  if (mode != ColorMode::kAuto) return mode == ColorMode::kAlways;
  return is_terminal && no_color.empty() && !term.empty() && term != "dumb";
}

std::string InColor(Color color, const std::string& text) {
  return std::string("\x1b[") + Parameter(color) + "m" + text + "\x1b[0m";
}

}  // namespace leasemap::cli
