// Ephemeral keys: each node lets them lapse by its own clock, and says by a horizon how far it has told so.
//
// The store's horizon is a point of UTC up to which every lapse has been told here, as an EXPIRED event. It only moves
// on, so nothing lapses twice and nothing comes back; and it stands still while the clock is not to be trusted, so that
// a clock that jumped lets nothing lapse. A cursor carries it beside the version vector, as one more thing that a node
// has to have seen before a watch resumes there: then "covered and expired up to the cursor's time" means "told
// already", and any other lapse is news.
#include <algorithm>

#include "peer/core/node.h"

namespace leasemap::core {

void Node::Lapse(Now now) {
  if (!clock_guard_.trusted() || store_.Lapse(now.wall_ms) == 0) return;
  ++report_change_;  // the map's hash is another one
  effects_.changed = true;
}

// Monotonic milliseconds: something lapses then.
int64_t Node::LapseDue(Now now) const {
  const auto next = store_.NextLapse();
  return next && clock_guard_.trusted() ? now.mono_ms + std::max<int64_t>(0, *next - now.wall_ms) : INT64_MAX;
}

// Up to when every lapse has been told here. Where nothing is due the horizon may stand still: it is as good as moved.
int64_t Node::HorizonAt(Now now) const {
  const auto next = store_.NextLapse();
  if (!clock_guard_.trusted() || (next && *next <= now.wall_ms)) return store_.horizon_ms();
  return std::max(store_.horizon_ms(), now.wall_ms);
}

}  // namespace leasemap::core
