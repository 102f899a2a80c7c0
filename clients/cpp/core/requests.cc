#include "clients/cpp/core/requests.h"

#include "absl/strings/str_cat.h"
#include "clients/cpp/core/entries.h"

namespace leasemap::internal {
namespace {

constexpr int kMembersMost = 129;    // of a cluster
constexpr size_t kHolderMost = 255;  // bytes, of the server

template <typename Request>
void PutAck(Ack ack, Request& request) {
  if (ack.IsMajority()) {
    request.set_ack(v1::ACK_MAJORITY);
  } else if (ack.IsAll()) {
    request.set_ack(v1::ACK_ALL);
  } else if (ack.number() > 0) {
    request.set_ack_nodes(ack.number());
  }
}

}  // namespace

std::string HolderOf(std::string_view principal, std::string_view name) {
  if (principal.size() + 1 >= kHolderMost) return std::string(principal);
  const size_t room = kHolderMost - principal.size() - 1;
  if (name.size() > room) {
    name.remove_prefix(name.size() - room);
    while (!name.empty() && (static_cast<unsigned char>(name.front()) & 0xC0) == 0x80) name.remove_prefix(1);  // UTF-8
  }
  return absl::StrCat(std::string(principal), "/", std::string(name));
}

absl::Status CheckAck(Ack ack) {
  if (ack.number() >= Ack::All().number() && ack.number() <= kMembersMost) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the acks of a write are Ack::Local, Majority, All, or 1 to ", kMembersMost, " nodes"));
}

bool GoesAsBytes(const std::string& value, const SetOptions& options) { return options.binary || !IsText(value); }

v1::SetRequest MakeSet(const std::string& key, const std::string& value, const SetOptions& options,
                       const SetArguments& arguments) {
  v1::SetRequest request;
  request.set_key_bytes(key);
  if (GoesAsBytes(value, options)) {
    request.set_value_bytes(value);
  } else {
    request.set_value(value);
  }
  if (arguments.lease) *request.mutable_lease_duration() = ToProto(*arguments.lease);
  if (arguments.ephemeral) request.set_on_lapse(v1::ON_LAPSE_DELETE);
  request.set_holder(arguments.holder);
  request.set_if_version(options.if_version);
  request.set_if_absent(options.if_absent);
  request.set_request_id(arguments.request_id);
  PutAck(options.ack, request);
  return request;
}

v1::DeleteRequest MakeDelete(const std::string& key, const DeleteOptions& options, const std::string& holder,
                             const std::string& request_id) {
  v1::DeleteRequest request;
  request.set_key_bytes(key);
  request.set_holder(holder);
  request.set_if_version(options.if_version);
  request.set_allow_missing(options.allow_missing);
  request.set_request_id(request_id);
  PutAck(options.ack, request);
  return request;
}

v1::RenewRequest MakeRenew(const std::string& key, const std::string& holder, std::optional<absl::Duration> duration,
                           bool only_if_held, const std::string& min_version) {
  v1::RenewRequest request;
  request.set_key_bytes(key);
  request.set_holder(holder);
  if (duration) *request.mutable_lease_duration() = ToProto(*duration);
  request.set_only_if_held(only_if_held);
  request.set_min_version(min_version);
  return request;
}

}  // namespace leasemap::internal
