// FORMAT: the file that makes a folder a data directory. It says whose map is there, and in which form.
//
//   leasemap data directory
//   format 1
//   node-id node-1
//   cluster leasemap
//   map good
//   checksum 5f0c8a3b1d2e4f60
//
// It is text, so that people can read it, and replaced as a whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace leasemap::storage {

// This version writes kFormat and reads all from kOldestFormat on. A change that an earlier version cannot read takes a
// new number.
inline constexpr uint32_t kFormat = 1, kOldestFormat = 1;

struct Format {
  enum class Map {
    kNew,   // its files are being made: what there is of them was never used
    kGood,  // its files are there
    kLost,  // a damaged one was moved aside, and what is there is not whole yet: the node needs another one's map
  };
  std::string node_id;
  std::string cluster;
  Map map = Map::kNew;
  bool operator==(const Format&) const = default;
};

// The text of the file, and back. FAILED_PRECONDITION for a format that this version does not read, DATA_LOSS for a
// text that FormatText did not make.
std::string FormatText(const Format& format);
absl::StatusOr<Format> ParseFormat(std::string_view text);

}  // namespace leasemap::storage
