#include "peer/core/sync/room.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"

namespace leasemap::core {

size_t Room::side_bytes(size_t most) const { return std::min<uint64_t>(most, max_bytes_ / kSideParts); }

absl::Status Room::CheckKeys(uint64_t keys) const {
  if (keys < max_keys_) return absl::OkStatus();
  return Refusal(absl::StatusCode::kResourceExhausted, "KEY_LIMIT",
                 absl::StrCat("the map has ", keys,
                              " keys, with the deleted ones that are still kept, and may have no "
                              "more (--max-keys); delete some"));
}

absl::Status Room::Check(uint64_t held, int64_t growth) const {
  if (growth <= 0 || held + static_cast<uint64_t>(growth) <= max_bytes_) return absl::OkStatus();
  return Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                 absl::StrCat("the map takes ", held, " of at most ", max_bytes_, " bytes, and this write ", growth,
                              " more; delete or shrink values, or start all nodes with a larger --max-bytes"));
}

bool Room::Takes(uint64_t held, int64_t growth) {
  const uint64_t after = growth <= 0 ? held : held + static_cast<uint64_t>(growth);
  if (after <= max_bytes_) full_ = false;
  if (growth <= 0 || after <= max_bytes_ + reserve()) return true;
  ++left_out_;
  full_ = true;
  return false;
}

std::string Room::Describe() const {
  if (!full_) return "";
  return absl::StrCat("the map is full: writes of other nodes are left out beyond ", max_bytes_ + reserve(),
                      " bytes; delete or shrink values, or start this node with a larger --max-bytes");
}

}  // namespace leasemap::core
