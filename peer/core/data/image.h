// What a node has to find again to go on after a restart: the map, what is covered and collected, and whom it knows.
//
// An image that is older than the last write is safe too: every start has a new incarnation, so nothing is numbered
// twice, and what the image lacks comes back by a session, or, below the others' floor, by a reset.
#pragma once

#include <cstdint>
#include <vector>

#include "peer/core/data/entry.h"
#include "peer/core/data/message.h"
#include "peer/core/data/version_vector.h"

namespace leasemap::core {

struct Image {
  uint64_t incarnation = 0;  // the one that made it; the next is above it
  bool whole = false;        // it had the map (Report::whole)
  std::vector<EntryPtr> entries;
  VersionVector vector;
  VersionVector floor;
  int64_t ceiling_ms = 0;        // ceiling.h
  uint64_t collected_epoch = 0;  // the highest epoch of what was collected
  std::vector<MemberInfo> members;
};

}  // namespace leasemap::core
