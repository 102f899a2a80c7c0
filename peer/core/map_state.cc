#include "peer/core/map_state.h"

#include <algorithm>

namespace leasemap::core {

void MapState::JoinFloor(int64_t mono_ms, const VersionVector& other) {
  if (!floor.Covers(other)) floor_taken_ms = mono_ms;
  floor.Join(other);
}

size_t MapState::FollowClock(Now now, const LeaseRules& rules, int64_t keep_ms) {
  if (store.horizon_ms() <= now.wall_ms + rules.clock_bound_ms) {
    const size_t lapsed = store.Lapse(now.wall_ms);
    store.GiveUpValues(store.horizon_ms() - keep_ms, now.mono_ms - keep_ms);
    return lapsed;
  }
  lapses_gone_ms = std::min(lapses_gone_ms, now.wall_ms);  // what lapsed after that was never told rightly
  return store.Rewind(now.wall_ms);
}

}  // namespace leasemap::core
