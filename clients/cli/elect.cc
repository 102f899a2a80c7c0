// `leasemap elect`: campaigns for the lead of a key again and again. It runs a command whenever it leads, or prints a
// line when it is elected and when it lost the lead.
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "clients/cli/commands.h"
#include "clients/cli/core/text.h"
#include "clients/cli/lease_client.h"
#include "clients/cli/print.h"
#include "clients/cli/terminal.h"
#include "google/protobuf/struct.pb.h"
#include "leasemap/election.h"

namespace leasemap::cli {
namespace {

// After a command that ended by itself: one that fails at once must not make the cluster elect without an end, and
// others get their turn.
constexpr absl::Duration kPause = absl::Seconds(1);

// By which the nodes know this client; if none of them says it, the name that it has by itself.
std::string NameOf(Client& client) {
  const absl::StatusOr<std::string> name = client.Identify();
  return name.ok() ? *name : client.holder();
}

class ElectRun {
 public:
  explicit ElectRun(Connection& connection)
      : options_(connection.options()),
        client_(MakeClient(connection, options_.holder_given ? options_.holder : "")),
        election_(*client_, options_.key, options_.value.value_or(NameOf(*client_)), LeaseOf(options_)) {}

  int Run() {
    absl::StatusOr<Lease> lease = Campaign(absl::ZeroDuration());
    // Once a node answered, others that lead and nodes that are away are waited for.
    if (signal_ == 0 && !lease.ok() && !leasemap::ReasonOf(lease.status()).empty()) lease = Wait();
    for (std::optional<int> code; signal_ == 0; lease = Wait()) {
      if (!lease.ok()) return Fail(lease.status());
      code = options_.program.empty() ? Tell(*lease) : Lead(*lease);
      if (code) return *code;
    }
    return CodeOfSignal(signal_);
  }

 private:
  absl::StatusOr<Lease> Campaign(absl::Duration wait) {
    return WaitForLease(
        *client_, signals_, [&] { return election_.Campaign(wait); }, signal_);
  }
  absl::StatusOr<Lease> Wait() { return Campaign(absl::InfiniteDuration()); }

  int Fail(const absl::Status& status) const {
    const int code = ReportNoLease(status, options_);
    return options_.program.empty() ? code : static_cast<int>(kOwnFailure);
  }

  // Runs the command. An exit code, or nothing: campaign again.
  std::optional<int> Lead(Lease& lease) {
    const Guarded outcome = RunUnderLease(options_, lease, signals_);
    if (!outcome.ran || outcome.signal != 0) return outcome.code;
    if (outcome.stays) return kLeaseLost;  // two of them must not run here
    if (outcome.lost) {
      Complain() << "campaigning again for key \"" << Escape(options_.key) << "\"" << std::endl;
      return std::nullopt;
    }
    if (options_.once) return outcome.code;
    Complain() << "the command ended with " << outcome.code << "; campaigning again in " << absl::FormatDuration(kPause)
               << std::endl;
    Timer timer;
    const Moment end = BootTime() + kPause;
    timer.At(end);
    while (signal_ == 0 && BootTime() < end) WaitForSignalOr(timer.descriptor());
    return std::nullopt;
  }

  // Says that this process leads, and waits until it does not. An exit code, or nothing: campaign again.
  std::optional<int> Tell(Lease& lease) {
    const auto lost = std::make_shared<Wake>();  // the library may call after this function returned
    lease.OnLost([lost](const absl::Status&) { lost->Set(); });
    Say("elected", lease.fencing_token());
    while (signal_ == 0 && lease.valid() && std::cout) WaitForSignalOr(lost->descriptor());
    if (signal_ == 0 && std::cout) Say("lost", std::string(lease.status().message()));
    lease.Release().IgnoreError();  // a lease that was lost is with who has it
    if (!std::cout) return kRefused;
    return std::nullopt;
  }

  void WaitForSignalOr(int descriptor) {
    WaitForAny(signals_.descriptor(), descriptor);
    const std::optional<int> came = signals_.Take();
    if (came && *came != SIGCHLD) signal_ = *came;
  }

  void Say(const std::string& what, const std::string& fact) const {
    if (!options_.json) {
      std::cout << what << " " << fact << std::endl;
      return;
    }
    google::protobuf::Struct object;
    auto& fields = *object.mutable_fields();
    fields["event"].set_string_value(what);
    fields["key"].set_string_value(Escape(options_.key));
    fields["holder"].set_string_value(client_->holder());
    fields[what == "elected" ? "fencing_token" : "why"].set_string_value(fact);
    PrintJson(object);
    std::cout.flush();
  }

  const Options& options_;
  Signals signals_;  // before the client, whose threads inherit what is blocked
  const std::unique_ptr<Client> client_;
  Election election_;
  int signal_ = 0;  // this one came while no command ran
};

}  // namespace

int Elect(Connection& connection) { return ElectRun(connection).Run(); }

}  // namespace leasemap::cli
