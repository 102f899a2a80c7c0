// A write that lost to another lease's, and what it lost to (sync/conflicts.h).
#pragma once

#include <cstdint>
#include <map>

#include "peer/core/data/entry.h"

namespace leasemap::core {

struct Conflict {
  EntryPtr loser, winner;
  int64_t found_ms = 0;  // UTC
};
// By their numbers: 1, 2, 3 … in the order in which they were found.
using NumberedConflicts = std::map<uint64_t, Conflict>;

}  // namespace leasemap::core
