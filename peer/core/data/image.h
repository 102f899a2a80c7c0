// What a node has to find again to go on after a restart: the map, what is covered and collected, and whom it knows.
//
// An image that is older than the last write is safe too: every start has a new incarnation, so nothing is numbered
// twice, and what the image lacks comes back by a session, or, below the others' floor, by a reset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "peer/core/data/conflict.h"
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
  int64_t lapses_gone_ms = 0;    // MapState::lapses_gone_ms
  int64_t horizon_ms = 0;        // Store::horizon_ms: up to here ephemeral entries had lapsed
  std::vector<MemberInfo> members;
  NumberedConflicts conflicts{};  // without gaps in their numbers
};

// What the disk lacks of the map: one piece, to be written as a whole or not at all, and after those before it
// (saving.h).
struct Unsaved {
  bool all = false;               // what the disk has of the map goes first, since the map was given up
  std::vector<EntryPtr> entries;  // each takes the place of what the disk has under its key
  std::vector<std::string> gone;  // keys that the disk lets go of; only with `rest`
  std::optional<Image> rest;      // takes the place of the image on the disk, but for the entries and the conflicts
  NumberedConflicts conflicts{};  // beside those that the disk has; also with `all` it keeps them …
  uint64_t conflicts_from = 0;    // … but lets go of those with lower numbers
};

}  // namespace leasemap::core
