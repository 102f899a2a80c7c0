#include "peer/core/sync/saving.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "peer/core/data/check.h"

namespace leasemap::core {

void Saving::IsSaved(uint64_t change, VectorPtr vector, VectorPtr floor, uint64_t head) {
  saved_change_ = change;
  saved_vector_ = std::move(vector);
  saved_floor_ = std::move(floor);
  position_ = head;
}

void Saving::GaveUp(uint64_t change, uint64_t head) {
  gone_.clear();
  rest_.reset();
  all_ = true;
  const auto nothing = std::make_shared<const VersionVector>();
  IsSaved(change, nothing, nothing, head);
  // What is on its way is of the old map, and goes with it.
  if (!piece_) return;
  Piece stale;
  stale.from = position_;
  stale.conflicts = piece_->conflicts;
  piece_ = std::move(stale);
}

bool Saving::IsDue(uint64_t change, uint64_t head, uint64_t conflicts_end, const Rest& rest) const {
  if (!disk_ || piece_) return false;
  const bool others = change != saved_change_ || conflicts_end != conflicts_ || rest_ != rest;
  return !named_ || all_ || others || head != position_ || !gone_.empty();
}

Unsaved Saving::Take(uint64_t change, const Store& store, const Conflicts& conflicts, const Rest& rest, Image image) {
  LEASEMAP_CHECK(disk_ && !piece_);
  Unsaved out;
  Piece piece;
  piece.from = position_;
  piece.conflicts = conflicts_;
  out.conflicts_from = conflicts.first();
  for (uint64_t number = std::max(conflicts_, conflicts.first()); number < conflicts.end(); ++number) {
    out.conflicts.emplace(number, conflicts.at(number));
  }
  conflicts_ = conflicts.end();
  if (all_) {
    // By itself: what the disk has goes, and with it the vector that covers it.
    out.all = piece.all = true;
    out.rest = Image();
    out.rest->incarnation = image.incarnation;
    out.rest->members = std::move(image.members);
  } else if (!named_) {
    named_ = piece.first = true;
    out.rest = image;
    out.rest->vector = *saved_vector_;
    out.rest->floor = *saved_floor_;
    rest_ = rest;
  } else {
    TakeEntries(store, out);
    uint64_t place = 0;
    piece.last = store.NextWithRenewals(position_, &place) == nullptr;
  }
  if (piece.last) {
    position_ = store.head();
    piece.change = change;
    piece.gone = std::exchange(gone_, {});
    piece.vector = std::make_shared<const VersionVector>(image.vector);
    piece.floor = std::make_shared<const VersionVector>(image.floor);
    out.gone.assign(piece.gone.begin(), piece.gone.end());
    out.rest = std::move(image);
    rest_ = rest;
  }
  piece_ = std::move(piece);
  return out;
}

void Saving::TakeEntries(const Store& store, Unsaved& out) {
  size_t bytes = 0;
  const Store::Slot* slot = nullptr;
  while (bytes < piece_bytes_ && (slot = store.NextWithRenewals(position_, &position_)) != nullptr) {
    // What was renewed after its change comes once more, under its latest place.
    if (position_ != slot->latest()) continue;
    bytes += Weight(*slot->entry);
    out.entries.push_back(slot->entry);
    gone_.erase(slot->entry->key);  // collected, and written again since
  }
}

bool Saving::Saved() {
  LEASEMAP_CHECK(piece_.has_value());
  const Piece piece = *std::exchange(piece_, std::nullopt);
  if (piece.all) all_ = false;
  if (!piece.last) return false;
  saved_change_ = piece.change;
  saved_vector_ = piece.vector;
  saved_floor_ = piece.floor;
  return true;
}

void Saving::Failed() {
  LEASEMAP_CHECK(piece_.has_value());
  Piece piece = *std::exchange(piece_, std::nullopt);
  position_ = piece.from;
  conflicts_ = piece.conflicts;
  if (piece.first) named_ = false;
  gone_.merge(piece.gone);
  rest_.reset();
}

}  // namespace leasemap::core
