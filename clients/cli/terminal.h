// Describes the standard streams of the program: terminals or not, their width, and whether they get colours.
#ifndef LEASEMAP_CLIENTS_CLI_TERMINAL_H_
#define LEASEMAP_CLIENTS_CLI_TERMINAL_H_

#include <cstddef>
#include <ostream>
#include <string>

#include "clients/cli/core/color.h"

namespace leasemap::cli {

enum class Stream { kIn = 0, kOut = 1, kError = 2 };  // by file descriptor

bool IsTerminal(Stream stream);

// The columns of the terminal that standard output is; 0 if it is none, or its width is not known.
size_t TerminalWidth();

// Sets the choice of --color for the whole program. Call it before anything is printed.
void ChooseColors(ColorMode mode);

// The text for the stream, in the colour if the stream gets colours.
std::string Paint(Stream stream, Color color, const std::string& text);

// Standard error, after the program's name at the beginning of a message.
std::ostream& Complain();

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_TERMINAL_H_
