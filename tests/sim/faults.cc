// See faults.h.
#include "tests/sim/faults.h"

#include <vector>

namespace leasemap::sim {

void Faults::Repeat(int64_t mean_us, std::function<void()> fault) {
  world_.queue().After(mean_us / 2 + random_.Below(mean_us), [this, mean_us, fault] {
    if (stopped_) return;
    fault();
    Repeat(mean_us, fault);
  });
}

void Faults::Crashes() {
  Repeat(2'000'000, [this] {
    const int host = Anyone();
    if (!world_.up(host)) return;
    world_.Crash(host, random_.Below(2) == 0);
    world_.queue().After(1000 + random_.Below(random_.Below(2) == 0 ? 300'000 : 6'000'000), [this, host] {
      if (!stopped_) world_.Start(host);
    });
  });
}

void Faults::Partitions() {
  Repeat(3'000'000, [this] {
    std::vector<bool> side;
    for (int i = 0; i < world_.size(); ++i) side.push_back(random_.Below(2) == 0);
    const int64_t end_us = 300'000 + random_.Below(6'000'000);
    for (int a = 0; a < world_.size(); ++a) {
      for (int b = 0; b < world_.size(); ++b) {
        if (side[a] == side[b]) continue;
        world_.network().Cut(a, b);
        world_.queue().After(end_us, [this, a, b] { world_.network().Mend(a, b); });
      }
    }
    world_.trace().Note(world_.queue().now_us(), "partition", static_cast<uint64_t>(end_us));
  });
}

void Faults::OneWayCuts() {
  Repeat(800'000, [this] {
    const int from = Anyone(), to = Anyone();
    if (from == to) return;
    world_.network().Cut(from, to);
    world_.trace().Note(world_.queue().now_us(), "cut", static_cast<uint64_t>(from), static_cast<uint64_t>(to));
    world_.queue().After(100'000 + random_.Below(6'000'000), [this, from, to] { world_.network().Mend(from, to); });
  });
}

void Faults::EndedLinks() {
  Repeat(700'000, [this] {
    world_.trace().Note(world_.queue().now_us(), "links end");
    world_.network().ResetLinks(random_.Below(4) == 0 ? 60 : 10);
  });
}

void Faults::Clocks() {
  Repeat(1'500'000, [this] {
    const int host = Anyone();
    // Mostly within the bound; one in four steps is a wrong clock for some seconds.
    const bool wrong = random_.Below(4) == 0;
    world_.at(host).offset_ms = wrong ? random_.Below(8000) - 4000 : GoodOffset();
    world_.trace().Note(world_.queue().now_us(), "clock", static_cast<uint64_t>(host),
                        static_cast<uint64_t>(world_.at(host).offset_ms));
    if (!wrong) return;
    world_.queue().After(random_.Below(4'000'000), [this, host] { world_.at(host).offset_ms = GoodOffset(); });
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

void Faults::Heal(bool may_stay_dead) {
  stopped_ = true;
  world_.network().MendAll();
  for (int host = 0; host < world_.size(); ++host) {
    world_.at(host).offset_ms = GoodOffset();
    const bool stays_dead = may_stay_dead && random_.Below(4) == 0 && !world_.living().empty();
    if (!world_.up(host) && !stays_dead) world_.Start(host);
  }
  world_.trace().Note(world_.queue().now_us(), "peace");
}

}  // namespace leasemap::sim
