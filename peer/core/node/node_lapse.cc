// Ephemeral keys: each node lets them lapse by its own clock, and says by a horizon how far it has told so.
//
// The store's horizon is a point of UTC up to which every lapse has been told here, as an EXPIRED event. It moves on
// with the clock, and stands still while that is not to be trusted, so that a clock that jumped lets nothing lapse.
// When the clock was set back by more than the bound, the horizon goes back with it: what lapsed too early, and was
// neither replaced nor collected, lives again until its expire_ms, as on all other nodes. Watches here that may have
// been told of its end are ended (CURSOR_EXPIRED), so that no stream shows a key twice. A cursor carries it beside the
// version vector, as one more thing that a node has to have seen before a watch resumes there: then "covered and
// expired up to the cursor's time" means "told already", and any other lapse is news.
#include <algorithm>
#include <vector>

#include "peer/core/node/node.h"

namespace leasemap::core {

namespace {

// What has no value any more can't live again when the clock goes back, and would live on elsewhere. So its lease is to
// be given up: by a write like others, which spreads, and which watches on all nodes hear of.
std::vector<EntryPtr> TakeGoneAhead(Replica& replica, int64_t until_ms) {
  std::vector<EntryPtr> gone;
  if (!replica.store().gone_ahead()) return gone;
  const auto& dead = replica.store().dead();
  auto it = dead.lower_bound({until_ms, ""});
  for (size_t looks = 0; it != dead.end() && looks < kGoneLooks && gone.size() < kLapseBatch; ++it, ++looks) {
    if (const EntryPtr& entry = *replica.store().Find(it->key); entry->value_gone) gone.push_back(entry);
  }
  if (it == dead.end()) replica.ForgetGoneAhead();
  return gone;
}

}  // namespace

void Node::Lapse(Now now) {
  if (!clock_guard_.trusted()) return;
  size_t changed = replica_.FollowClock(now, options_.rules, options_.timing.keep_lapsed);
  changed += retirement_.FollowClock(now);
  // The rest lapses on all nodes within the bound on their clocks.
  for (const EntryPtr& entry : TakeGoneAhead(replica_, now.wall_ms + options_.rules.clock_bound_ms + 1)) {
    auto end = std::make_shared<Entry>(*entry);
    end->lease.released = true;
    end->lease.expire_ms = now.wall_ms;
    end->value_dot = ValueDot(*entry);
    end->value_stamp = ValueStamp(*entry);
    end->stamp = replica_.NextStamp(now.wall_ms, entry->stamp);
    if (!IsBogus(replica_.ReachAt(now.wall_ms), *end)) ApplyOwn(now, std::move(end));
  }
  if (changed > 0) Changed();  // the map's hash is another one, too
}

}  // namespace leasemap::core
