// What reads see: the map, or, while another one is taken in its place without an outage, still the old one.
#pragma once

#include <cstdint>
#include <optional>

#include "peer/core/store.h"
#include "peer/core/version_vector.h"

namespace leasemap::core {

// References into the node that gave it: not kept beyond its next call.
struct ReadMap {
  const Store& store;
  const VersionVector& vector;
  const VersionVector& floor;                    // what of the deletes was collected
  int64_t lapses_gone_ms;                        // UTC: of the lapses collected here the latest end of a lease
  const std::optional<int64_t>& floor_taken_ms;  // monotonic: when a floor was taken over from another member
};

}  // namespace leasemap::core
