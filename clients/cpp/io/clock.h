// The clock of the client: nobody sets it, and it runs while the machine sleeps.
#pragma once

#include "clients/cpp/core/endpoints.h"

namespace leasemap::internal {

// The time since the machine was started (CLOCK_BOOTTIME). The monotonic clock does not run while the machine sleeps,
// and would keep a lease that has lapsed.
Moment BootTime();

}  // namespace leasemap::internal
