// The vector of a replica as messages carry it: with the processes that are present by name, since the mark of the past
// does not stand for them, whatever their clock was when they started.
#pragma once

#include "peer/core/mesh/membership.h"
#include "peer/core/sync/replica.h"

namespace leasemap::core {

// In short, for reports.
inline VectorPtr SharedVector(const Replica& replica, const Membership& membership) {
  return replica.Shared(membership.change(), [&] { return membership.Present(); });
}
// With all that is known of the past, for sessions and handshakes.
inline VectorPtr WholeVector(const Replica& replica, const Membership& membership) {
  return replica.Whole([&] { return membership.Present(); });
}

}  // namespace leasemap::core
