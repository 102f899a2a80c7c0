// The command line's grammar, by CLI11: options stand before or after the command, and the last of a repeated one
// counts.
#include "clients/cli/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/core/duration.h"
#include "clients/cli/core/own_node.h"

namespace leasemap::cli {
namespace {

constexpr char kDefaultServer[] = "127.0.0.1:7400";

// The health check of a container asks the node that was started with the same variables.
std::string OwnNode() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
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

absl::Duration DurationOrThrow(const std::string& option, const std::string& text) {
  const absl::StatusOr<absl::Duration> duration = ParseDuration(text);
  if (!duration.ok()) throw CLI::ValidationError(option, std::string(duration.status().message()));
  return *duration;
}

v1::Event::Kind KindOrThrow(const std::string& word) {
  if (word == "set") return v1::Event::KIND_SET;
  if (word == "deleted") return v1::Event::KIND_DELETED;
  if (word == "expired") return v1::Event::KIND_EXPIRED;
  if (word == "lost") return v1::Event::KIND_LOST;
  throw CLI::ValidationError("--kinds", absl::StrCat("\"", word, "\" is none of set, deleted, expired, lost"));
}

uint64_t LimitOrThrow(const std::string& text) {
  uint64_t limit = 0;
  if (!absl::SimpleAtoi(text, &limit) || limit == 0) throw CLI::ValidationError("--limit", "must be a number above 0");
  return limit;
}

void AckOrThrow(const std::string& word, Options& options) {
  options.ack = v1::ACK_UNSPECIFIED;
  options.ack_nodes = 0;
  if (word.empty()) return;
  if (word == "local" || word == "majority" || word == "all") {
    options.ack = word == "local" ? v1::ACK_LOCAL : word == "all" ? v1::ACK_ALL : v1::ACK_MAJORITY;
  } else if (!absl::SimpleAtoi(word, &options.ack_nodes) || options.ack_nodes == 0) {
    throw CLI::ValidationError("--ack", "must be local, majority, all or a number of nodes above 0");
  }
}

// Reads an option that must not be set to the empty string from its variable, or else leaves the default.
std::string Choose(const std::string& given, const char* variable, const char* otherwise) {
  if (!given.empty()) return given;
  const char* from_environment = std::getenv(variable);
  return from_environment != nullptr && *from_environment != '\0' ? from_environment : otherwise;
}

void AddSharedOptions(CLI::App& app, Options& options) {
  app.add_option("--server", options.server, "The node to talk to, as host:port (LEASEMAP_SERVER; 127.0.0.1:7400)");
  app.add_option("--holder", options.holder,
                 "Who the leases are for (LEASEMAP_HOLDER; by default the ID of the node that takes the write)");
  app.add_option_function<std::string>(
         "-o,--output", [&options](const std::string& form) { options.json = form == "json"; },
         "text (the default), or json: one object a line")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option_function<std::string>(
      "--timeout",
      [&options](const std::string& text) {
        options.timeout = DurationOrThrow("--timeout", text);
        if (options.timeout == absl::ZeroDuration()) throw CLI::ValidationError("--timeout", "must be above 0");
      },
      "How long to wait for an answer (5s)");
}

CLI::App* AddCommand(CLI::App& app, Options& options, const std::string& word, const std::string& about) {
  CLI::App* command = app.add_subcommand(word, about);
  command->fallthrough();
  command->callback([&options, word] { options.command = word; });
  return command;
}

void AddKey(CLI::App* command, Options& options) {
  command->add_option("KEY", options.key, "The key, 1 to 4,096 bytes")->required();
}

void AddLease(CLI::App* command, Options& options, const char* otherwise = "what the cluster was started with") {
  command->add_option_function<std::string>(
      "--lease", [&options](const std::string& text) { options.lease = DurationOrThrow("--lease", text); },
      absl::StrCat("How long the lease runs, as 30s or 1h; 0: no lease (by default ", otherwise, ")"));
}

void AddVersions(CLI::App* command, Options& options) {
  command->add_option("--if-version", options.if_version,
                      "Only if the key is at this version, or its value was set by the write of this version");
  command->add_option("--min-version", options.min_version,
                      "First wait until the write of this version is at the node");
}

void AddAcks(CLI::App* command, Options& options) {
  command->add_option_function<std::string>(
      "--ack", [&options](const std::string& word) { AckOrThrow(word, options); },
      "Who must have the write before it is answered: local (this node, the default), majority, all, or a number of "
      "nodes");
  command->add_option("--request-id", options.request_id,
                      "A name for this request: when repeated under the same name it is answered and not done again");
}

void AddWriteCommands(CLI::App& app, Options& options) {
  CLI::App* set = AddCommand(app, options, "set", "Write a key, and take or renew its lease");
  AddKey(set, options);
  set->add_option("VALUE", options.value,
                  "The value; - reads it from standard input; one that starts with - goes after --")
      ->required();
  AddLease(set, options);
  set->add_option("--if-version", options.if_version, "Write only if this is the key's present version");
  set->add_flag("--if-absent", options.if_absent, "Write only if there is no such key");
  AddAcks(set, options);
  set->add_flag("--validate-only", options.validate_only, "Check everything and write nothing");
  set->add_flag("--ephemeral", options.ephemeral, "The key vanishes when its lease lapses or is released");

  CLI::App* del = AddCommand(app, options, "del", "Delete a key");
  AddKey(del, options);
  del->add_option("--if-version", options.if_version, "Delete only if this is the key's present version");
  del->add_flag("--allow-missing", options.allow_missing, "A missing key is no error");
  AddAcks(del, options);

  CLI::App* renew = AddCommand(app, options, "renew", "Extend the lease on a key, from now on; the value stays");
  AddKey(renew, options);
  AddLease(renew, options, "as long as last asked for");
  renew->add_flag("--only-if-held", options.only_if_held,
                  "Fail if the lease has ended, instead of acquiring a new one");
  AddVersions(renew, options);

  CLI::App* release = AddCommand(app, options, "release", "Give the lease on a key up; the value stays");
  AddKey(release, options);
  AddVersions(release, options);

  CLI::App* batch = AddCommand(app, options, "batch", "Write many keys, one a line of standard input");
  batch->footer(
      "A line is {\"key\":\"k\",\"value\":\"v\",\"lease\":\"30s\",\"holder\":\"h\"} (lease and holder if wanted; bytes "
      "by\n"
      "key_bytes and value_bytes in base64), or KEY<TAB>VALUE as `leasemap ls` prints it. It is no transaction: a\n"
      "refused line is reported, and the others are written.");
  AddLease(batch, options);
}

void AddReadCommands(CLI::App& app, Options& options) {
  CLI::App* get = AddCommand(app, options, "get", "Print the value of a key");
  AddKey(get, options);
  get->add_option("--min-version", options.min_version, "First wait until the write of this version is at the node");

  CLI::App* ls = AddCommand(app, options, "ls", "List keys and values in key order");
  ls->add_option("PREFIX", options.prefix, "Only keys that start with this");
  ls->add_option("--start", options.start_key, "The first key wanted");
  ls->add_option("--end", options.end_key, "The first key no longer wanted");
  ls->add_option_function<std::string>(
      "--limit", [&options](const std::string& text) { options.limit = LimitOrThrow(text); }, "At most so many keys");
  ls->add_flag("--keys-only", options.keys_only, "Leave the values out");

  CLI::App* watch = AddCommand(app, options, "watch", "Print changes as they happen; reconnects by itself");
  const auto all = CLI::MultiOptionPolicy::TakeAll;
  watch->add_option("PREFIX", options.prefixes, "Keys that start with one of these (without, all keys)")
      ->multi_option_policy(all);
  watch->add_option("--key", options.keys, "This key; may be repeated")
      ->multi_option_policy(all)
      ->expected(1)
      ->allow_extra_args(false);
  watch->add_flag("--snapshot", options.snapshot, "First print every matching key as it is now");
  watch->add_option("--cursor", options.cursor,
                    "Go on after this cursor, as an earlier watch of the same keys printed it");
  watch
      ->add_option_function<std::vector<std::string>>(
          "--kinds",
          [&options](const std::vector<std::string>& words) {
            for (const std::string& word : words) options.kinds.push_back(KindOrThrow(word));
          },
          "Only these: set, deleted, expired, lost; with commas between them")
      ->multi_option_policy(all)
      ->delimiter(',')
      ->expected(1)
      ->allow_extra_args(false);
  watch->add_flag("--keys-only", options.keys_only, "Leave the values out");
}

void AddNodeCommands(CLI::App& app, Options& options) {
  AddCommand(app, options, "members", "List the nodes of the cluster as the asked one sees them");
  AddCommand(app, options, "forget", "Forget a member that will not come back: nobody waits for it any more")
      ->add_option("NODE_ID", options.node_id, "As `leasemap members` shows it")
      ->required();
  AddKey(AddCommand(app, options, "explain", "Show how each member of the cluster sees a key"), options);
  AddCommand(app, options, "conflicts", "List the writes of this node that lost to another lease's");
  AddCommand(app, options, "status", "Show who the node is, what it holds and how far it has come");
  CLI::App* health = AddCommand(app, options, "healthcheck", "Exit 0 if the node serves, 1 if not, 3 if unreachable");
  health->footer(
      "Without --server and LEASEMAP_SERVER it asks the node that these variables start: LEASEMAP_LISTEN, or the line\n"
      "`listen` of LEASEMAP_CONFIG.");
  health->add_option("--service", options.service,
                     "Ask for one service, as leasemap.v1.KeyValue, or for liveness (the process runs)");
}

// CLI11 takes `--name=` for an option whose value is the next argument: hands it the empty value in so many words.
std::vector<const char*> WithEmptyValues(int argc, const char* const* argv, std::vector<std::string>& names) {
  std::vector<const char*> arguments;
  names.reserve(static_cast<size_t>(argc));  // what points into it must not move
  bool options_end = false;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    options_end = options_end || argument == "--";
    if (!options_end && argument.substr(0, 2) == "--" && argument.find('=') == argument.size() - 1) {
      names.emplace_back(argument.substr(0, argument.size() - 1));
      arguments.push_back(names.back().c_str());
      arguments.push_back("");
    } else {
      arguments.push_back(argv[i]);
    }
  }
  return arguments;
}

int SayWrongUse(const std::string& what) {
  std::cerr << "leasemap: " << what
            << "\nleasemap: see `leasemap --help` (an argument that starts with - goes after --)\n";
  return kWrongUse;
}

}  // namespace

