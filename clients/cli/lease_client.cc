#include "clients/cli/lease_client.h"

#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "clients/cli/core/guard.h"
#include "clients/cli/core/text.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {
namespace {

// Nothing if the options do not say: then it is as the library has it.
std::optional<Ack> AckOf(const Options& options) {
  if (options.ack_nodes > 0) return Ack::Nodes(static_cast<int>(options.ack_nodes));
  if (options.ack == v1::ACK_LOCAL) return Ack::Local();
  if (options.ack == v1::ACK_MAJORITY) return Ack::Majority();
  if (options.ack == v1::ACK_ALL) return Ack::All();
  return std::nullopt;
}

Program ProgramOf(const Options& options, const Lease& lease) {
  Program program{.arguments = options.program,
                  .variables = {{"LEASEMAP_FENCING_TOKEN", lease.fencing_token()},
                                {"LEASEMAP_LEASE_KEY", lease.key()},
                                {"LEASEMAP_LEASE_HOLDER", lease.entry().holder}},
                  .adopts = true};
  for (auto& variable : ServerVariables(options)) program.variables.push_back(std::move(variable));
  return program;
}

void SayStopping(const Lease& lease, absl::Duration grace) {
  const absl::Status status = lease.status();
  Complain() << (status.ok() ? absl::StrCat("the lease on key \"", Escape(lease.key()), "\" could not be renewed")
                             : std::string(status.message()))
             << "; the command gets TERM now, and KILL "
             << absl::FormatDuration(absl::Trunc(grace, absl::Milliseconds(1))) << " later at the latest" << std::endl;
}

}  // namespace

std::unique_ptr<Client> MakeClient(Connection& connection, const std::string& holder) {
  const Options& options = connection.options();
  ClientOptions of_client{.holder = holder, .timeout = options.timeout};
  of_client.credentials = connection.credentials();
  of_client.token = connection.proofs().token;
  of_client.insecure_token = true;  // ReadProofs has looked
  return std::make_unique<Client>(options.servers, of_client);
}

LeaseOptions LeaseOf(const Options& options) {
  LeaseOptions lease;
  if (options.lease) lease.duration = *options.lease;
  lease.ack = AckOf(options);
  return lease;
}

absl::Duration GraceOf(const Options& options) {
  return options.grace.value_or(LeaseOf(options).duration * kGracePart);
}

int ReportNoLease(const absl::Status& status, const Options& options) {
  if (absl::IsUnavailable(status) && leasemap::ReasonOf(status).empty()) {
    Complain() << "no answer from " << absl::StrJoin(options.servers, ", ") << " (" << std::string(status.message())
               << "); is a node running there? Name another with --server host:port or LEASEMAP_SERVER" << std::endl;
    return kUnreachable;
  }
  Complain() << std::string(status.message()) << std::endl;
  return kRefused;
}

absl::StatusOr<Lease> WaitForLease(Client& client, Signals& signals, const std::function<absl::StatusOr<Lease>()>& call,
                                   int& signal) {
  Wake done;
  std::optional<absl::StatusOr<Lease>> answer;  // read after the thread was joined
  std::thread thread([&] {
    answer = call();
    done.Set();
  });
  while (signal == 0 && !done.Clear()) {
    WaitForAny(done.descriptor(), signals.descriptor());
    const std::optional<int> came = signals.Take();
    if (came && *came != SIGCHLD) signal = *came;
  }
  if (signal != 0) client.Close();
  thread.join();
  return *std::move(answer);
}

Guarded RunUnderLease(const Options& options, Lease& lease, Signals& signals) {
  Guarded outcome;
  const absl::Duration grace = GraceOf(options);
  const std::unique_ptr<Child> child = Child::Start(ProgramOf(options, lease), signals, outcome.code);
  if (child == nullptr) {
    lease.Release().IgnoreError();  // nothing ran under it
    return outcome;
  }
  outcome.ran = true;
  const auto lost = std::make_shared<Wake>();  // the library may call after this function returned
  lease.OnLost([lost](const absl::Status&) { lost->Set(); });
  Timer timer;
  Guard guard(grace);
  for (bool runs = true; runs;) {
    child->Reap();
    const bool resumed = child->FollowStop();
    switch (guard.Look(BootTime(), {.left = lease.left(), .ended = child->ended(), .gone = child->gone()})) {
      case Guard::Act::kNone:
        if (resumed) child->Continue();
        break;
      case Guard::Act::kTerm:
        SayStopping(lease, guard.next() - BootTime());
        child->Send(SIGTERM);
        break;
      case Guard::Act::kKill:
        child->Send(SIGKILL);
        break;
      case Guard::Act::kRelease:
        runs = false;
        continue;
    }
    timer.At(guard.next());
    WaitForAny(signals.descriptor(), lost->descriptor(), timer.descriptor());
    lost->Clear();
    while (const std::optional<int> signal = signals.Take()) {
      if (*signal == SIGCHLD) continue;
      outcome.signal = *signal;
      child->Send(*signal);
    }
  }
  outcome.lost = guard.stopped();
  outcome.code = child->code();
  outcome.stays = outcome.lost && !child->gone();
  if (outcome.stays) {
    Complain() << "the command does not end by KILL, and runs on without a lease; end its process group by hand"
               << std::endl;
  }
  lease.Release().IgnoreError();  // a lease that was lost is with who has it
  return outcome;
}

}  // namespace leasemap::cli
