// See racers.h.
#include "tests/sim/racers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace leasemap::sim {

void Racers::Start() {
  world_.queue().After(every_us_ / 2 + random_.Below(every_us_), [this] {
    if (stopped_) return;
    Race();
    Start();
  });
}

bool Racers::AllMet() const {
  for (int host = 0; host < world_.size(); ++host) {
    if (!world_.up(host)) return false;
    if (!RemembersAll(host)) return false;
  }
  return true;
}

// And reports of a member that claims what it has not count as acks, until its successor is met.
bool Racers::RemembersAll(int host) const {
  const core::NodeStatus status = world_.node(host).GetStatus();
  const bool lied_to = std::any_of(status.members.begin(), status.members.end(), [&](const core::Member& member) {
    return world_.checks().collection().IsLiar(member.id);
  });
  return !lied_to && static_cast<int>(status.remembered) >= world_.size();
}

void Racers::Race() {
  // Under clocks that were ahead the first winner's lease may have lapsed, rightly as far as anybody knows.
  if (!AllMet() || !world_.rules().leasing || world_.clocks_lie()) return;
  ++races_;
  winners_.emplace_back();
  const int entrants = 2 + static_cast<int>(random_.Below(3));
  for (int n = 0; n < entrants; ++n) {
    // One after the other: compilers evaluate arguments in either order.
    const int host = static_cast<int>(random_.Below(world_.size()));
    const int64_t most_us = random_.Below(2) == 0 ? 5'000 : 200'000;
    Enter(winners_.size() - 1, host, random_.Below(most_us));
  }
}

void Racers::Enter(size_t race, int host, int64_t after_us) {
  world_.queue().After(after_us, [this, race, host, deaths = world_.deaths()] {
    if (!world_.ready(host)) return;
    core::WriteCommand command;
    command.key = absl::StrCat("race/", race);
    command.value = absl::StrCat("node-", host);
    command.holder = absl::StrCat("racer-", host);
    command.duration_ms = 600'000;
    command.ack.level = core::Ack::Level::kAll;
    (void)world_.Write(host, command, [this, race, host, deaths](const absl::Status& status, const core::EntryPtr&) {
      if (!status.ok() || deaths != world_.deaths() || !RemembersAll(host)) return;
      ++won_;
      std::string& winner = winners_[race];
      const std::string name = absl::StrCat("racer-", host);
      if (!winner.empty() && winner != name)
        world_.Fail(absl::StrCat("acks: ", winner, " and ", name, " both won race ", race));
      winner = name;
    });
  });
}

}  // namespace leasemap::sim
