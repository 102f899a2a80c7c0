// A map, and what says which writes it has and how far it has let go of what was deleted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "peer/core/data/effects.h"
#include "peer/core/data/lease.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/version_vector.h"
#include "peer/core/sync/ceiling.h"
#include "peer/core/sync/store.h"

namespace leasemap::core {

struct MapState {
  explicit MapState(const LeaseRules& rules) : ceiling(rules) {}

  Store store;
  VersionVector vector;
  VersionVector floor;  // what of the deletes was collected, here or by those from whom the map was taken
  Ceiling ceiling;
  // A lapse has no dot that a floor could name. Of those collected here the latest expire_ms (UTC), and when a floor
  // was taken over (monotonic): what had been collected for it had lapsed long before that (KeptDeadMs, collection.h).
  int64_t lapses_gone_ms = 0;
  std::optional<MonoTime> floor_taken;

  // Takes a floor over that others raised.
  void JoinFloor(MonoTime mono, const VersionVector& other);
  // Lets ephemeral keys lapse by a clock that is trusted, and what lapsed `keep_ms` ago give its value up. Where the
  // clock was set back by more than the bound, what lapsed too early lives again. Returns how many keys changed;
  // kLapseBatch at most at a time.
  size_t FollowClock(Now now, const LeaseRules& rules, int64_t keep_ms);
  // Monotonic milliseconds: something lapses then, if the clock is trusted.
  MonoTime LapseDue(Now now, const LeaseRules& rules, bool trusted) const;
  // UTC milliseconds: up to when every lapse has been told here. Where nothing is due the store's horizon may be
  // behind: it is as good as moved.
  int64_t HorizonAt(Now now, bool trusted) const;
};

}  // namespace leasemap::core
