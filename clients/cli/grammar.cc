#include "clients/cli/grammar.h"

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/core/text.h"
#include "clients/cli/terminal.h"
#include "text/duration.h"

namespace leasemap::cli {
namespace {

constexpr char kMark = '\1';

absl::Duration DurationOrThrow(const std::string& option, const std::string& text) {
  const absl::StatusOr<absl::Duration> duration = text::ParseDuration(text);
  if (!duration.ok()) {
    throw CLI::ValidationError(
        option, absl::StrCat("\"", Escape(Unmarked(text)), "\" is ", std::string(duration.status().message())));
  }
  return *duration;
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

}  // namespace

void AddSharedOptions(CLI::App& app, Options& options) {
  AddText(
      &app, "--server", options.server, "HOST:PORT",
      "The node to ask, or several with commas between them: if one cannot be reached or does not serve, the next is "
      "asked (default: LEASEMAP_SERVER, or 127.0.0.1:7400; the default port is 7400)");
  AddText(&app, "--holder", options.holder, "NAME",
          "The holder of the leases (default: LEASEMAP_HOLDER, or the ID of the node that takes the write)");
  AddText(&app, "--tls-ca", options.tls_ca, "FILE",
          "Call over TLS, and trust nodes that the authorities in this PEM file signed (default: LEASEMAP_TLS_CA, or "
          "plain text)");
  AddText(&app, "--tls-cert", options.tls_cert, "FILE",
          "This client's certificate, for nodes that ask for one (default: LEASEMAP_TLS_CERT)");
  AddText(&app, "--tls-key", options.tls_key, "FILE", "The key of --tls-cert (default: LEASEMAP_TLS_KEY)");
  AddText(&app, "--token-file", options.token_file, "FILE",
          "The token that this client shows is in this file (default: LEASEMAP_TOKEN_FILE; or the token itself in "
          "LEASEMAP_TOKEN)");
  app.add_flag("--insecure-token", options.insecure_token,
               "Send the token in plain text beyond this machine, where others may read it");
  app.add_option_function<std::string>(
         "-o,--output", [&options](const std::string& form) { options.json = form == "json"; },
         "text (the default), or json: one object per line")
      ->type_name("FORM")
      ->check(CLI::IsMember({"text", "json"}).description(""));
  app.add_option_function<std::string>(
         "--color",
         [](const std::string& when) {
           ChooseColors(when == "always" ? ColorMode::kAlways : when == "never" ? ColorMode::kNever : ColorMode::kAuto);
         },
         "auto (the default: on a terminal, unless NO_COLOR is set or TERM is dumb), always, or never")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}).description(""));
  app.add_option_function<std::string>(
         "--timeout",
         [&options](const std::string& text) {
           options.timeout = DurationOrThrow("--timeout", text);
           if (options.timeout == absl::ZeroDuration()) throw CLI::ValidationError("--timeout", "must be above 0");
         },
         "How long to wait for the answer of a node (default: 5s)")
      ->type_name("DURATION");
}

CLI::App* AddCommand(CLI::App& app, Options& options, const char* group, const std::string& word,
                     const std::string& about, const std::string& notes) {
  CLI::App* command = app.add_subcommand(word, about);
  command->fallthrough();
  command->group(group);
  command->footer(notes);
  command->callback([&options, word] { options.command = word; });
  return command;
}

CLI::Option* AddText(CLI::App* command, const std::string& name, std::string& text, const char* type,
                     const std::string& about) {
  const auto take = [&text](const std::string& word) { text = Unmarked(word); };
  return command->add_option_function<std::string>(name, take, about)->type_name(type);
}

CLI::Option* AddText(CLI::App* command, const std::string& name, std::optional<std::string>& text, const char* type,
                     const std::string& about) {
  const auto take = [&text](const std::string& word) { text = Unmarked(word); };
  return command->add_option_function<std::string>(name, take, about)->type_name(type);
}

CLI::Option* AddDuration(CLI::App* command, const std::string& name, std::optional<absl::Duration>& duration,
                         const std::string& about) {
  return command
      ->add_option_function<std::string>(
          name, [&duration, name](const std::string& text) { duration = DurationOrThrow(name, text); }, about)
      ->type_name("DURATION");
}

void AddAck(CLI::App* command, Options& options, const std::string& about) {
  command
      ->add_option_function<std::string>(
          "--ack", [&options](const std::string& word) { AckOrThrow(word, options); }, about)
      ->type_name("WHO");
}

CLI::Option* AddWords(CLI::App* command, const std::string& name, std::vector<std::string>& words,
                      const std::string& about) {
  const auto take = [&words](const std::vector<std::string>& given) {
    words.clear();
    for (const std::string& word : given) words.push_back(Unmarked(word));
  };
  return command->add_option_function<std::vector<std::string>>(name, take, about)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::string Marked(const std::string& word) {
  const bool special = !word.empty() && std::string_view("[{%\1").find(word[0]) != std::string_view::npos;
  return special ? kMark + word : word;
}

std::string Unmarked(const std::string& word) { return !word.empty() && word[0] == kMark ? word.substr(1) : word; }

void AddKey(CLI::App* command, Options& options) {
  AddText(command, "KEY", options.key, "", "The key, 1 to 4,096 bytes")->required();
}

void AddLease(CLI::App* command, Options& options, const std::string& otherwise) {
  AddDuration(command, "--lease", options.lease,
              absl::StrCat("The duration of the lease, as 30s or 1h; 0: no lease (default: ", otherwise, ")"));
}

}  // namespace leasemap::cli
