#include "server/rpc/convert.h"

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/limits.h"
#include "text/utf8.h"

namespace leasemap::rpc {
namespace {

// The most that one watch may ask for: the node matches the filter against every change.
constexpr int kMaxWatchPrefixes = 64;
constexpr int kMaxWatchKeys = 1000;

absl::StatusOr<core::Ack> AckOf(v1::Ack ack, uint32_t nodes) {
  if (ack != v1::ACK_UNSPECIFIED && nodes != 0) {
    return core::InvalidField("ack_nodes", "cannot be combined with ack; give one of the two");
  }
  if (nodes != 0) return core::Ack{core::Ack::Level::kNodes, nodes};
  switch (ack) {
    case v1::ACK_UNSPECIFIED:
    case v1::ACK_LOCAL:
      return core::Ack{};
    case v1::ACK_MAJORITY:
      return core::Ack{core::Ack::Level::kMajority, 0};
    case v1::ACK_ALL:
      return core::Ack{core::Ack::Level::kAll, 0};
    default:
      return core::InvalidField("ack", "is an unknown value");
  }
}

template <typename Request>
core::WriteCommand Command(core::Change change, const Request& request, const std::string& default_holder) {
  core::WriteCommand command;
  command.change = change;
  command.key = KeyOf(request);
  command.holder = request.holder().empty() ? default_holder : request.holder();
  return command;
}

}  // namespace

void SetKey(const std::string& key, v1::Entry* out) {
  if (text::IsUtf8(key)) {
    out->set_key(key);
  } else {
    out->set_key_bytes(key);
  }
}

void SetTime(int64_t ms, google::protobuf::Timestamp* out) {
  out->set_seconds(ms / 1000);
  out->set_nanos(static_cast<int32_t>(ms % 1000 * 1'000'000));
}

void ToProto(const core::Entry& entry, bool with_value, v1::Entry* out) {
  SetKey(entry.key, out);
  if (with_value && !entry.tombstone) {
    if (entry.value_is_text) {
      out->set_value(entry.value.str());
    } else {
      out->set_value_bytes(entry.value.str());
    }
  }
  auto* lease = out->mutable_lease();
  lease->set_holder(entry.lease.holder);
  lease->set_epoch(entry.lease.epoch);
  lease->mutable_start_time()->set_seconds(entry.lease.start_s);
  SetTime(entry.lease.expire_ms, lease->mutable_expire_time());
  lease->set_fencing_token(core::FencingToken(entry.lease));
  if (entry.dot.seq != 0) out->set_version(core::VersionOf(entry.dot));  // a request that was only validated has none
  SetTime(core::StampMs(entry.stamp), out->mutable_update_time());
  if (entry.value_dot.seq != 0) SetTime(core::StampMs(entry.value_stamp), out->mutable_value_time());
  out->set_origin(entry.dot.replica.node);
  out->set_deleted(entry.tombstone);
  out->set_ephemeral(entry.ephemeral);
}

absl::StatusOr<int64_t> ToMs(const google::protobuf::Duration& duration) {
  // The limits of google.protobuf.Duration: about 10,000 years.
  constexpr int64_t kMaxSeconds = 315'576'000'000;
  const bool valid = duration.seconds() >= 0 && duration.seconds() <= kMaxSeconds && duration.nanos() >= 0 &&
                     duration.nanos() < 1'000'000'000;
  if (!valid) {
    return core::Refusal(absl::StatusCode::kInvalidArgument, "LEASE_INVALID",
                         "lease_duration is negative or malformed; give 0 (no lease) or a positive duration");
  }
  const int64_t ms = duration.seconds() * 1000 + duration.nanos() / 1'000'000;
  return ms == 0 && duration.nanos() > 0 ? 1 : ms;  // below a millisecond is too short, not "no lease"
}

absl::StatusOr<core::WriteCommand> FromProto(const v1::SetRequest& request, const std::string& default_holder) {
  auto command = Command(core::Change::kSet, request, default_holder);
  if (auto status = core::CheckKey(command.key); !status.ok()) return status;
  switch (request.value_form_case()) {
    case v1::SetRequest::kValue:
      command.value = request.value();
      command.value_is_text = true;
      break;
    case v1::SetRequest::kValueBytes:
      command.value = request.value_bytes();
      break;
    case v1::SetRequest::VALUE_FORM_NOT_SET:
      return core::InvalidField("value", "is missing; give value (text) or value_bytes, which may be empty");
  }
  if (request.has_lease_duration()) {
    const auto ms = ToMs(request.lease_duration());
    if (!ms.ok()) return ms.status();
    command.duration_ms = *ms;
  }
  command.ephemeral = request.on_lapse() == v1::ON_LAPSE_DELETE;
  if (!v1::OnLapse_IsValid(request.on_lapse())) return core::InvalidField("on_lapse", "is an unknown value");
  const auto ack = AckOf(request.ack(), request.ack_nodes());
  if (!ack.ok()) return ack.status();
  command.ack = *ack;
  command.request_id = request.request_id();
  command.validate_only = request.validate_only();
  command.if_version = request.if_version();
  command.if_absent = request.if_absent();
  return command;
}

absl::StatusOr<core::WriteCommand> FromProto(const v1::DeleteRequest& request, const std::string& default_holder) {
  auto command = Command(core::Change::kDelete, request, default_holder);
  if (auto status = core::CheckKey(command.key); !status.ok()) return status;
  const auto ack = AckOf(request.ack(), request.ack_nodes());
  if (!ack.ok()) return ack.status();
  command.ack = *ack;
  command.request_id = request.request_id();
  command.if_version = request.if_version();
  command.allow_missing = request.allow_missing();
  return command;
}

absl::StatusOr<core::WriteCommand> FromProto(const v1::RenewRequest& request, const std::string& default_holder) {
  auto command = Command(core::Change::kRenew, request, default_holder);
  if (auto status = core::CheckKey(command.key); !status.ok()) return status;
  if (request.has_lease_duration()) {
    const auto ms = ToMs(request.lease_duration());
    if (!ms.ok()) return ms.status();
    command.duration_ms = *ms;
  }
  command.only_if_held = request.only_if_held();
  command.if_version = request.if_version();
  return command;
}

absl::StatusOr<core::WriteCommand> FromProto(const v1::ReleaseRequest& request, const std::string& default_holder) {
  auto command = Command(core::Change::kRelease, request, default_holder);
  if (auto status = core::CheckKey(command.key); !status.ok()) return status;
  command.if_version = request.if_version();
  return command;
}

absl::StatusOr<core::WatchFilter> FromProto(const v1::WatchRequest& request) {
  core::WatchFilter filter;
  if (request.prefixes_size() + request.prefixes_bytes_size() > kMaxWatchPrefixes) {
    return core::InvalidField("prefixes", absl::StrCat("has more than ", kMaxWatchPrefixes, "; use several watches"));
  }
  if (request.keys_size() + request.keys_bytes_size() > kMaxWatchKeys) {
    return core::InvalidField("keys", absl::StrCat("has more than ", kMaxWatchKeys, "; use several watches"));
  }
  for (const auto& prefix : request.prefixes()) filter.prefixes.insert(prefix);
  for (const auto& prefix : request.prefixes_bytes()) filter.prefixes.insert(prefix);
  for (const auto& prefix : filter.prefixes) {
    if (prefix.size() > core::kMaxKeyBytes)
      return core::InvalidField("prefixes", "has a prefix that is longer than any key");
  }
  for (const auto& key : request.keys()) filter.keys.insert(key);
  for (const auto& key : request.keys_bytes()) filter.keys.insert(key);
  for (const auto& key : filter.keys) {
    if (auto status = core::CheckKey(key); !status.ok()) return status;
  }
  for (const int kind : request.kinds()) {
    switch (kind) {
      case v1::Event::KIND_SET:
        filter.kinds.insert(core::EventKind::kSet);
        break;
      case v1::Event::KIND_DELETED:
        filter.kinds.insert(core::EventKind::kDeleted);
        break;
      case v1::Event::KIND_EXPIRED:
        filter.kinds.insert(core::EventKind::kExpired);
        break;
      case v1::Event::KIND_LOST:
        filter.kinds.insert(core::EventKind::kLost);
        break;
      case v1::Event::KIND_LEASE:
        filter.kinds.insert(core::EventKind::kLease);
        break;
      default:
        return core::InvalidField("kinds", "has an unknown value");
    }
  }
  if (!request.cursor().empty() && request.include_snapshot()) {
    return core::InvalidField("include_snapshot",
                              "cannot be combined with cursor; give a cursor to resume, or include_snapshot to start");
  }
  return filter;
}

}  // namespace leasemap::rpc
