#include "tests/sim/takeover.h"

#include <algorithm>
#include <string>
#include <vector>

#include "peer/core/data/error.h"
#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

// Made under a clock that was ahead: there it ends sooner, on each node when its duration has passed there. A lease at
// the edge of that rule may be one on some nodes only.
bool EndsSooner(World& world, const std::vector<int>& living, const core::Entry& entry) {
  return std::any_of(living.begin(), living.end(), [&](int host) {
    const core::Node& node = world.node(host);
    const core::Now now = world.NowAt(host);
    const auto slot = node.store().by_key().find(entry.key);
    if (slot == node.store().by_key().end()) return false;
    const core::Entry& held = *slot->second.entry;
    const int64_t age_ms = now.mono - slot->second.changed;
    return core::LeaseEnd(node.options().rules, held, now.wall_ms, age_ms) != held.lease.expire_ms;
  });
}

// The live lease that ends first, but not before `from_ms` nor after `to_ms`.
core::EntryPtr NextToEnd(World& world, const std::vector<int>& living, int64_t from_ms, int64_t to_ms) {
  core::EntryPtr found;
  const core::Node& node = world.node(living.front());
  for (const auto& [key, slot] : node.store().by_key()) {
    const core::Lease& lease = slot.entry->lease;
    if (lease.released || lease.duration_ms == 0 || slot.entry->tombstone || core::Store::IsDead(slot)) continue;
    if (lease.expire_ms < from_ms || lease.expire_ms > to_ms) continue;
    if (EndsSooner(world, living, *slot.entry)) continue;
    if (!found || lease.expire_ms < found->lease.expire_ms) found = slot.entry;
  }
  return found;
}

std::string Take(World& world, int host, const core::EntryPtr& held, core::EntryPtr* taken) {
  core::WriteCommand command;
  command.key = held->key;
  command.value = "successor";
  command.holder = "successor";
  const auto written = world.Write(host, command);
  if (!written.ok()) return core::ReasonOf(written.status());
  *taken = *written;
  return "";
}

void RunUntilTrue(World& world, int64_t true_ms) {
  world.RunUntil(world.queue().now_us() + (true_ms - world.true_ms()) * 1000);
}

}  // namespace

bool CheckTakeover(World& world, int64_t most_ms) {
  if (!world.rules().leasing) return false;
  // Whoever has the name of one that was cut off may be refused for a while yet.
  auto living = world.living();
  std::erase_if(living, [&](int host) { return world.at(host).ever_hostile && world.node(host).links().up() == 0; });
  if (living.empty()) return false;
  const auto any = [&] {
    return living[static_cast<size_t>(world.random().Below(static_cast<int64_t>(living.size())))];
  };
  // The bound, and by how much the clock of a well host may be off (Faults::GoodOffset: half the bound).
  const int64_t margin_ms = world.rules().clock_bound_ms * 3 / 2;
  const core::EntryPtr held = NextToEnd(world, living, world.true_ms() + margin_ms + 10, world.true_ms() + most_ms);
  if (!held) return false;
  const std::string what = "takeover: of " + Describe(*held) + " at node-";
  const auto fail = [&](int host, const std::string& why) {
    world.Fail(what + std::to_string(host) + ": " + why);
    return false;
  };

  // A client's retry renewed it meanwhile.
  const auto renewed = [&](int on) {
    const core::EntryPtr* now = world.node(on).store().Find(held->key);
    return now == nullptr || (*now)->dot != held->dot;
  };

  core::EntryPtr taken;
  RunUntilTrue(world, held->lease.expire_ms - margin_ms - 1);
  if (world.failed()) return false;
  int host = any();
  if (renewed(host)) return false;
  if (const auto refused = Take(world, host, held, &taken); refused != "LEASE_HELD") {
    return fail(host, "before its end it was answered '" + refused + "' instead of LEASE_HELD");
  }
  RunUntilTrue(world, held->lease.expire_ms + margin_ms + 1);
  if (world.failed()) return false;
  host = any();
  if (renewed(host)) return false;
  if (const auto refused = Take(world, host, held, &taken); !refused.empty()) {
    return fail(host, "after its end it was refused: " + refused);
  }
  // Where a link is missing yet, a session brings it: once it has been lacked for long enough.
  RunUntilTrue(world, world.true_ms() + 3 * world.timing().lack + 1000);
  if (world.failed()) return false;
  for (const int other : living) {
    const core::EntryPtr* there = world.node(other).store().Find(held->key);
    if (there == nullptr || (*there)->dot != taken->dot) return fail(other, "the successor's write is not there");
  }
  return true;
}

}  // namespace leasemap::sim
