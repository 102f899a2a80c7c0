// `leasemap`: the command line. Reads the arguments, runs one command against one node, and exits with 0
// (done), 1 (refused or not found), 2 (wrong use) or 3 (unreachable).
#include <iostream>
#include <map>
#include <string>

#include "clients/cli/commands.h"
#include "clients/cli/connection.h"
#include "clients/cli/options.h"
#include "clients/cli/terminal.h"

int main(int argc, char** argv) {
  using leasemap::cli::Connection;
  static const std::map<std::string, int (*)(Connection&)> kCommands = {
      {"get", leasemap::cli::Get},
      {"set", leasemap::cli::Set},
      {"del", leasemap::cli::Delete},
      {"ls", leasemap::cli::List},
      {"watch", leasemap::cli::Watch},
      {"renew", leasemap::cli::Renew},
      {"release", leasemap::cli::Release},
      {"batch", leasemap::cli::Batch},
      {"export", leasemap::cli::Export},
      {"import", leasemap::cli::Import},
      {"lock", leasemap::cli::Lock},
      {"elect", leasemap::cli::Elect},
      {"keep", leasemap::cli::Keep},
      {"bench", leasemap::cli::Bench},
      {"members", leasemap::cli::Members},
      {"forget", leasemap::cli::Forget},
      {"leave", leasemap::cli::Leave},
      {"backup", leasemap::cli::Backup},
      {"restore", leasemap::cli::Restore},
      {"status", leasemap::cli::Status},
      {"explain", leasemap::cli::Explain},
      {"conflicts", leasemap::cli::Conflicts},
      {"healthcheck", leasemap::cli::Healthcheck},
      {"tls", leasemap::cli::Tls},
      {"token", leasemap::cli::Token},
  };
  std::ios::sync_with_stdio(false);
  leasemap::cli::Options options;
  if (const std::optional<int> exit_code = leasemap::cli::ParseOptions(argc, argv, options)) return *exit_code;
  const auto proofs = leasemap::cli::ReadProofs(options);
  if (!proofs) return leasemap::cli::kWrongUse;
  Connection connection(options, *proofs);
  const int exit_code = kCommands.at(options.command)(connection);
  std::cout.flush();
  if (!std::cout) {
    leasemap::cli::Complain() << "cannot write to standard output\n";
    return leasemap::cli::kRefused;
  }
  return exit_code;
}