std::optional<int> ParseOptions(int argc, const char* const* argv, Options& options) {
  CLI::App app("leasemap: read, write and watch the synced map", "leasemap");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_version_flag("--version", "leasemap " LEASEMAP_VERSION);
  app.require_subcommand(0, 1);
  app.footer(
      "Exit codes: 0 done, 1 refused or not found, 2 wrong use, 3 unreachable.\n"
      "`leasemap COMMAND --help` shows the options of a command.");
  AddSharedOptions(app, options);
  AddReadCommands(app, options);
  AddWriteCommands(app, options);
  AddNodeCommands(app, options);
  std::vector<std::string> names;
  const std::vector<const char*> arguments = WithEmptyValues(argc, argv, names);
  try {
    app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::Success& wanted) {  // --help, --version
    app.exit(wanted);
    return kDone;
  } catch (const CLI::ExtrasError& error) {
    if (app.get_subcommands().empty()) return SayWrongUse(absl::StrCat("no such command (", error.what(), ")"));
    return SayWrongUse(error.what());
  } catch (const CLI::ParseError& error) {
    return SayWrongUse(error.what());
  }
  if (options.command.empty()) return SayWrongUse("which command?");
  const std::string otherwise = options.command == "healthcheck" ? OwnNode() : kDefaultServer;
  options.server = Choose(options.server, "LEASEMAP_SERVER", otherwise.c_str());
  options.holder = Choose(options.holder, "LEASEMAP_HOLDER", "");
  return std::nullopt;
}

}  // namespace leasemap::cli
