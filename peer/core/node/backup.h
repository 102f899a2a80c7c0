// A copy of the map that is read page by page while the map changes (docs/backup.md), and one that is taken back.
//
// Pages follow the order of the store's revisions, so what changes meanwhile comes once more, behind. The last page is
// the one with which all of it was read: what it says of the vector holds for all pages together.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "peer/core/data/image.h"

namespace leasemap::core {

// How far it was read.
struct BackupPlace {
  uint64_t position = 0;         // revisions up to here
  std::optional<uint64_t> maps;  // Retirement::maps() when it began; nullopt: it has not
};

struct BackupPage {
  std::vector<EntryPtr> entries;
  uint64_t keys = 0;          // of the map, with the dead ones, for people
  std::optional<Image> rest;  // with the last page; without entries, members and conflicts
};

class Node;

// The next page: entries up to the first with which they have more than `bytes`. SYNCING if the node's map is not the
// one that was begun with.
absl::StatusOr<BackupPage> ReadBackup(const Node& node, BackupPlace& place, size_t bytes);

}  // namespace leasemap::core
