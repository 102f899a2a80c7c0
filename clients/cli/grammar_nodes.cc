// The commands about the asked node and its cluster (members forget leave conflicts status bench healthcheck) and about
// the program itself (help completion version).
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/grammar.h"

namespace leasemap::cli {
namespace {

// An option that takes a whole number from `least` to `most`.
void AddNumber(CLI::App* command, const std::string& name, uint64_t& number, uint64_t least, uint64_t most,
               const std::string& about) {
  const std::string range = absl::StrCat("must be a number from ", least, " to ", most);
  const auto take = [&number, name, least, most, range](const std::string& word) {
    if (!absl::SimpleAtoi(word, &number) || number < least || number > most) throw CLI::ValidationError(name, range);
  };
  command->add_option_function<std::string>(name, take, about)->type_name("NUMBER");
}

void AddBench(CLI::App& app, Options& options) {
  CLI::App* bench = AddCommand(
      app, options, kCluster, "bench", "Measure how fast a node answers",
      "It writes some keys, calls Get (or Set) for them, shows the latencies, and deletes the keys. They are\n"
      "ephemeral, so that they vanish even if it is killed. Deleted keys take room for an hour or the lease period.\n"
      "\n"
      "Without --rate it is a closed loop: --concurrency calls are always under way, and it measures how many a\n"
      "node can do. With --rate it is an open loop: calls are due by the clock, and the latency of each counts from\n"
      "when it was due. If the node stalls, the calls that were due meanwhile show it (no coordinated omission). At\n"
      "most 3,000 are under way; `not sent` counts those that were due and found no place until the end.\n"
      "\n"
      "One thread sends and receives. It can be the limit itself: look at its processor, and start several. It\n"
      "exits with 1 if a call failed.\n"
      "\n"
      "Examples:\n"
      "  leasemap bench\n"
      "  leasemap bench --set --value-size 1000 --concurrency 64\n"
      "  leasemap bench --rate 2000 --duration 1m -o json");
  bench->add_flag("--set", options.bench.writes, "Call Set instead of Get");
  bench
      ->add_option_function<std::string>(
          "--rate",
          [&options](const std::string& word) {
            double& rate = options.bench.rate;
            if (!absl::SimpleAtod(word, &rate) || !(rate > 0) || rate > 1e6) {
              throw CLI::ValidationError("--rate", "must be a number of calls a second, above 0, 1000000 at most");
            }
          },
          "Calls a second, for an open loop")
      ->type_name("NUMBER");
  AddNumber(bench, "--concurrency", options.bench.concurrency, 1, 3000,
            "Calls under way in a closed loop (default: 16)");
  AddDuration(bench, "--duration", options.wait, "How long, an hour at most (default: 10s)");
  AddNumber(bench, "--keys", options.bench.keys, 1, 100'000, "How many keys (default: 1000)");
  AddNumber(bench, "--value-size", options.bench.value_size, 0, 1 << 20, "Bytes of each value (default: 100)");
  AddText(bench, "--prefix", options.bench.prefix, "PREFIX", "What the keys start with (default: bench/)");
}

}  // namespace

namespace {

void AddTls(CLI::App& app, Options& options) {
  CLI::App* tls = AddCommand(
      app, options, kCluster, "tls", "Make the certificates of a cluster: no node is asked",
      "`tls init` makes the cluster's own authority: ca.crt, which every node and client gets, and ca.key,\n"
      "which signs certificates. Keep ca.key away from all of them.\n"
      "`tls node` makes the certificate and key of nodes: each NAME is the ID of one, and with localhost and\n"
      "each --host a name by which clients may reach it.\n"
      "`tls client` makes the certificate and key of clients: each NAME is that of one.\n"
      "It prints the names of the files it wrote. Keys are ECDSA P-256 and not encrypted; only their owner\n"
      "may read the files.\n"
      "\n"
      "Examples:\n"
      "  leasemap tls init\n"
      "  leasemap tls node n1 n2 n3\n"
      "  leasemap tls node n1 --host map.example.com --host 10.0.0.7\n"
      "  leasemap tls client alice");
  AddText(tls, "ACTION", options.tls_action, "", "init, node or client")
      ->required()
      ->check(CLI::IsMember({"init", "node", "client"}).description(""));
  AddWords(tls, "NAME", options.names, "Of a node: its ID; of a client; of the authority, for people");
  AddWords(tls, "--host", options.hosts, "A DNS name or IP address of the nodes")->expected(1);
  AddText(tls, "--dir", options.tls_dir, "FOLDER", "The folder of the files (default: tls)");
  AddDuration(tls, "--valid", options.valid, "How long it is valid (default: 8760h, a year; of an authority ten)");
  tls->add_flag("--force", options.force, "Replace files that are there");
}

void AddToken(CLI::App& app, Options& options) {
  CLI::App* token = AddCommand(
      app, options, kCluster, "token", "Make a token for a client: no node is asked",
      "`token new` prints a token of 256 random bits, and on standard error the line for the --auth-file of\n"
      "the nodes, which holds its SHA-256 alone. A client shows the token with --token-file, LEASEMAP_TOKEN,\n"
      "or `authorization: Bearer TOKEN`.\n"
      "\n"
      "Examples:\n"
      "  leasemap token new > alice.token\n"
      "  leasemap --token-file alice.token get color");
  AddText(token, "ACTION", options.token_action, "", "new")->required()->check(CLI::IsMember({"new"}).description(""));
}

}  // namespace

void AddNodeCommands(CLI::App& app, Options& options) {
  AddCommand(app, options, kCluster, "members", "List the nodes of the cluster, as the asked node sees them",
             "Examples:\n"
             "  leasemap members\n"
             "  leasemap members --server node2:7400 -o json");
  AddText(AddCommand(app, options, kCluster, "forget",
                     "Forget a member that will not come back: no node waits for it any more",
                     "Example:\n"
                     "  leasemap forget node-3"),
          "NODE_ID", options.node_id, "", "As `leasemap members` shows it")
      ->required();
  AddText(AddCommand(app, options, kCluster, "leave",
                     "Make the asked node leave the cluster and shut down, before it is taken away",
                     "No node waits for it any more. Its data directory stays: a node that starts with it is a\n"
                     "member again.\n"
                     "\n"
                     "Examples:\n"
                     "  leasemap --server node3:7400 leave\n"
                     "  leasemap --server node3:7400 leave node-3"),
          "NODE_ID", options.node_id, "", "The ID of the asked node; another node then refuses");
  AddCommand(app, options, kCluster, "conflicts", "List the writes of this node that lost to another lease",
             "Example:\n"
             "  leasemap conflicts");
  AddCommand(app, options, kCluster, "status", "Show the state of the node: its map, members and limits",
             "Examples:\n"
             "  leasemap status\n"
             "  leasemap status -o json");
  AddBench(app, options);
  CLI::App* health =
      AddCommand(app, options, kCluster, "healthcheck", "Exit with 0 if the node serves, 1 if not, 3 if unreachable",
                 "Without --server and LEASEMAP_SERVER it asks the address in LEASEMAP_LISTEN, or in the\n"
                 "line `listen` of the file LEASEMAP_CONFIG.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap healthcheck\n"
                 "  leasemap healthcheck --service liveness");
  AddText(health, "--service", options.service, "NAME",
          "The service to ask for, as leasemap.v1.KeyValue, or liveness: whether the process runs");
  AddTls(app, options);
  AddToken(app, options);
  AddText(AddCommand(app, options, kProgram, "help", "Show the help of the program, or of a command",
                     "Example:\n"
                     "  leasemap help set"),
          "COMMAND", options.help_topic, "", "The command, as set");
  CLI::App* completion = AddCommand(
      app, options, kProgram, "completion", "Print the script by which a shell completes commands, options and keys",
      "Keys are completed up to the next slash, by at most 100 short questions to the node of --server or "
      "LEASEMAP_SERVER, for half a second at most. A key that a shell would not take as plain text is left out.\n"
      "\n"
      "`cmake --install` installs the scripts where the shells look for them.\n"
      "\n"
      "The scripts call `leasemap completion words -- WORDS`, which prints what may take the place of the last word.\n"
      "\n"
      "Examples:\n"
      "  leasemap completion fish | source        # in ~/.config/fish/config.fish\n"
      "  source <(leasemap completion bash)       # in ~/.bashrc\n"
      "  source <(leasemap completion zsh)        # in ~/.zshrc, after compinit");
  AddText(completion, "SHELL", options.shell, "", "bash, zsh or fish")->required();
  AddWords(completion, "WORDS", options.program, "Of `completion words`: the words of the command line");
  AddCommand(app, options, kProgram, "version", "Show the version of the program",
             "Example:\n"
             "  leasemap version");
}

}  // namespace leasemap::cli
