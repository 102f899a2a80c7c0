// The commands about the asked node and its cluster (members forget leave conflicts status healthcheck) and about the
// program itself (help completion version).
#include "clients/cli/grammar.h"

namespace leasemap::cli {

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
  AddText(AddCommand(app, options, kProgram, "help", "Show the help of the program, or of a command",
                     "Example:\n"
                     "  leasemap help set"),
          "COMMAND", options.help_topic, "", "The command, as set");
  CLI::App* completion = AddCommand(
      app, options, kProgram, "completion", "Print the script by which a shell completes commands, options and keys",
      "Keys are completed up to the next slash, by at most 100 short questions to the node of --server or "
      "LEASEMAP_SERVER, for half a second at most. A key that a shell would not take as plain text is left out.\n"
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
