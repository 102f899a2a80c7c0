#include "clients/cpp/core/status.h"

#include <algorithm>
#include <array>

#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace leasemap {
namespace {

// The payloads of a status have the names that google.rpc.Status gives them.
constexpr char kInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kRetryUrl[] = "type.googleapis.com/google.rpc.RetryInfo";
constexpr std::string_view kDomain = "leasemap";
constexpr size_t kShownBytes = 64;  // of a key, as the server cuts it

google::rpc::ErrorInfo InfoOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  if (const auto payload = status.GetPayload(kInfoUrl)) info.ParseFromString(std::string(*payload));
  return info;
}

}  // namespace

std::string ReasonOf(const absl::Status& status) { return InfoOf(status).reason(); }

std::string FactOf(const absl::Status& status, std::string_view name) {
  const google::rpc::ErrorInfo info = InfoOf(status);
  const auto found = info.metadata().find(std::string(name));
  return found == info.metadata().end() ? "" : found->second;
}

std::optional<HeldBy> HeldByOf(const absl::Status& status) {
  if (!internal::IsReason(status, reason::kLeaseHeld)) return std::nullopt;
  HeldBy held{.holder = FactOf(status, "holder")};
  const std::string expires = FactOf(status, "expire_time");
  absl::Time time;
  std::string problem;
  if (absl::ParseTime(absl::RFC3339_full, expires, &time, &problem)) held.expires = time;
  return held;
}

absl::Duration RetryAfterOf(const absl::Status& status) {
  google::rpc::RetryInfo info;
  if (const auto payload = status.GetPayload(kRetryUrl)) info.ParseFromString(std::string(*payload));
  return absl::Seconds(info.retry_delay().seconds()) + absl::Nanoseconds(info.retry_delay().nanos());
}

namespace internal {
namespace {

// After these the same request makes sense at another node. Writes carry a request_id or repeat themselves without harm
// (Renew, Release), so a request that was done without our knowing is not done twice.
constexpr std::array<std::string_view, 8> kElsewhere = {"SYNCING",      "DRAINING",        "NOT_CAUGHT_UP",
                                                        "CLOCK_UNSAFE", "DISK_FAILED",     "WAIT_LIMIT",
                                                        "WATCH_LIMIT",  "CONNECTION_LIMIT"};

// Codes by which gRPC says that no answer came, or the server that it does not know why.
bool IsSilence(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded ||
         code == absl::StatusCode::kUnknown || code == absl::StatusCode::kInternal ||
         code == absl::StatusCode::kCancelled;
}

}  // namespace

absl::Status FromGrpc(int code, std::string_view message, const std::string& details, std::string_view node) {
  if (code == 0) return absl::OkStatus();
  google::rpc::Status parts;
  google::rpc::ErrorInfo info;
  google::rpc::RetryInfo retry;
  bool has_retry = false;
  parts.ParseFromString(details);
  for (const auto& part : parts.details()) {
    google::rpc::ErrorInfo found;
    if (part.UnpackTo(&found) && found.domain() == kDomain) info = found;
    has_retry = part.UnpackTo(&retry) || has_retry;
  }
  const auto made_code = static_cast<absl::StatusCode>(code);
  if (info.reason().empty()) {
    return {IsSilence(made_code) ? absl::StatusCode::kUnavailable : made_code,
            absl::StrCat(std::string(node), ": ", std::string(message))};
  }
  absl::Status status(made_code, std::string(message));
  status.SetPayload(kInfoUrl, absl::Cord(info.SerializeAsString()));
  if (has_retry) status.SetPayload(kRetryUrl, absl::Cord(retry.SerializeAsString()));
  return status;
}

absl::Status FromItem(const v1::ItemStatus& item) {
  if (item.code() == 0) return absl::OkStatus();
  return MakeStatus(static_cast<absl::StatusCode>(item.code()), item.reason(), item.message());
}

absl::Status MakeStatus(absl::StatusCode code, std::string_view reason, std::string_view message,
                        const std::map<std::string, std::string>& facts) {
  absl::Status status(code, std::string(message));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kDomain));
  for (const auto& [name, value] : facts) (*info.mutable_metadata())[name] = value;
  status.SetPayload(kInfoUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

absl::Status HeldStatus(std::string_view message, std::string_view holder) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition, reason::kLeaseHeld, message,
                    {{"holder", std::string(holder)}});
}

absl::Status ClosedStatus() {
  return MakeStatus(absl::StatusCode::kCancelled, reason::kClosed, "the client was closed; make a new one");
}

absl::Status LostStatus(std::string_view key, std::string_view why) {
  return MakeStatus(absl::StatusCode::kAborted, reason::kLeaseLost,
                    absl::StrCat("the lease on ", ShowKey(key), " was lost: ", std::string(why)));
}

bool IsElsewhere(const absl::Status& status) {
  if (status.ok()) return false;
  const std::string found = ReasonOf(status);
  if (!found.empty()) return std::find(kElsewhere.begin(), kElsewhere.end(), found) != kElsewhere.end();
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

bool IsRefusal(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
}

bool InDoubt(const absl::Status& status) {
  return absl::IsUnavailable(status) || IsReason(status, reason::kAckIncomplete) || IsReason(status, reason::kClosed);
}

bool IsReason(const absl::Status& status, std::string_view reason) { return ReasonOf(status) == reason; }

std::string ShowKey(std::string_view key) {
  const bool whole = key.size() <= kShownBytes;
  return absl::StrCat("\"", absl::Utf8SafeCEscape(absl::string_view(key.data(), whole ? key.size() : kShownBytes)),
                      whole ? "\"" : "…\"");
}

}  // namespace internal
}  // namespace leasemap
