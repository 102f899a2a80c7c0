#include "clients/cpp/io/clock.h"

#include <time.h>

namespace leasemap::internal {

Moment BootTime() {
  timespec now{};
  // Linux has this clock since 2.6.39, so the call does not fail; the other is the next best.
  if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace leasemap::internal
