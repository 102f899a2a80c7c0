#include "clients/cli/completion.h"

#include <iostream>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "clients/cli/connection.h"
#include "clients/cli/core/key_step.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/servers.h"

namespace leasemap::cli {
namespace {

// Somebody waits for it with a finger on the key. A node answers within a millisecond.
constexpr absl::Duration kKeysMost = absl::Milliseconds(500);
// More than fit on a terminal. Each takes a question to the node.
constexpr size_t kStepsMost = 100;

// The values of options, by the name that the help gives to the value.
const std::map<std::string, std::vector<std::string>>& ValuesByType() {
  static const std::map<std::string, std::vector<std::string>> kValues = {
      {"FORM", {"text", "json"}},
      {"WHEN", {"auto", "always", "never"}},
      {"WHO", {"local", "majority", "all"}},
      {"KINDS", {"set", "deleted", "expired", "lost", "lease"}},
      {"SHELL", {"bash", "zsh", "fish"}}};
  return kValues;
}

class Completion {
 public:
  Completion(const CLI::App& app, const Options& options) : app_(app), options_(options) {}

  int Print() {
    const std::vector<std::string>& words = options_.program;
    for (size_t i = 0; i + 1 < words.size(); ++i) Pass(words[i]);
    const std::string last = words.empty() ? "" : words.back();
    if (!nonsense_) Offer(last);  // nothing can come after a command that does not exist
    std::cout << kind_ << "\n";
    for (const auto& [word, about] : found_) std::cout << word << (about.empty() ? "" : "\t") << about << "\n";
    return kDone;
  }

 private:
  void Offer(const std::string& last) {
    const size_t equals = last.find('=');
    if (waits_for_ != nullptr) {
      OfType(waits_for_->get_type_name(), last, "");
    } else if (!options_end_ && absl::StartsWith(last, "-") && equals != std::string::npos) {
      const CLI::Option* option = Find(last.substr(0, equals));
      if (option != nullptr) OfType(option->get_type_name(), last.substr(equals + 1), last.substr(0, equals + 1));
    } else if (!options_end_ && absl::StartsWith(last, "-")) {
      OfOptions(last);
    } else if (command_ == nullptr) {
      OfCommands(last);
    } else {
      OfArgument(last);
    }
  }

  // A word before the last one.
  void Pass(const std::string& word) {
    if (waits_for_ != nullptr) {
      Note(*std::exchange(waits_for_, nullptr), word);
    } else if (!options_end_ && word == "--") {
      options_end_ = true;
    } else if (!options_end_ && word.size() > 1 && word[0] == '-') {
      const size_t equals = word.find('=');
      const CLI::Option* option = Find(word.substr(0, equals));
      if (option == nullptr || option->get_items_expected_max() == 0) return;
      if (equals == std::string::npos) {
        waits_for_ = option;
      } else {
        Note(*option, word.substr(equals + 1));
      }
    } else if (command_ == nullptr) {
      for (const CLI::App* each : app_.get_subcommands({})) {
        if (each->check_name(word)) command_ = each;
      }
      nonsense_ = nonsense_ || command_ == nullptr;
    } else {
      ++arguments_;
    }
  }

  void Note(const CLI::Option& option, const std::string& value) {
    if (option.check_name("--server")) server_ = value;
  }

  const CLI::Option* Find(const std::string& name) const {
    for (const CLI::App* each : {command_, &app_}) {
      if (each == nullptr) continue;
      for (const CLI::Option* option : each->get_options()) {
        if (!option->get_positional() && option->check_name(name)) return option;
      }
    }
    return nullptr;
  }

  void Add(const std::string& word, const std::string& typed, const std::string& about = "") {
    // An explanation is one line; its first sentence says enough.
    if (!absl::StartsWith(word, typed)) return;
    found_.emplace_back(word, absl::StripAsciiWhitespace(about.substr(0, about.find_first_of(";:(\n"))));
  }

