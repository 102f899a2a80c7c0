// The help texts: for the whole program, and for one command with the options that all commands share. No line is wider
// than 80 columns.
#ifndef LEASEMAP_CLIENTS_CLI_HELP_H_
#define LEASEMAP_CLIENTS_CLI_HELP_H_

#include <CLI/CLI.hpp>
#include <string>

namespace leasemap::cli {

// The help of the program: its commands by group, and the options of all commands.
std::string HelpFor(const CLI::App& app);

// The help of one command of the program.
std::string HelpFor(const CLI::App& app, const CLI::App& command);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_HELP_H_
