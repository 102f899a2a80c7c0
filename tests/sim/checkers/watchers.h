// What a watching client makes of its events: it folds them into a map, and drops what came after its last cursor when
// it moves. The fold must be the map of the node each time a cursor comes; nothing comes twice, and ranks rise. An
// ephemeral entry may come a second time when it lapses, and only once so. Who did not ask for renewals may have an
// entry that was only renewed since; to who did, nothing comes as a renewal but what is one of what it has.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "peer/core/node/watch.h"
#include "peer/core/sync/store.h"

namespace leasemap::sim {

class Fold {
 public:
  // The events of one batch, in order. `store` is the map of the node that sent it, and `vector` what it covers, as
  // both are right now.
  std::string Take(const core::WatchBatch& batch, const core::WatchFilter& filter, const core::Store& store,
                   const core::VersionVector& vector = {});
  // The connection ended: what came after the last cursor is dropped.
  void Drop() { now_ = kept_; }
  // The cursor expired: everything goes.
  void Clear();
  // The last cursor; "" if there is none, and a snapshot is to be taken.
  const std::string& cursor() const { return cursor_; }
  // The live part of the fold against what of the map matches; of a pass's cursor, against what that covers.
  std::string Compare(const core::WatchFilter& filter, const core::Store& store) const {
    return Compare(filter, store, [](const core::Store::Slot&) { return true; });
  }
  uint64_t events() const { return events_; }

 private:
  using Covered = std::function<bool(const core::Store::Slot&)>;
  std::string Compare(const core::WatchFilter& filter, const core::Store& store, const Covered& covered) const;

  struct Held {
    core::EntryPtr entry;
    core::EventKind kind = core::EventKind::kSet;
  };
  std::map<std::string, Held> now_, kept_;  // the dead too: they have ranks
  std::string cursor_;
  uint64_t events_ = 0;
};

}  // namespace leasemap::sim
