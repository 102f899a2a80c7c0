// Durations as people write them in a flag, a variable or a file: 30s, 1h, 1h30m, 500ms, 0.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace leasemap::text {

// Reads a duration by absl::ParseDuration. It must be finite and not negative. The message of an error continues a
// sentence: put the value and "is" before it.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);

}  // namespace leasemap::text
