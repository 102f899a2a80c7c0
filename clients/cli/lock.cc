// `leasemap lock`: runs a command while this process holds the lease on a key. What happens to the command when the
// lease ends is in core/guard.h.
#include "leasemap/lock.h"

#include <string>

#include "clients/cli/commands.h"
#include "clients/cli/core/text.h"
#include "clients/cli/lease_client.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {

int Lock(Connection& connection) {
  const Options& options = connection.options();
  Signals signals;
  const auto client = MakeClient(connection, options.holder_given ? options.holder : "");
  leasemap::Lock lock(*client, options.key, LeaseOf(options));
  int signal = 0;
  const auto acquire = [&](absl::Duration wait) {
    return WaitForLease(
        *client, signals, [&] { return lock.Acquire(wait); }, signal);
  };
  const auto is_held = [](const absl::StatusOr<Lease>& lease) {
    return leasemap::ReasonOf(lease.status()) == reason::kLeaseHeld;
  };
  const bool waits_for_ever = !options.wait && !options.no_wait;
  absl::StatusOr<Lease> lease =
      acquire(options.no_wait ? absl::ZeroDuration() : options.wait.value_or(absl::Duration()));
  // A node answered: from now on it may take as long as it takes.
  if (signal == 0 && waits_for_ever && is_held(lease)) {
    Complain() << "waiting for key \"" << Escape(options.key) << "\", which another holder has" << std::endl;
    lease = acquire(absl::InfiniteDuration());
  }
  if (signal != 0) return CodeOfSignal(signal);
  if (!lease.ok()) {
    ReportNoLease(lease.status(), options);
    return is_held(lease) ? kHeldByOther : kOwnFailure;
  }
  const Guarded outcome = RunUnderLease(options, *lease, signals);
  return outcome.lost ? static_cast<int>(kLeaseLost) : outcome.code;
}

}  // namespace leasemap::cli
