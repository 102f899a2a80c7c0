// Between the public API's messages and the core's types.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "leasemap/v1/key_value.pb.h"
#include "peer/core/data/entry.h"
#include "peer/core/node/node.h"

namespace leasemap::rpc {

// The key of any request that has key_form: as text or as bytes, empty if not given.
template <typename Request>
const std::string& KeyOf(const Request& request) {
  return request.key_form_case() == Request::kKeyBytes ? request.key_bytes() : request.key();
}

void SetKey(const std::string& key, v1::Entry* out);
void SetTime(int64_t ms, google::protobuf::Timestamp* out);
void ToProto(const core::Entry& entry, bool with_value, v1::Entry* out);

// Milliseconds of a duration; LEASE_INVALID if it is malformed, negative or has parts of a millisecond below one.
absl::StatusOr<int64_t> ToMs(const google::protobuf::Duration& duration);
inline int64_t ToMs(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1000 + time.nanos() / 1'000'000;
}

// The core's command, or the first argument that is wrong; UNSUPPORTED names a field of a later version.
absl::StatusOr<core::WriteCommand> FromProto(const v1::SetRequest& request, const std::string& default_holder);
absl::StatusOr<core::WriteCommand> FromProto(const v1::DeleteRequest& request, const std::string& default_holder);
absl::StatusOr<core::WriteCommand> FromProto(const v1::RenewRequest& request, const std::string& default_holder);
absl::StatusOr<core::WriteCommand> FromProto(const v1::ReleaseRequest& request, const std::string& default_holder);
absl::StatusOr<core::WatchFilter> FromProto(const v1::WatchRequest& request);

}  // namespace leasemap::rpc
