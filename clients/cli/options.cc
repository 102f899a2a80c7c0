// Reads the command line by its grammar (grammar.h): options stand before or after the command, and the last of a
// repeated one counts. Wrong use is explained here, with the word that was probably meant.
#include "clients/cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/completion.h"
#include "clients/cli/core/guard.h"
#include "clients/cli/core/kept_key.h"
#include "clients/cli/core/own_node.h"
#include "clients/cli/core/servers.h"
#include "clients/cli/core/suggest.h"
#include "clients/cli/core/text.h"
#include "clients/cli/grammar.h"
#include "clients/cli/help.h"
#include "clients/cli/terminal.h"
#include "leasemap/options.h"

namespace leasemap::cli {
namespace {

constexpr char kDefaultServer[] = "127.0.0.1:7400";
// Far below what a cluster allows. With less a call would end before a node can answer.
constexpr absl::Duration kTtlLeast = absl::Milliseconds(100);
constexpr uint32_t kAcksMost = 129;  // as many members as a cluster may have
constexpr char kVersionLine[] = "leasemap " LEASEMAP_VERSION;

// The health check of a container asks the node that was started with the same variables.
std::string OwnNode() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets a variable
    return std::string(value != nullptr ? value : "");
  };
  std::string listen = variable("LEASEMAP_LISTEN");
  if (const std::string file = variable("LEASEMAP_CONFIG"); listen.empty() && !file.empty()) {
    std::ifstream config(file);
    listen = ListenOf(std::string(std::istreambuf_iterator<char>(config), {}));
  }
  const std::string server = ServerAt(listen);
  return server.empty() ? kDefaultServer : server;
}

// Reads an option that must not be set to the empty string from its variable, or else leaves the default.
std::string Choose(const std::string& given, const char* variable, const char* otherwise) {
  if (!given.empty()) return given;
  const char* from_environment = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): likewise
  return from_environment != nullptr && *from_environment != '\0' ? from_environment : otherwise;
}

// The arguments without the program's name, as CLI11 must see them. It takes `--name=` for an option whose value is the
// next argument: it gets the empty value as an argument of its own. Words that it would split are marked (see Marked).
std::vector<std::string> Prepare(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  bool options_end = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    options_end = options_end || argument == "--";
    if (!options_end && argument.substr(0, 2) == "--" && argument.find('=') == argument.size() - 1) {
      arguments.push_back(argument.substr(0, argument.size() - 1));
      arguments.emplace_back();
    } else {
      arguments.push_back(Marked(argument));
    }
  }
  return arguments;
}

const CLI::App* CommandOf(const CLI::App& app) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  return commands.empty() ? nullptr : commands.back();
}

std::string Quote(const std::string& word) { return absl::StrCat("\"", Escape(Unmarked(word)), "\""); }

std::string Meant(const std::string& nearest, const std::string& dashes = "") {
  return nearest.empty() ? "" : absl::StrCat("; is ", dashes, nearest, " meant?");
}

std::string UnknownOption(const CLI::App& app, const CLI::App* command, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  std::vector<std::string> known;
  for (const CLI::App* each : {command, &app}) {
    if (each == nullptr) continue;
    for (const CLI::Option* option : each->get_options()) {
      known.insert(known.end(), option->get_lnames().begin(), option->get_lnames().end());
    }
  }
  const std::string nearest = name.size() > 2 ? Nearest(name.substr(name.find_first_not_of('-')), known) : "";
  const std::string where = command == nullptr ? "" : absl::StrCat("`leasemap ", command->get_name(), "` has ");
  const std::string hint = nearest.empty() ? " (write an argument that starts with - after --)" : Meant(nearest, "--");
  return absl::StrCat(where, "no option ", Escape(name), hint);
}

std::string UnknownCommand(const CLI::App& app, const std::string& word) {
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands({})) {
    known.push_back(command->get_name());
    known.insert(known.end(), command->get_aliases().begin(), command->get_aliases().end());
  }
  return absl::StrCat("no command ", Quote(word), Meant(Nearest(word, known)));
}

