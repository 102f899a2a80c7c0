// The commands, one function each. Each prints its answer on stdout and what went wrong on stderr, and returns the
// program's exit code.
#ifndef LEASEMAP_CLIENTS_CLI_COMMANDS_H_
#define LEASEMAP_CLIENTS_CLI_COMMANDS_H_

#include "clients/cli/connection.h"

namespace leasemap::cli {

// read_commands.cc
int Get(Connection& connection);
int List(Connection& connection);

// key_commands.cc
int Set(Connection& connection);
int Renew(Connection& connection);
int Release(Connection& connection);

// delete.cc
int Delete(Connection& connection);

// batch.cc
int Batch(Connection& connection);

// transfer.cc
int Export(Connection& connection);
int Import(Connection& connection);

// watch.cc
int Watch(Connection& connection);

// lock.cc, elect.cc and keep.cc: they hold leases by the C++ client library
int Lock(Connection& connection);
int Elect(Connection& connection);
int Keep(Connection& connection);

// bench.cc
int Bench(Connection& connection);

// node_commands.cc: the asked node and its cluster
int Members(Connection& connection);
int Forget(Connection& connection);
int Leave(Connection& connection);
int Backup(Connection& connection);
int Restore(Connection& connection);
int Status(Connection& connection);
int Explain(Connection& connection);
int Conflicts(Connection& connection);
int Healthcheck(Connection& connection);

// tls.cc, token.cc
int Tls(Connection& connection);
int Token(Connection& connection);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_COMMANDS_H_
