// Pieces at random, and what the map is after each of them, as a text to compare.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "peer/core/data/image.h"
#include "peer/core/data/random.h"
#include "tests/storage/pieces.h"

namespace leasemap::storage {

inline std::string StateOf(const std::optional<core::Image>& image) {
  if (!image) return "nothing";
  std::string state;
  for (const auto& entry : image->entries) absl::StrAppend(&state, entry->key, "=", entry->dot.seq, " ");
  const auto run = image->vector.runs().find({"w", 1});
  return absl::StrCat(state, "up to ", run == image->vector.runs().end() ? 0 : run->second.prefix);
}

class RandomPieces {
 public:
  RandomPieces(core::Random& random, uint64_t most_bytes) : random_(random), most_bytes_(most_bytes) {}

  core::Unsaved Next() {
    core::Unsaved piece;
    if (random_.Below(50) == 0) {
      piece.all = true;
      entries_.clear();
      piece.rest = core::Image();
      state_ = StateOf(piece.rest);
      return piece;
    }
    for (uint64_t n = random_.Below(5); n > 0; --n) {
      const std::string key = absl::StrCat("k", random_.Below(40));
      piece.entries.push_back(EntryOf(key, ++seq_, Value()));
      entries_[key] = piece.entries.back();
    }
    if (!entries_.empty() && random_.Below(4) == 0) {
      piece.gone.push_back(entries_.begin()->first);
      std::erase_if(piece.entries, [&](const auto& entry) { return entry->key == piece.gone[0]; });
      entries_.erase(entries_.begin());
    }
    piece.rest = Covering(seq_);
    core::Image all = Covering(seq_);
    for (const auto& [key, entry] : entries_) all.entries.push_back(entry);
    state_ = StateOf(all);
    return piece;
  }
  // After the last piece.
  const std::string& state() const { return state_; }
  // It goes on from what the disk has.
  void GoOnFrom(const std::optional<core::Image>& image) {
    state_ = StateOf(image);
    entries_.clear();
    if (!image) return;
    for (const auto& entry : image->entries) entries_[entry->key] = entry;
  }

 private:
  // One of 20 has the most bytes. No compression makes it smaller.
  std::string Value() {
    std::string value(random_.Below(20) == 0 ? most_bytes_ : 50, '\0');
    for (char& each : value) each = static_cast<char>(random_.Below(256));
    return value;
  }

  core::Random& random_;
  const uint64_t most_bytes_;
  std::map<std::string, core::EntryPtr> entries_;
  std::string state_ = "nothing";
  uint64_t seq_ = 0;
};

}  // namespace leasemap::storage
