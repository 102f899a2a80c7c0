#include "clients/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace leasemap::cli {
namespace {

ColorMode chosen_mode = ColorMode::kAuto;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets a variable
  return value != nullptr ? value : "";
}

}  // namespace

bool IsTerminal(Stream stream) { return isatty(static_cast<int>(stream)) == 1; }

size_t TerminalWidth() {
  winsize size{};
  return IsTerminal(Stream::kOut) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void ChooseColors(ColorMode mode) { chosen_mode = mode; }

std::string Paint(Stream stream, Color color, const std::string& text) {
  static const std::string no_color = Variable("NO_COLOR"), term = Variable("TERM");
  static const bool terminals[] = {IsTerminal(Stream::kIn), IsTerminal(Stream::kOut), IsTerminal(Stream::kError)};
  return WantsColor(chosen_mode, terminals[static_cast<int>(stream)], no_color, term) ? InColor(color, text) : text;
}

std::ostream& Complain() { return std::cerr << Paint(Stream::kError, Color::kRed, "leasemap:") << " "; }

}  // namespace leasemap::cli
