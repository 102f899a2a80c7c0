// A map that was given up for a peer's (node_reset.cc).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "peer/core/lease.h"
#include "peer/core/map_state.h"
#include "peer/core/version_vector.h"

namespace leasemap::core {

// The map, or the part of one, that was given up in a reset, until all of it that the others lacked was submitted
// again.
struct Retired {
  explicit Retired(const LeaseRules& rules) : map(rules) {}
  MapState map;
  bool whole = false;                    // else a part
  bool serves = false;                   // reads go on by it
  bool for_ceiling = false;              // given up for one that is lower
  bool for_part = false;                 // … that no ready member has (LowerCeiling::of_part)
  VectorPtr peer;                        // what the peer covered for which it was given up; null: unknown
  int64_t since_ms = 0;                  // monotonic
  std::optional<std::string> submitted;  // keys up to here
};

}  // namespace leasemap::core