// Says what is wrong with the arguments that the grammar has no place for, and keeps the user's order. Empty if there
// are none.
std::string Unexpected(const CLI::App& app) {
  const CLI::App* command = CommandOf(app);
  std::vector<std::string> words;
  std::string unknown_option;
  bool options_end = false;
  for (const std::string& argument : app.remaining(true)) {
    if (argument == "--") {
      options_end = true;
    } else if (!options_end && argument.size() > 1 && argument[0] == '-') {
      if (unknown_option.empty()) unknown_option = UnknownOption(app, command, argument);
    } else {
      words.push_back(argument);
    }
  }
  if (command == nullptr && !words.empty()) return UnknownCommand(app, words.front());
  if (!unknown_option.empty()) return unknown_option;
  if (words.empty()) return "";
  std::string what = absl::StrCat("`leasemap ", command->get_name(), "` takes no further argument, but was given");
  for (const std::string& word : words) absl::StrAppend(&what, " ", Quote(word));
  return what;
}

int SayWrongUse(const CLI::App* command, std::string what) {
  what.erase(std::remove(what.begin(), what.end(), Marked("[")[0]), what.end());
  Complain() << what << "\n";
  Complain() << "see `leasemap " << (command == nullptr ? "" : command->get_name() + " ") << "--help`\n";
  return kWrongUse;
}

// The same for the commands that hold leases.
std::string LeaseMisfit(const Options& options) {
  const absl::Duration ttl = options.lease.value_or(LeaseOptions().duration);
  if (ttl < kTtlLeast) {
    return absl::StrCat("--ttl ", absl::FormatDuration(ttl),
                        " is too short to be renewed in time; give 2s or more (four times the cluster's clock bound)");
  }
  if (options.command == "keep") return std::string(ParseKeptKeys(options.keys).status().message());
  if (options.wait && options.no_wait) return "give --wait or --no-wait, not both";
  if (options.grace && options.program.empty()) return "--grace is for a COMMAND; name one after --";
  if (options.once && options.program.empty()) return "--once is for a COMMAND; name one after --";
  if (options.ack_nodes > kAcksMost) return absl::StrCat("--ack: at most ", kAcksMost, " nodes, or all");
  if (options.grace.value_or(absl::ZeroDuration()) > ttl * kGraceMostPart) {
    return absl::StrCat("--grace is at most a quarter of --ttl, which is ", absl::FormatDuration(ttl),
                        ", so that there is time to try renewals again; give a longer --ttl");
  }
  return "";
}

// Says which options cannot be combined, for rules that the grammar cannot express. Empty if all fit.
std::string Misfit(const Options& options) {
  if (options.raw && (options.keys.size() > 1 || options.meta || options.json)) {
    return "--raw writes the bytes of one KEY, and cannot be combined with --meta or -o json";
  }
  if (!options.cursor.empty() && !options.cursor_file.empty()) return "give --cursor or --cursor-file, not both";
  if (options.keep_going && options.exec.empty()) return "--keep-going is for --exec; give a command by that";
  if (!options.exec.empty() && (options.json || options.show_cursor)) {
    return "--exec prints nothing, and cannot be combined with -o json or --show-cursor";
  }
  if (options.command == "bench" &&
      (options.bench.duration <= absl::ZeroDuration() || options.bench.duration > absl::Hours(1))) {
    return "--duration must be above 0, and an hour at most";
  }
  if (options.command == "lock" || options.command == "elect" || options.command == "keep") return LeaseMisfit(options);
  if (options.command != "del") return "";
  if (options.prefix && options.prefix->empty()) return "--prefix is empty: name the beginning of the keys to delete";
  if (!options.keys.empty() && options.prefix) return "give KEY or --prefix, not both";
  if (options.keys.empty() && !options.prefix) return "KEY is required, or --prefix";
  if (options.keys.size() == 1) return "";
  if (!options.if_version.empty()) return "--if-version takes exactly one KEY";
  if (!options.request_id.empty()) return "--request-id takes exactly one KEY";
  return "";
}

int ShowHelp(const CLI::App& app, const std::string& topic) {
  if (topic.empty()) {
    std::cout << HelpFor(app);
    return kDone;
  }
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!command->check_name(topic)) continue;
    std::cout << HelpFor(app, *command);
    return kDone;
  }
  return SayWrongUse(nullptr, UnknownCommand(app, topic));
}

