// Entries and pieces of a map, for tests of its files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "peer/core/data/image.h"

namespace leasemap::storage {

// Write `seq` of one process.
inline core::EntryPtr EntryOf(const std::string& key, uint64_t seq, const std::string& value = "value") {
  auto entry = std::make_shared<core::Entry>();
  entry->key = key;
  entry->value = value;
  entry->dot = {{"w", 1}, seq};
  entry->lease = {"holder", seq, 1'700'000'000, 3'600'000, 1'700'003'600'000};
  entry->stamp = seq << 16;
  return entry;
}

// What covers 1 … seq of that process.
inline core::Image Covering(uint64_t seq) {
  core::Image image;
  image.incarnation = 7;
  image.whole = true;
  image.vector.Add({"w", 1}, 1, seq);
  return image;
}

}  // namespace leasemap::storage
