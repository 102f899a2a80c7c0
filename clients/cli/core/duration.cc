#include "clients/cli/core/duration.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace leasemap::cli {

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  absl::Duration duration;
  const std::string shown(text);
  if (!absl::ParseDuration(shown, &duration) || duration == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", shown, "\" is no duration: write a number and a unit, as 500ms, 30s, 10m, 1h, 1h30m; or 0"));
  }
  if (duration < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", shown, "\" is negative: a duration is 0 or more"));
  }
  return duration;
}

}  // namespace leasemap::cli
