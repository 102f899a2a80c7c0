// Colours of a terminal: when they are wanted, and the bytes that switch them on and off.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_COLOR_H_
#define LEASEMAP_CLIENTS_CLI_CORE_COLOR_H_

#include <string>

namespace leasemap::cli {

enum class ColorMode { kAuto, kAlways, kNever };

enum class Color { kRed, kGreen, kYellow, kMagenta, kBold, kFaint };

// Whether a stream gets colours. With kAuto a terminal does, unless the variable NO_COLOR is not empty
// (https://no-color.org) or TERM says that the terminal has none.
bool WantsColor(ColorMode mode, bool is_terminal, const std::string& no_color, const std::string& term);

// The text between the bytes that switch the colour on and off again.
std::string InColor(Color color, const std::string& text);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_COLOR_H_
