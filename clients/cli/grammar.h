// Defines the commands and options of the command line for CLI11. ParseOptions (options.cc) builds them and reads the
// arguments with them.
#ifndef LEASEMAP_CLIENTS_CLI_GRAMMAR_H_
#define LEASEMAP_CLIENTS_CLI_GRAMMAR_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "clients/cli/options.h"

namespace leasemap::cli {

// The groups of commands in the help, in this order.
inline constexpr char kKeys[] = "Keys";
inline constexpr char kManyKeys[] = "Many keys";
inline constexpr char kLeases[] = "Leases for programs";
inline constexpr char kCluster[] = "The cluster";
inline constexpr char kProgram[] = "The program";

// grammar.cc: what several commands share. Each function that reads a value throws CLI::ValidationError, with what is
// wrong, for a bad one.
void AddSharedOptions(CLI::App& app, Options& options);
// Adds a command. Its help ends with `notes`, which have examples; the help wraps them (see Notes in help.cc).
CLI::App* AddCommand(CLI::App& app, Options& options, const char* group, const std::string& word,
                     const std::string& about, const std::string& notes);
void AddKey(CLI::App* command, Options& options);
CLI::Option* AddText(CLI::App* command, const std::string& name, std::string& text, const char* type,
                     const std::string& about);
// The same, for text that may also be absent; the empty text counts as given.
CLI::Option* AddText(CLI::App* command, const std::string& name, std::optional<std::string>& text, const char* type,
                     const std::string& about);
CLI::Option* AddDuration(CLI::App* command, const std::string& name, std::optional<absl::Duration>& duration,
                         const std::string& about);
void AddLease(CLI::App* command, Options& options, const std::string& otherwise);
// --ack: which nodes must have a write.
void AddAck(CLI::App* command, Options& options, const std::string& about);
// An option or argument that takes several words.
CLI::Option* AddWords(CLI::App* command, const std::string& name, std::vector<std::string>& words,
                      const std::string& about);

// CLI11 reads a word like [a,b] as a list, and {} as none. Such a word gets a mark in front before CLI11 sees it, and
// the functions above take the mark off.
std::string Marked(const std::string& word);
std::string Unmarked(const std::string& word);

// grammar_keys.cc, grammar_many.cc, grammar_leases.cc and grammar_nodes.cc
void AddKeyCommands(CLI::App& app, Options& options);
void AddManyKeysCommands(CLI::App& app, Options& options);
void AddLeaseCommands(CLI::App& app, Options& options);
void AddNodeCommands(CLI::App& app, Options& options);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_GRAMMAR_H_
