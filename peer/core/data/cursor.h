// The cursor: an opaque string from which a watch resumes on any node.
//
// It names the cluster, the version vector of the node that made it (whatever it covers has been sent or was already
// replaced), that node's horizon (up to when lapses of ephemeral keys had been told), and a hash of what was watched,
// so that it can't be used for another watch by mistake.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "peer/core/data/version_vector.h"

namespace leasemap::core {

struct Cursor {
  std::string cluster;
  VersionVector vector;
  int64_t wall_ms = 0;
  uint64_t filter_hash = 0;
  bool operator==(const Cursor&) const = default;
};

std::string EncodeCursor(const Cursor& cursor);
// nullopt for anything that EncodeCursor did not make (length, checksum, canonical form).
std::optional<Cursor> DecodeCursor(std::string_view text);

}  // namespace leasemap::core
