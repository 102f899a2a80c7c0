#include "clients/cli/core/repeat.h"

namespace leasemap::cli {

bool MayAskAnother(absl::StatusCode code, const std::string& reason, bool safe_to_repeat) {
  if (reason.empty()) {
    // Nobody answered. A write may have been done all the same.
    const bool silent = code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded;
    return silent && safe_to_repeat;
  }
  if (code != absl::StatusCode::kUnavailable) return false;
  // With these a node says that it has not begun (see key_value.proto).
  const bool not_done =
      reason == "SYNCING" || reason == "DRAINING" || reason == "CLOCK_UNSAFE" || reason == "NOT_CAUGHT_UP";
  return safe_to_repeat || not_done;
}

}  // namespace leasemap::cli
