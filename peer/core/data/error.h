// Errors of ours: an absl::Status whose payloads carry the reason (docs/design.md, section 2.8), and metadata.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "text/utf8.h"

namespace leasemap::core {

struct Dot;

// A status with a reason such as "LEASE_HELD"; the message says what to do.
absl::Status Refusal(absl::StatusCode code, std::string_view reason, const std::string& message);
// Adds to the metadata of a refusal. A name or value over 64 bytes is escaped and cut, since trailers over 8 KiB
// destroy the error.
void AddMetadata(absl::Status& status, std::string_view name, std::string_view value);
// Adds a version, whole: it is of use only whole, and at most some 400 bytes long.
void AddVersion(absl::Status& status, std::string_view name, const Dot& dot);
// How long to wait before the call is worth repeating.
void SetRetryMs(absl::Status& status, int64_t ms);

std::string ReasonOf(const absl::Status& status);
std::map<std::string, std::string> MetadataOf(const absl::Status& status);
int64_t RetryMsOf(const absl::Status& status);  // −1: none

// REQUEST_INVALID and UNSUPPORTED name the field.
absl::Status InvalidField(std::string_view field, const std::string& message);
absl::Status Unsupported(std::string_view field, const std::string& message);

// KEY_NOT_FOUND.
absl::Status KeyNotFound(std::string_view key);

// Bytes as they may stand in a message: non-printing and non-UTF-8 bytes escaped, cut to 64 bytes.
std::string Shown(std::string_view bytes);
// 59m12s, 3.2s, 2h5m: for people.
std::string ShownDuration(int64_t ms);

// A key of 1 to 4,096 bytes; a name (holder, node ID) of 1 to 255 bytes of printable UTF-8.
absl::Status CheckKey(std::string_view key);
absl::Status CheckName(std::string_view field, std::string_view name);
using text::IsPrintableUtf8;
using text::IsUtf8;

}  // namespace leasemap::core
