// How a call's outcome becomes an absl::Status. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "leasemap/errors.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::internal {

// The status of a call that ended with this gRPC code, message and grpc-status-details-bin. What is no error of
// Leasemap's own and means that no answer came is kUnavailable, and names the node.
absl::Status FromGrpc(int code, std::string_view message, const std::string& details, std::string_view node);

// The status of one item of a batch.
absl::Status FromItem(const v1::ItemStatus& item);

// A status with a reason of ours.
absl::Status MakeStatus(absl::StatusCode code, std::string_view reason, std::string_view message,
                        const std::map<std::string, std::string>& facts = {});
// LEASE_HELD; the holder may be unknown.
absl::Status HeldStatus(std::string_view message, std::string_view holder);
absl::Status ClosedStatus();
absl::Status LostStatus(std::string_view key, std::string_view why);

// Another node may do what this error refused: it says so, or the node or the way to it failed.
bool IsElsewhere(const absl::Status& status);
// The nodes do not know the caller, or do not allow it this.
bool IsRefusal(const absl::Status& status);
// The cluster may have done what was asked for all the same.
bool InDoubt(const absl::Status& status);
bool IsReason(const absl::Status& status, std::string_view reason);

// A key for a message: escaped and cut.
std::string ShowKey(std::string_view key);

}  // namespace leasemap::internal
