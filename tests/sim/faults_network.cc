// Faults of the network.
#include "tests/sim/faults.h"

namespace leasemap::sim {

// The paths between two nodes of the core stay whole.
void Faults::CutFor(const Paths& paths, int64_t us) {
  Paths cut;
  for (const auto& [from, to] : paths) {
    if (Spared(from) && Spared(to)) continue;
    cut.emplace_back(world_.at(from).place, world_.at(to).place);
    world_.network().reach().Cut(cut.back().first, cut.back().second);
  }
  world_.queue().After(us, [this, cut = std::move(cut)] {
    for (const auto& [from, to] : cut) world_.network().reach().Mend(from, to);
    world_.network().Flow();
  });
}

// Which paths a partition cuts, as pairs of hosts.
Faults::Paths Faults::ShapeOf(int64_t shape) {
  const int size = world_.size();
  std::vector<bool> side;
  for (int host = 0; host < size; ++host) side.push_back(random_.Below(2) == 0);
  const int one = static_cast<int>(random_.Below(size));
  Paths cut;
  for (int a = 0; a < size; ++a) {
    for (int b = 0; b < size; ++b) {
      if (a == b) continue;
      const int apart = (b - a + size) % size;
      const bool cuts = shape == 0   ? side[a] != side[b]                          // two sides
                        : shape == 1 ? a == one || b == one                        // one alone
                        : shape == 2 ? apart != 1 && apart != size - 1             // a ring
                        : shape == 3 ? side[a] != side[b] && a != one && b != one  // two sides and a bridge
                                     : side[a] && !side[b];                        // one way only
      if (cuts) cut.emplace_back(a, b);
    }
  }
  return cut;
}

void Faults::Partitions() {
  Repeat(3'000'000, [this] {
    const int64_t shape = random_.Below(5);
    const int64_t us = pace_ * (300'000 + random_.Below(6'000'000));
    CutFor(ShapeOf(shape), us);
    world_.trace().Note(world_.queue().now_us(), "partition", static_cast<uint64_t>(shape), static_cast<uint64_t>(us));
  });
}

void Faults::OneWayCuts() {
  Repeat(800'000, [this] {
    const int from = static_cast<int>(random_.Below(world_.size())),
              to = static_cast<int>(random_.Below(world_.size()));
    if (from == to) return;
    CutFor({{from, to}}, pace_ * (100'000 + random_.Below(6'000'000)));
    world_.trace().Note(world_.queue().now_us(), "cut", static_cast<uint64_t>(from), static_cast<uint64_t>(to));
  });
}

// A path that comes and goes, many times, faster than silence is noticed.
void Faults::FlappingPaths() {
  Repeat(4'000'000, [this] {
    const int a = static_cast<int>(random_.Below(world_.size())), b = static_cast<int>(random_.Below(world_.size()));
    if (a == b) return;
    world_.trace().Note(world_.queue().now_us(), "flapping", static_cast<uint64_t>(a), static_cast<uint64_t>(b));
    int64_t at_us = 0;
    for (int times = 0; times < 10; ++times) {
      at_us += 50'000 + random_.Below(1'500'000);
      const int64_t us = 20'000 + random_.Below(1'000'000);
      world_.queue().After(at_us, [this, a, b, us] {
        if (!stopped_) CutFor({{a, b}, {b, a}}, us);
      });
    }
  });
}

void Faults::EndedLinks() {
  Repeat(700'000, [this] {
    world_.trace().Note(world_.queue().now_us(), "links end");
    world_.network().ResetLinks(random_.Below(4) == 0 ? 60 : 10);
  });
}

void Faults::LongDelays() { world_.network().SetTail(1 + static_cast<int>(random_.Below(100))); }

}  // namespace leasemap::sim
