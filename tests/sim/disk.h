// What a host's disk has: the pieces that were written, in their order. A crash loses the piece that is under way.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "peer/core/data/image.h"

namespace leasemap::sim {

class Disk {
 public:
  void Write(const core::Unsaved& piece) {
    if (piece.all) entries_.clear();
    for (const core::EntryPtr& entry : piece.entries) entries_[entry->key] = entry;
    for (const std::string& key : piece.gone) entries_.erase(key);
    conflicts_.insert(piece.conflicts.begin(), piece.conflicts.end());
    conflicts_.erase(conflicts_.begin(), conflicts_.lower_bound(piece.conflicts_from));
    if (!piece.rest) return;
    rest_ = *piece.rest;
    rest_->entries.clear();
  }
  // What a process that starts finds; nullopt: nothing was ever written.
  std::optional<core::Image> Read() const {
    std::optional<core::Image> image = rest_;
    if (!image) return image;
    for (const auto& [key, entry] : entries_) image->entries.push_back(entry);
    image->conflicts = conflicts_;
    return image;
  }
  // What is on it covers all of this.
  bool Covers(const core::VersionVector& vector) const {
    core::VersionVector has = rest_ ? rest_->vector : core::VersionVector();
    // What was folded since has no name on the disk any more.
    core::VersionVector asked = vector;
    asked.Learn(has);
    // A mark of another moment: for which processes it stands the disk cannot tell. What is named can be compared.
    if (asked.past() == nullptr && asked.past_mark() != has.past_mark()) asked = asked.Expanded();
    if (has.Covers(asked)) return true;
    for (const auto& [key, entry] : entries_) has.Add(entry->dot);
    return has.Covers(asked);
  }
  bool Covers(const core::Dot& dot) const {
    core::VersionVector one;
    one.Add(dot);
    return Covers(one);
  }

 private:
  std::map<std::string, core::EntryPtr> entries_;
  core::NumberedConflicts conflicts_;
  std::optional<core::Image> rest_;  // but for the entries
};

}  // namespace leasemap::sim
