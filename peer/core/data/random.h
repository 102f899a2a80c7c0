// A small seeded generator: the core has no randomness of its own, so that a seed replays.
#pragma once

#include <cstdint>

namespace leasemap::core {

// SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014, figure 17.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  int64_t Below(int64_t bound) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(bound)); }

 private:
  uint64_t state_;
};

}  // namespace leasemap::core
