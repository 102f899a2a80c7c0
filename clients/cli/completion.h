// `leasemap completion`: what a shell offers for a command line that is not finished, by the grammar, and the scripts
// by which bash, zsh and fish ask for it.
#ifndef LEASEMAP_CLIENTS_CLI_COMPLETION_H_
#define LEASEMAP_CLIENTS_CLI_COMPLETION_H_

#include <CLI/CLI.hpp>
#include <string>

#include "clients/cli/options.h"

namespace leasemap::cli {

// The script of a shell: bash, zsh or fish.
std::string CompletionScript(const std::string& shell);

// Prints what may take the place of the last one of the options' words. The first line says what that is: `words` (they
// follow, one a line, each with a tab and an explanation behind it, or without), `files` or `commands` (the shell knows
// them).
int PrintCompletions(const CLI::App& app, const Options& options);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_COMPLETION_H_
