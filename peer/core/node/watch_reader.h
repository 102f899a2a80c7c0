// Moves watches on: where one starts, what it reads next, and when it gets a cursor (the rules are in watch.h).
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "peer/core/data/effects.h"
#include "peer/core/data/node_options.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/node/watch.h"
#include "peer/core/sync/conflicts.h"
#include "peer/core/sync/map_state.h"
#include "peer/core/sync/saving.h"

namespace leasemap::core {

// Made for one call, from a node that does not change meanwhile. It changes nothing but the watch.
class WatchReader {
 public:
  // What watches are read from.
  struct View {
    Now now;
    const NodeOptions& options;
    const ReplicaId& self;
    const MapState& map;
    uint64_t maps;               // Retirement::maps()
    const VersionVector& known;  // the node's own, also while reads see another map
    const Conflicts& conflicts;
    const Membership& membership;
    bool clock_trusted;
    int64_t horizon_ms;    // UTC: every lapse up to it has its event
    const Saving& saving;  // a cursor covers nothing that is not on the disk
    int64_t kept_dead_ms;  // how long deletes and lapses are kept at least
    // Whether this process is linked.
    absl::FunctionRef<bool(const ReplicaId&)> is_linked;
    // The vector for a cursor: with the processes that are present by name, and short.
    absl::FunctionRef<VersionVector(const VersionVector&)> named;
  };
  explicit WatchReader(const View& view) : view_(view) {}

  // A watch at a cursor ("" for none). CURSOR_INVALID: it is none, or of another cluster or filter.
  absl::StatusOr<Watch> Start(WatchFilter filter, bool snapshot, const std::string& cursor) const;
  // Reads on; OK with an empty batch when there is nothing to say yet. CURSOR_EXPIRED, NOT_CAUGHT_UP: the watch ends.
  absl::StatusOr<WatchBatch> Read(Watch& watch) const;

 private:
  struct Page;  // the events of one message

  bool IsBelowFloor(const Watch& watch) const;
  bool HasMissed(Watch& watch) const;
  bool CursorIsLost(const Watch& watch) const;
  WatchBatch ReadEvents(Watch& watch) const;
  bool IsNews(const Watch& watch, const Store::Slot& slot) const;
  bool PassIsDue(const Watch& watch) const;
  bool IsSaved(const VersionVector& vector) const;
  void StartPass(Watch& watch) const;
  WatchBatch ReadPass(Watch& watch) const;
  bool WalkKeys(Watch& watch, Page& page) const;
  bool TellLapses(Watch& watch, Page& page) const;
  void EndPass(Watch& watch, WatchBatch& batch) const;
  std::string CursorAt(const Watch& watch, const VersionVector& vector, int64_t told_ms) const;
  void AddLost(Watch& watch, WatchBatch& batch) const;
  void AddCursor(Watch& watch, WatchBatch& batch) const;
  void GiveCursor(Watch& watch, WatchBatch& batch) const;
  WatchBatch ReadHeld(Watch& watch) const;

  const View view_;
};

}  // namespace leasemap::core
