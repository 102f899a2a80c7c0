// See departures.h.
#include "tests/sim/departures.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

void Departures::Start(int64_t within_us) {
  for (int host = 2; host < world_.size(); ++host) {
    if (random_.Below(4) == 0) continue;
    world_.queue().After(random_.Below(within_us), [this, host] { Leave(host); });
  }
}

// As the server does it: it tells, gives its links up to a second, and hangs up. (What was sent by then arrives, which
// a crash here does not wait for: the least is some round trips.)
void Departures::Leave(int host) {
  if (!world_.answers(host)) return;
  world_.Leave(host);
  ++left_;
  world_.queue().After(300'000 + random_.Below(700'000), [this, host] {
    world_.Crash(host, false);
    world_.at(host).left = true;
    if (random_.Below(3) != 0) return;
    world_.queue().After(random_.Below(3'000'000), [this, host] {
      world_.at(host).left = false;
      world_.Start(host, Finds::kNothing);
    });
  });
}

std::string Departures::Check() const {
  const auto living = world_.living();
  std::set<core::ReplicaId> there;
  for (const int host : living) there.insert(world_.node(host).self());
  for (const int host : living) {
    const core::NodeStatus status = world_.node(host).GetStatus();
    for (const core::Member& member : status.members) {
      if (!member.gone() && !there.contains(member.id)) {
        return absl::StrCat("node-", host, " still waits for ", Describe(member.id), ", which left");
      }
    }
    if (status.remembered != living.size()) {
      return absl::StrCat("node-", host, " remembers ", status.remembered, " members of ", living.size());
    }
    // Those that are there, and names for the others only where the past would stand for them.
    if (world_.node(host).vector().runs().size() > living.size()) {
      return absl::StrCat("node-", host, " still names who left: ", Describe(world_.node(host).vector()));
    }
  }
  return "";
}

}  // namespace leasemap::sim
