// The commands about the asked node and its cluster (members forget leave conflicts status healthcheck) and about the
// program itself (help version).
#include "clients/cli/grammar.h"

namespace leasemap::cli {

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
  AddText(AddCommand(app, options, kProgram, "help", "Show the help of the program, or of a command",
                     "Example:\n"
                     "  leasemap help set"),
          "COMMAND", options.help_topic, "", "The command, as set");
  AddCommand(app, options, kProgram, "version", "Show the version of the program",
             "Example:\n"
             "  leasemap version");
}

}  // namespace leasemap::cli
