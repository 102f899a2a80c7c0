#include "text/duration.h"

#include "absl/status/status.h"

namespace leasemap::text {

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration({text.data(), text.size()}, &duration) || duration == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(
        "not a duration; write a number and a unit, as 500ms, 30s, 10m, 1h or 1h30m, or 0");
  }
  if (duration < absl::ZeroDuration()) return absl::InvalidArgumentError("negative; a duration is 0 or more");
  return duration;
}

}  // namespace leasemap::text
