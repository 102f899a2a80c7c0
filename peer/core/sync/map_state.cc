#include "peer/core/sync/map_state.h"

#include <algorithm>

namespace leasemap::core {

void MapState::JoinFloor(MonoTime mono, const VersionVector& other) {
  if (!floor.Covers(other)) floor_taken = mono;
  floor.Join(other);
}

size_t MapState::FollowClock(Now now, const LeaseRules& rules, int64_t keep_ms) {
  if (store.horizon_ms() <= now.wall_ms + rules.clock_bound_ms) {
    const size_t lapsed = store.Lapse(now.wall_ms);
    store.GiveUpValues(store.horizon_ms() - keep_ms, now.mono - keep_ms);
    return lapsed;
  }
  lapses_gone_ms = std::min(lapses_gone_ms, now.wall_ms);  // what lapsed after that was never told rightly
  return store.Rewind(now.wall_ms);
}

MonoTime MapState::LapseDue(Now now, const LeaseRules& rules, bool trusted) const {
  if (!trusted) return MonoTime::Never();
  if (store.horizon_ms() > now.wall_ms + rules.clock_bound_ms) return now.mono;
  const auto next = store.NextLapse();
  return next ? now.mono + std::max<int64_t>(0, *next - now.wall_ms) : MonoTime::Never();
}

int64_t MapState::HorizonAt(Now now, bool trusted) const {
  const auto next = store.NextLapse();
  if (!trusted || (next && *next <= now.wall_ms)) return store.horizon_ms();
  return std::max(store.horizon_ms(), now.wall_ms);
}

}  // namespace leasemap::core
