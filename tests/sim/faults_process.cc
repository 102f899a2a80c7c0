// Faults of processes and of their clocks.
#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/sim/faults.h"

namespace leasemap::sim {

// Mostly what was there; else nothing, or an old copy put back.
Finds Faults::WhatItFinds() {
  const int64_t pick = random_.Below(6);
  return pick == 0 ? Finds::kNothing : pick == 1 ? Finds::kOlder : Finds::kAll;
}

void Faults::RestartLater(int host, int64_t most_us, bool may_move) {
  Later(1000, most_us, [this, host, may_move] {
    if (stopped_) return;
    if (may_move && random_.Below(6) == 0) world_.Move(host);
    world_.Start(host, WhatItFinds());
  });
}

void Faults::Crashes(bool may_move) {
  Repeat(2'000'000, [this, may_move] {
    const int host = Anyone();
    if (host < 0 || !world_.up(host)) return;
    const bool silently = random_.Below(2) == 0;
    const int64_t most_us = random_.Below(2) == 0 ? 300'000 : 6'000'000;
    if (random_.Below(2) == 0) {
      world_.CrashInStep(host, 1 + static_cast<int>(random_.Below(20)), silently);
      Later(500'000, 500'000 + most_us, [this, host] {
        if (!stopped_) world_.Start(host, WhatItFinds());
      });
      return;
    }
    world_.Crash(host, silently);
    RestartLater(host, most_us, may_move);
  });
}

void Faults::CrashSome(int percent) {
  world_.trace().Note(world_.queue().now_us(), "many crash", static_cast<uint64_t>(percent));
  for (int host = 0; host < world_.size(); ++host) {
    if (Spared(host) || !world_.up(host) || random_.Below(100) >= percent) continue;
    world_.Crash(host, random_.Below(2) == 0);
    RestartLater(host, random_.Below(2) == 0 ? 300'000 : 4'000'000, true);
  }
}

void Faults::MassCrashes() {
  Repeat(5'000'000, [this] { CrashSome(30 + static_cast<int>(random_.Below(66))); });
}

void Faults::RestartsOfAll() {
  Repeat(8'000'000, [this] { CrashSome(100); });
}

// What its neighbours have of it is of the process before, and those that it can't reach go on telling so until they
// miss it.
void Faults::Reboots() {
  Repeat(2'000'000, [this] {
    const int host = Anyone();
    if (host < 0 || !world_.up(host)) return;
    Paths cut;
    for (int other = 0; other < world_.size(); ++other) {
      if (other == host || random_.Below(2) == 0) continue;
      cut.emplace_back(host, other);
      cut.emplace_back(other, host);
    }
    CutFor(cut, pace_ * (100'000 + random_.Below(600'000)));
    world_.Crash(host, true);
    RestartLater(host, 100'000, false);
  });
}

void Faults::Restores() {
  Repeat(2'000'000, [this] {
    const int host = static_cast<int>(random_.Below(world_.size()));
    world_.TryRestore(host);
    if (random_.Below(2) == 0) world_.KeepImage(host);
  });
}

// Somebody is taken for gone for good. If it comes back it is a member again, or is reset first.
void Faults::Forgetting() {
  Repeat(4'000'000, [this] {
    const int host = static_cast<int>(random_.Below(world_.size())), member = Anyone();
    if (member >= 0 && member != host) world_.Forget(host, member);
  });
}

// Its disk is the one of the node that was tampered with, which was honest itself.
void Faults::HostileMember() {
  Repeat(4'000'000, [this] {
    const int host = Anyone();
    if (host < 0 || !world_.answers(host)) return;
    for (int other = 0; other < world_.size(); ++other) {
      if (world_.hostile(other)) return;
    }
    world_.MakeHostile(host);
    const ProcessId process = world_.at(host).process;
    Later(1'000'000, 8'000'000, [this, host, process] {
      if (stopped_ || world_.at(host).process != process || !world_.hostile(host)) return;
      world_.Crash(host, random_.Below(2) == 0);
      RestartLater(host, 3'000'000, true);
    });
  });
}

void Faults::Pauses() {
  Repeat(1'500'000, [this] {
    const int host = Anyone();
    if (host < 0 || !world_.answers(host)) return;
    world_.StandStill(host);
    // 0.1 to 120 s, as often below a second as above ten. Not slowed down with the rest.
    const int64_t us = std::min<int64_t>(120'000'000, (100'000 + random_.Below(100'000)) << random_.Below(11));
    const ProcessId process = world_.at(host).process;
    world_.queue().After(us, [this, host, process] {
      if (world_.at(host).process == process) world_.GoOn(host);
    });
  });
}

void Faults::Clocks() {
  Repeat(1'500'000, [this] {
    const int host = Anyone();
    if (host < 0) return;
    WallClock& clock = world_.at(host).clock;
    const int64_t now_ms = world_.true_ms();
    // Half of the steps stay within the bound; the others are wrong for a while.
    switch (random_.Below(10)) {
      case 3:
        clock.Set((random_.Below(2) == 0 ? 1 : -1) * random_.Below(7'200'000));
        break;
      case 0:
        clock.Set(random_.Below(8000) - 4000);
        break;
      case 1:
        clock.Drift(now_ms, random_.Below(100'000) - 50'000);
        break;
      case 2:
        clock.Freeze(now_ms);
        break;
      default:
        clock.Set(GoodOffset());
        return;
    }
    world_.trace().Note(world_.queue().now_us(), "clock", static_cast<uint64_t>(host),
                        static_cast<uint64_t>(clock.OffsetAt(now_ms)));
    Later(100'000, 4'000'000, [this, host] { world_.at(host).clock.Set(GoodOffset()); });
  });
}

// All; a majority; a side, or one, that is cut off.
std::vector<int> Faults::AnyGroup(int64_t kind) {
  std::vector<int> all;
  for (int host = 0; host < world_.size(); ++host) all.push_back(host);
  for (size_t at = all.size(); at > 1; --at) {
    std::swap(all[at - 1], all[static_cast<size_t>(random_.Below(static_cast<int64_t>(at)))]);
  }
  const size_t most = all.size();
  all.resize(kind == 0 ? most : kind == 1 ? most / 2 + 1 : kind == 2 ? (most + 1) / 2 : 1);
  return all;
}

// Each order of magnitude as often.
int64_t Faults::FarAhead() {
  static constexpr int64_t kSteps[] = {10'000,        60'000,         600'000,       3'600'000,
                                       8 * 3'600'000, 72 * 3'600'000, 5'184'000'000, 63'072'000'000};
  const int64_t step = random_.Below(static_cast<int64_t>(std::size(kSteps)) - 1);
  return kSteps[step] + random_.Below(kSteps[step + 1] - kSteps[step]);
}

void Faults::SetBack(const std::vector<int>& group) {
  const int64_t gap_us = random_.Below(2) == 0 ? 1 : 3'000'000;  // together, or one after another
  int64_t at_us = 1;
  for (const int host : group) {
    world_.queue().After(at_us, [this, host] { world_.at(host).clock.Set(GoodOffset()); });
    at_us += 1 + random_.Below(gap_us);
  }
  world_.queue().After(at_us, [this] { ahead_ = false; });
}

void Faults::ClocksSetBack() {
  world_.ClocksLie();
  Repeat(9'000'000, [this] {
    if (std::exchange(ahead_, true)) return;
    const int64_t kind = random_.Below(4);
    const std::vector<int> group = AnyGroup(kind);
    const int64_t ahead_ms = FarAhead();
    Paths cut;
    for (const int host : group) {
      world_.at(host).clock.Set(ahead_ms + GoodOffset());
      for (int other = 0; other < world_.size(); ++other) {
        if (std::find(group.begin(), group.end(), other) != group.end()) continue;
        cut.emplace_back(host, other);
        cut.emplace_back(other, host);
      }
    }
    world_.trace().Note(world_.queue().now_us(), "ahead", group.size(), static_cast<uint64_t>(ahead_ms));
    // Cut off until before it is set back, or until after.
    if (kind >= 2) CutFor(cut, 3'000'000 + random_.Below(25'000'000));
    Later(2'000'000, 20'000'000, [this, group] {
      if (!stopped_) SetBack(group);
    });
  });
}

void Faults::ClocksGain() {
  world_.ClocksLie();
  Repeat(15'000'000, [this] {
    if (std::exchange(ahead_, true)) return;
    const std::vector<int> group = AnyGroup(random_.Below(2));
    const int64_t ppm = 50'000 + random_.Below(350'000);  // below the bound from one heartbeat to the next
    for (const int host : group) world_.at(host).clock.Drift(world_.true_ms(), ppm);
    Later(3'000'000, 20'000'000, [this, group] {
      if (!stopped_) SetBack(group);
    });
  });
}

void Faults::RollingRestart() {
  for (int host = 0; host < world_.size(); ++host) {
    const int64_t at_us = 3'000'000 + 4'000'000 * host / world_.size();
    world_.queue().After(at_us, [this, host] { world_.Crash(host, false); });
    world_.queue().After(at_us + random_.Below(400'000), [this, host] { world_.Start(host); });
  }
}

void Faults::RestartAll(int64_t after_us) {
  for (int host = 0; host < world_.size(); ++host) {
    world_.queue().After(after_us + random_.Below(1'000'000), [this, host] { world_.Crash(host, host % 2 == 0); });
    world_.queue().After(after_us + 500'000 + random_.Below(1'500'000), [this, host] { world_.Start(host); });
  }
}

}  // namespace leasemap::sim
