// One leader among many programs.
//
//   leasemap::Election election(client, "leader", "host:1");
//   absl::Status ended = election.Run([](leasemap::Lease& lease) {
//     while (lease.valid()) Work(lease.fencing_token());
//     return true;  // a candidate again
//   });
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "leasemap/client.h"
#include "leasemap/lease.h"
#include "leasemap/options.h"
#include "leasemap/subscription.h"

namespace leasemap {

// The leader has a lease on the election's key. The key is ephemeral; others read its value, as the address of the
// leader. A dead leader is replaced after LeaseOptions::duration. By default a majority of the nodes must have the
// lease: Client::Acquire says what that promises, and what not. The client must outlive the election.
class Election {
 public:
  // `value` is what others read while this program leads. LeaseOptions::value and wait are not used.
  Election(Client& client, std::string key, std::string value, LeaseOptions options = {});

  // Waits until this program leads, for this time at most. Errors as of Client::Acquire.
  absl::StatusOr<Lease> Campaign(absl::Duration wait = absl::InfiniteDuration());

  // Calls `lead` whenever this program leads; it should return when its lease is not valid any more. If it returns true
  // this program is a candidate again; with false it gives the lead up, and Run returns OK. Otherwise Run returns with
  // errors that do not end by waiting: CLOSED, kInvalidArgument, kUnimplemented, kPermissionDenied.
  absl::Status Run(const std::function<bool(Lease&)>& lead);

  // The value of the present leader, as the client's node has it; nothing if there is none.
  absl::StatusOr<std::optional<std::string>> Leader();
  // Calls the handler with the present leader, and with each change; nothing: there is none.
  [[nodiscard]] Subscription OnLeader(std::function<void(const std::optional<std::string>&)> handler);

  const std::string& key() const { return key_; }

 private:
  Client& client_;
  const std::string key_;
  LeaseOptions options_;
};

}  // namespace leasemap
