// How many bytes the map may take, and what happens beyond: local writes that make it larger are refused, deletes
// never; what members bring is merged into a reserve, and left out beyond that, since a node that dies of it helps
// nobody.
//
// What is left out is not covered: no ack counts it, sessions bring it again, and once there is room it is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

class Room {
 public:
  explicit Room(uint64_t max_bytes, uint64_t max_keys = kMaxKeys) : max_bytes_(max_bytes), max_keys_(max_keys) {}

  uint64_t max_bytes() const { return max_bytes_; }
  // What members bring may take so much more: writes that several nodes took at once, each within its own limit.
  uint64_t reserve() const { return max_bytes_ / kReserveParts; }
  // What the own log and the list of conflicts may keep beside the map, each.
  size_t side_bytes(size_t most) const;

  uint64_t max_keys() const { return max_keys_; }
  // KEY_LIMIT if a map of this many keys may have no more by a local write.
  absl::Status CheckKeys(uint64_t keys) const;
  // BYTES_LIMIT if a local write that makes the map larger by `growth` has no room.
  absl::Status Check(uint64_t held, int64_t growth) const;
  // Whether a member's entry has room; if not, that it was left out is remembered.
  bool Takes(uint64_t held, int64_t growth);
  // Entries of members were left out, and there has been no room for a local write since.
  bool full() const { return full_; }
  // For people: empty unless full.
  std::string Describe() const;

  uint64_t left_out() const { return left_out_; }

 private:
  uint64_t max_bytes_, max_keys_;
  uint64_t left_out_ = 0;  // entries, each time that they came
  bool full_ = false;
};

}  // namespace leasemap::core
