// What the commands share that hold leases by the C++ client library: lock, elect and keep.
#ifndef LEASEMAP_CLIENTS_CLI_LEASE_CLIENT_H_
#define LEASEMAP_CLIENTS_CLI_LEASE_CLIENT_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/child.h"
#include "clients/cli/connection.h"
#include "clients/cli/options.h"
#include "clients/cli/waiting.h"
#include "leasemap/client.h"

namespace leasemap::cli {

// The exit codes of a command that runs another one, beside that one's own.
enum RunExitCode {
  kLeaseLost = 123,  // the command was stopped, since its lease was lost
  kHeldByOther = 124,
  kOwnFailure = 125,  // of leasemap, before the command ran
};

// A client of the servers that the options name. Its holder is the one of the options, or else a name of this process
// alone.
std::unique_ptr<Client> MakeClient(Connection& connection, const std::string& holder);

// For the key and the lease of the options: duration, value and acks.
LeaseOptions LeaseOf(const Options& options);

// The time from TERM to KILL.
absl::Duration GraceOf(const Options& options);

// Says on stderr why there is no lease. kRefused or kUnreachable.
int ReportNoLease(const absl::Status& status, const Options& options);

// Calls `call`, which waits for a lease, on a thread of its own. If a signal comes first it closes the client, which
// ends the call, and sets `signal`.
absl::StatusOr<Lease> WaitForLease(Client& client, Signals& signals, const std::function<absl::StatusOr<Lease>()>& call,
                                   int& signal);

// How a command under a lease ended.
struct Guarded {
  int code = 0;        // its own, or one of Child
  bool ran = false;    // it was started
  bool lost = false;   // it was stopped, since the lease was lost
  bool stays = false;  // it was to be stopped, and did not end
  int signal = 0;      // this one came, and was passed on to it
};

// Runs the command of the options while the lease lives (core/guard.h), with its variables, and gives the lease up.
Guarded RunUnderLease(const Options& options, Lease& lease, Signals& signals);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_LEASE_CLIENT_H_
