// `leasemap keep`: holds the leases of some keys until standard input ends. A script that registers a service holds the
// other end of that, so that the keys go when the script ends, however it ends.
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/core/kept_key.h"
#include "clients/cli/core/text.h"
#include "clients/cli/lease_client.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {
namespace {

class KeepRun {
 public:
  explicit KeepRun(Connection& connection)
      : options_(connection.options()),
        client_(MakeClient(connection, options_.holder)),
        wake_(std::make_shared<Wake>()) {}

  int Run() {
    const std::vector<KeptKey> all = *ParseKeptKeys(options_.keys);  // ParseOptions has checked them
    for (const KeptKey& key : all) {
      keys_.push_back(std::make_unique<Key>(Key{.kept = key}));
      Acquire(*keys_.back(), options_.wait.value_or(absl::ZeroDuration()));
    }
    for (;;) {
      for (const auto& key : keys_) {
        if (const std::optional<int> code = Look(*key)) return *code;
      }
      if (!std::cout.flush()) return kRefused;
      WaitForAny(signals_.descriptor(), wake_->descriptor(), input_);
      wake_->Clear();
      while (const std::optional<int> signal = signals_.Take()) {
        if (*signal != SIGCHLD) return CodeOfSignal(*signal);
      }
      if (InputEnded()) return End();
    }
  }

 private:
  struct Key {
    KeptKey kept;
    std::future<absl::StatusOr<Lease>> coming = {};  // valid while the lease is asked for
    std::optional<Lease> lease = {};
  };

  void Acquire(Key& key, absl::Duration wait) {
    const auto promise = std::make_shared<std::promise<absl::StatusOr<Lease>>>();
    key.coming = promise->get_future();
    LeaseOptions lease = LeaseOf(options_);
    lease.value = key.kept.value;
    lease.wait = wait;
    client_->AcquireAsync(
        key.kept.key,
        [promise, wake = wake_](absl::StatusOr<Lease> answer) {
          promise->set_value(std::move(answer));
          wake->Set();
        },
        lease);
  }

  // Takes a lease that came, and asks again for one that was lost. An exit code if that cannot be.
  std::optional<int> Look(Key& key) {
    if (key.coming.valid()) {
      if (key.coming.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
      absl::StatusOr<Lease> answer = key.coming.get();
      if (!answer.ok()) return ReportNoLease(answer.status(), options_);
      key.lease = *std::move(answer);
      key.lease->OnLost([wake = wake_](const absl::Status&) { wake->Set(); });
      std::cout << Escape(key.kept.key) << ": kept by " << Escape(client_->holder()) << " for "
                << absl::FormatDuration(LeaseOf(options_).duration) << "\n";
    }
    if (key.lease->valid()) return std::nullopt;
    Complain() << std::string(key.lease->status().message()) << "; asking for it again" << std::endl;
    key.lease.reset();
    Acquire(key, absl::InfiniteDuration());
    return std::nullopt;
  }

  // Reads standard input and drops it; true at its end.
  bool InputEnded() {
    // What a WaitForAny saw may be something else: another one looks at the input alone, and does not wait.
    if (input_ < 0 || !CanRead(input_)) return false;
    char some[4096];
    const ssize_t got = read(input_, some, sizeof some);
    // The terminal of a command in the background cannot be read. It then goes on until a signal ends it.
    if (got < 0 && errno == EIO) input_ = -1;
    return got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN && errno != EIO);
  }

  int End() {
    for (const auto& key : keys_) {
      if (!key->coming.valid()) continue;
      Complain() << "standard input ended before the lease on key \"" << Escape(key->kept.key)
                 << "\" came; keep standard input open for as long as the keys are to be kept" << std::endl;
      return kRefused;
    }
    return kDone;
  }

  const Options& options_;
  Signals signals_;  // before the client, whose threads inherit what is blocked
  const std::unique_ptr<Client> client_;
  const std::shared_ptr<Wake> wake_;  // the library may call it as long as it lives
  std::vector<std::unique_ptr<Key>> keys_;
  int input_ = STDIN_FILENO;  // -1: there is none
};

}  // namespace

int Keep(Connection& connection) {
  KeepRun run(connection);
  return run.Run();
}

}  // namespace leasemap::cli
