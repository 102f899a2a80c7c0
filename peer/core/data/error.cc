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

// The length of the UTF-8 sequence at the front of `s`, its code point in *point; 0 if it is not valid (RFC 3629).
size_t Utf8Length(std::string_view s, uint32_t* point) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  const uint8_t first = byte(0);
  size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (n == 0 || n > s.size()) return 0;
  uint32_t p = n == 1 ? first : first & (0xff >> (n + 1));
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    p = (p << 6) | (byte(i) & 0x3f);
  }
  if ((n == 3 && p < 0x800) || (n == 4 && p < 0x10000) || (p >= 0xd800 && p < 0xe000) || p > 0x10ffff) return 0;
  *point = p;
  return n;
}

// Controls, line and paragraph separators, and the marks that turn the direction of text around.
bool Prints(uint32_t p) {
  return p >= 0x20 && !(p >= 0x7f && p < 0xa0) && !(p >= 0x200b && p <= 0x200f) && !(p >= 0x2028 && p <= 0x202e) &&
         !(p >= 0x2066 && p <= 0x2069) && p != 0xfeff && p < 0xfffe;
}
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

bool IsUtf8(std::string_view bytes) {
  for (uint32_t point; !bytes.empty();) {
    const size_t n = Utf8Length(bytes, &point);
    if (n == 0) return false;
    bytes.remove_prefix(n);
  }
  return true;
}

bool IsPrintableUtf8(std::string_view bytes) {
  for (uint32_t point; !bytes.empty();) {
    const size_t n = Utf8Length(bytes, &point);
    if (n == 0 || !Prints(point)) return false;
    bytes.remove_prefix(n);
  }
  return true;
}

std::string Shown(std::string_view bytes) {
  constexpr size_t kMax = 64;
  std::string out;
  size_t room = 0;  // so much of it leaves room for the dots
  while (!bytes.empty()) {
    uint32_t point = 0;
    size_t n = Utf8Length(bytes, &point);
    if (n > 0 && Prints(point)) {
      out.append(bytes.substr(0, n));
    } else {
      out += absl::StrFormat("\\x%02x", static_cast<uint8_t>(bytes[0]));
      n = 1;
    }
    if (out.size() > kMax) return out.substr(0, room) + "...";
    if (out.size() <= kMax - 3) room = out.size();
    bytes.remove_prefix(n);
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