// Reads the arguments into the options that the grammar is bound to; an exit code if nothing is left to do.
std::optional<int> Parse(CLI::App& app, int argc, const char* const* argv) {
  std::vector<std::string> arguments = Prepare(argc, argv);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    const CLI::App* command = CommandOf(app);
    return ShowHelp(app, command == nullptr ? "" : command->get_name());
  } catch (const CLI::CallForVersion&) {
    std::cout << kVersionLine << "\n";
    return kDone;
  } catch (const CLI::ParseError& error) {
    const std::string unexpected = Unexpected(app);
    return SayWrongUse(CommandOf(app), unexpected.empty() ? error.what() : unexpected);
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> ParseOptions(int argc, const char* const* argv, Options& options) {
  CLI::App app("leasemap: read, write and watch the synced map", "leasemap");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_version_flag("--version", kVersionLine, "Show the version of the program");
  app.require_subcommand(0, 1);
  app.footer(
      "Exit codes: 0 done, 1 refused or not found, 2 wrong use, 3 unreachable.\n"
      "`leasemap COMMAND --help` shows the options of a command, and examples.");
  AddSharedOptions(app, options);
  AddKeyCommands(app, options);
  AddManyKeysCommands(app, options);
  AddLeaseCommands(app, options);
  AddNodeCommands(app, options);
  if (argc <= 1) return ShowHelp(app, "");
  if (const std::optional<int> exit_code = Parse(app, argc, argv)) return exit_code;
  if (options.command.empty()) return SayWrongUse(nullptr, "which command?");
  if (options.command == "bench" && options.wait) options.bench.duration = *options.wait;
  if (const std::string misfit = Misfit(options); !misfit.empty()) return SayWrongUse(CommandOf(app), misfit);
  if (options.command == "help") return ShowHelp(app, options.help_topic);
  if (options.command == "version") {
    std::cout << kVersionLine << "\n";
    return kDone;
  }
  const bool completes = options.command == "completion";
  if (completes && (options.shell == "bash" || options.shell == "zsh" || options.shell == "fish")) {
    std::cout << CompletionScript(options.shell);
    return kDone;
  }
  if (completes && options.shell != "words") return SayWrongUse(CommandOf(app), "SHELL is bash, zsh or fish");
  const std::string otherwise = options.command == "healthcheck" ? OwnNode() : kDefaultServer;
  const char* source = options.server.empty() ? "LEASEMAP_SERVER" : "--server";
  options.server = Choose(options.server, "LEASEMAP_SERVER", otherwise.c_str());
  const absl::StatusOr<std::vector<std::string>> servers = ParseServers(options.server);
  if (!servers.ok())
    return SayWrongUse(CommandOf(app), absl::StrCat(source, ": ", std::string(servers.status().message())));
  options.servers = *servers;
  if (completes) return PrintCompletions(app, options);
  options.holder_given = !options.holder.empty();
  options.holder = Choose(options.holder, "LEASEMAP_HOLDER", "");
  options.tls_ca = Choose(options.tls_ca, "LEASEMAP_TLS_CA", "");
  options.tls_cert = Choose(options.tls_cert, "LEASEMAP_TLS_CERT", "");
  options.tls_key = Choose(options.tls_key, "LEASEMAP_TLS_KEY", "");
  options.token_file = Choose(options.token_file, "LEASEMAP_TOKEN_FILE", "");
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return SayWrongUse(CommandOf(app), "--tls-cert and --tls-key are given together");
  }
  if (!options.tls_cert.empty() && options.tls_ca.empty()) {
    return SayWrongUse(CommandOf(app), "--tls-cert needs --tls-ca, the authority of the nodes");
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> ServerVariables(const Options& options) {
  std::vector<std::pair<std::string, std::string>> out{{"LEASEMAP_SERVER", absl::StrJoin(options.servers, ",")}};
  for (const auto& [name, path] : {std::pair{"LEASEMAP_TLS_CA", &options.tls_ca},
                                   {"LEASEMAP_TLS_CERT", &options.tls_cert},
                                   {"LEASEMAP_TLS_KEY", &options.tls_key},
                                   {"LEASEMAP_TOKEN_FILE", &options.token_file}}) {
    if (!path->empty()) out.emplace_back(name, *path);
  }
  return out;
}

}  // namespace leasemap::cli
