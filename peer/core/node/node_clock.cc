// What the node makes of its clock: when it asks the others, and when it refuses writes.
#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/node_ceiling.h"

namespace leasemap::core {

// At the start of whatever reads the wall clock.
void Node::LookAtClock(Now now) {
  replica_.NoteTime(now.mono);
  const ClockGuard::State before = clock_guard_.state();
  if (clock_guard_.Look(now, membership_.remembered())) {
    links_.ClockJumped(now.mono);
    effects_.changed = true;
  }
  Ceilings(*this, now).Fix();
  if (clock_guard_.state() == before) return;
  const std::string text = clock_guard_.Describe();
  if (!clock_guard_.trusted()) {
    Log(true, absl::StrCat("writes are refused: ", text, "; check NTP"));
  } else if (!text.empty()) {
    Log(true, text);
  } else {
    Log(false, "other members agree with this node's clock");
  }
  Changed();
}

// Measures the member's clock over a round trip that began at sent. False if it differs by more than the bound.
bool Node::ClockFits(Now now, Link& link, int64_t peer_wall_ms, MonoTime sent) {
  const int64_t rtt = std::max<int64_t>(0, now.mono - sent);
  const int64_t offset = peer_wall_ms - (now.wall_ms - rtt / 2);
  const std::string& node = link.node();
  membership_.Measured(node, offset);
  const bool fits = std::abs(offset) - rtt / 2 <= options_.rules.clock_bound_ms;
  // Over a slow link anything fits: that is no reason to trust a clock.
  const bool counts = !fits || rtt / 2 <= options_.rules.clock_bound_ms;
  link.SetClockAgrees(fits && counts);
  if (counts) NoteClock(now, node, fits);
  return fits;
}

// Another member's word on our clock. A refusal for the clock's sake, theirs or ours, is one too.
void Node::NoteClock(Now now, const std::string& node, bool agrees) {
  if (!membership_.members().contains(node)) return;
  clock_guard_.Answer(now, node, agrees);
  LookAtClock(now);
}

}  // namespace leasemap::core
