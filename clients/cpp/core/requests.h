// Requests, as the options of programs make them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "leasemap/options.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::internal {

// The holder of a caller whom the nodes know as `principal`: they let it use that name, and what is below it. Of a long
// principal's holder the name's first part is left out, so that the random bits at its end remain.
std::string HolderOf(std::string_view principal, std::string_view name);

// OK, or what is wrong with a number of nodes.
absl::Status CheckAck(Ack ack);

// `ephemeral_at_least` and `lease` win over the options: a write under a lease that is kept does not change it.
struct SetArguments {
  std::string holder;
  std::string request_id;
  std::optional<absl::Duration> lease = {};  // unset: the cluster's default
  bool ephemeral = false;
};
v1::SetRequest MakeSet(const std::string& key, const std::string& value, const SetOptions& options,
                       const SetArguments& arguments);
v1::DeleteRequest MakeDelete(const std::string& key, const DeleteOptions& options, const std::string& holder,
                             const std::string& request_id);
// The value goes as bytes.
bool GoesAsBytes(const std::string& value, const SetOptions& options);

// `duration` unset: as long as last asked for.
v1::RenewRequest MakeRenew(const std::string& key, const std::string& holder, std::optional<absl::Duration> duration,
                           bool only_if_held, const std::string& min_version);

}  // namespace leasemap::internal
