// What the program's standard streams are: terminals or not, how wide, and whether they get colours.
#ifndef LEASEMAP_CLIENTS_CLI_TERMINAL_H_
#define LEASEMAP_CLIENTS_CLI_TERMINAL_H_

#include <cstddef>
#include <ostream>
#include <string>

#include "clients/cli/core/color.h"

namespace leasemap::cli {

enum class Stream { kIn = 0, kOut = 1, kError = 2 };  // by file descriptor

bool IsTerminal(Stream stream);

// The columns of the terminal that standard output is; 0 if it is none or does not tell.
size_t TerminalWidth();

// What --color asked for. Holds for the whole program; call it before anything is printed.
void ChooseColors(ColorMode mode);

// The text for the stream, in the colour if the stream gets colours.
std::string Paint(Stream stream, Color color, const std::string& text);

// Standard error, after the program's name at the beginning of a message.
std::ostream& Complain();

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_TERMINAL_H_
