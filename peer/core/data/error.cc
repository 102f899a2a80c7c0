#include "peer/core/data/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {
constexpr char kReason[] = "leasemap.reason";
constexpr char kRetry[] = "leasemap.retry_ms";
constexpr char kMetadata[] = "leasemap.metadata.";
}  // namespace

absl::Status Refusal(absl::StatusCode code, std::string_view reason, const std::string& message) {
  absl::Status status(code, message);
  status.SetPayload(kReason, absl::Cord(std::string(reason)));
  return status;
}

void AddMetadata(absl::Status& status, std::string_view name, std::string_view value) {
  status.SetPayload(absl::StrCat(kMetadata, Shown(name)), absl::Cord(Shown(value)));
}

void AddVersion(absl::Status& status, std::string_view name, const Dot& dot) {
  status.SetPayload(absl::StrCat(kMetadata, Shown(name)), absl::Cord(VersionOf(dot)));
}

void SetRetryMs(absl::Status& status, int64_t ms) { status.SetPayload(kRetry, absl::Cord(absl::StrCat(ms))); }

std::string ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kReason);
  return payload ? std::string(*payload) : "";
}

std::map<std::string, std::string> MetadataOf(const absl::Status& status) {
  std::map<std::string, std::string> out;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& value) {
    if (absl::ConsumePrefix(&url, kMetadata)) out[std::string(url)] = std::string(value);
  });
  return out;
}

int64_t RetryMsOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetry);
  return payload ? std::stoll(std::string(*payload)) : -1;
}

absl::Status InvalidField(std::string_view field, const std::string& message) {
  auto status =
      Refusal(absl::StatusCode::kInvalidArgument, "REQUEST_INVALID", absl::StrCat(std::string(field), ": ", message));
  AddMetadata(status, "field", field);
  return status;
}

absl::Status Unsupported(std::string_view field, const std::string& message) {
  auto status =
      Refusal(absl::StatusCode::kUnimplemented, "UNSUPPORTED", absl::StrCat(std::string(field), ": ", message));
  AddMetadata(status, "field", field);
  return status;
}

absl::Status KeyNotFound(std::string_view key) {
  auto status = Refusal(absl::StatusCode::kNotFound, "KEY_NOT_FOUND",
                        absl::StrCat("key \"", Shown(key), "\" does not exist; Set creates it"));
  AddMetadata(status, "key", key);
  return status;
}

std::string Shown(std::string_view bytes) {
  constexpr size_t kMax = 64;
  std::string out;
  size_t room = 0;  // so much of it leaves room for the dots
  while (!bytes.empty()) {
    const auto [length, code] = text::First(bytes);
    const bool whole = length > 0 && text::IsPrintable(code);
    if (whole) {
      out.append(bytes.substr(0, length));
    } else {
      out += absl::StrFormat("\\x%02x", static_cast<uint8_t>(bytes[0]));
    }
    if (out.size() > kMax) return out.substr(0, room) + "...";
    if (out.size() <= kMax - 3) room = out.size();
    bytes.remove_prefix(whole ? length : 1);
  }
  return out;
}

std::string ShownDuration(int64_t ms) {
  if (ms < 0) ms = 0;
  if (ms < 10'000) return absl::StrFormat("%d.%ds", ms / 1000, ms % 1000 / 100);
  const int64_t s = ms / 1000;
  if (s < 60) return absl::StrFormat("%ds", s);
  if (s < 3600) return absl::StrFormat("%dm%ds", s / 60, s % 60);
  return absl::StrFormat("%dh%dm", s / 3600, s % 3600 / 60);
}

absl::Status CheckKey(std::string_view key) {
  if (key.empty()) {
    return Refusal(absl::StatusCode::kInvalidArgument, "KEY_INVALID",
                   "the key is empty; give key (text) or key_bytes, 1 to 4096 bytes");
  }
  if (key.size() > kMaxKeyBytes) {
    return Refusal(absl::StatusCode::kInvalidArgument, "KEY_INVALID",
                   absl::StrCat("the key has ", key.size(), " bytes; at most 4096 are allowed"));
  }
  return absl::OkStatus();
}

absl::Status CheckName(std::string_view field, std::string_view name) {
  if (!name.empty() && name.size() <= kMaxNameBytes && IsPrintableUtf8(name)) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("must be 1 to 255 bytes of printable UTF-8, has ", name.size(), " bytes"));
}

}  // namespace leasemap::core