  void OfOptions(const std::string& typed) {
    for (const CLI::App* each : {command_, &app_}) {
      if (each == nullptr) continue;
      for (const CLI::Option* option : each->get_options()) {
        if (each == &app_ && command_ != nullptr && option == app_.get_help_ptr()) continue;  // the command has one
        for (const std::string& name : option->get_lnames()) Add("--" + name, typed, option->get_description());
      }
    }
  }

  void OfCommands(const std::string& typed) {
    for (const CLI::App* each : app_.get_subcommands({})) Add(each->get_name(), typed, each->get_description());
  }

  // The argument whose turn it is; the last one of the grammar may take several.
  void OfArgument(const std::string& typed) {
    const CLI::Option* turn = nullptr;
    size_t number = 0;
    for (const CLI::Option* option : command_->get_options()) {
      if (!option->get_positional()) continue;
      const bool many = option->get_items_expected_max() > 1;
      if (number == arguments_ || (many && number < arguments_)) turn = option;
      if (number == arguments_ && !many) break;
      ++number;
    }
    if (turn == nullptr) return;
    const std::string name = turn->get_name(true);
    if (name == "COMMAND" && command_->get_name() != "help") {
      kind_ = number - 1 == arguments_ ? "commands" : "files";
    } else if (name == "COMMAND") {
      OfCommands(typed);
    } else {
      OfType(name, typed, "");
    }
  }

  // The name that the help gives to a value says what it may be.
  void OfType(const std::string& type, const std::string& typed, const std::string& before) {
    const auto values = ValuesByType().find(type);
    if (values != ValuesByType().end()) {
      for (const std::string& value : values->second) Add(before + value, before + typed);
    } else if (type == "KEY" || type == "PREFIX") {
      OfKeys(typed, before);
    } else if (type == "FILE" || type == "COMMAND") {
      kind_ = "files";
    }
  }

  void OfKeys(const std::string& typed, const std::string& before) {
    Options options = options_;
    const auto servers = ParseServers(server_.empty() ? options_.server : server_);
    if (!servers.ok()) return;
    options.servers = *servers;
    const absl::Time end = absl::Now() + kKeysMost;
    std::string from = typed;
    size_t steps = 0;
    const auto proofs = ReadProofs(options);
    if (!proofs) return;
    std::unique_ptr<Connection> connection;
    for (; steps < kStepsMost; ++steps) {
      options.timeout = end - absl::Now();
      if (options.timeout <= absl::ZeroDuration()) break;
      if (connection == nullptr) connection = std::make_unique<Connection>(options, *proofs);
      v1::ListRequest request;
      v1::ListResponse page;
      request.set_start_key_bytes(from);
      request.set_page_size(1);
      request.set_keys_only(true);
      if (!connection->Try(&v1::KeyValue::Stub::List, request, page).ok()) break;
      if (page.entries().empty() || !absl::StartsWith(KeyOf(page.entries(0)), typed)) return;
      const std::string step = KeyStep(KeyOf(page.entries(0)), typed);
      if (IsPlainWord(step)) Add(before + step, before + typed);
      from = AfterStep(step);
    }
    // Not all are known: with what is typed as one of them no shell takes what they have in common for the only way.
    if (!found_.empty()) found_.emplace_back(before + typed, "");
  }

  const CLI::App& app_;
  const Options& options_;
  const CLI::App* command_ = nullptr;
  const CLI::Option* waits_for_ = nullptr;  // the next word is its value
  bool options_end_ = false;
  bool nonsense_ = false;
  size_t arguments_ = 0;  // of the command, before the last word
  std::string server_;
  std::string kind_ = "words";
  std::vector<std::pair<std::string, std::string>> found_;
};

}  // namespace

int PrintCompletions(const CLI::App& app, const Options& options) { return Completion(app, options).Print(); }

}  // namespace leasemap::cli
