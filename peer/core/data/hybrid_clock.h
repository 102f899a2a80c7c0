// The hybrid logical clock: stamps follow the wall clock and still never fall behind one that was seen.
// Kulkarni et al., "Logical Physical Clocks", 2014, figure 5; 48 bits of milliseconds and 16 of counter in one number.
#pragma once

#include <algorithm>
#include <cstdint>

namespace leasemap::core {

using Stamp = uint64_t;

inline constexpr int64_t StampMs(Stamp stamp) { return static_cast<int64_t>(stamp >> 16); }
inline constexpr Stamp StampAt(int64_t wall_ms) { return wall_ms <= 0 ? 0 : static_cast<Stamp>(wall_ms) << 16; }

class HybridClock {
 public:
  // The stamp that a write at wall_ms would get: above every stamp made or seen, and above `above`.
  Stamp Peek(int64_t wall_ms, Stamp above) const { return std::max(StampAt(wall_ms), std::max(last_, above) + 1); }
  // Notes a stamp that was made or came from a peer.
  void See(Stamp stamp) { last_ = std::max(last_, stamp); }
  Stamp last() const { return last_; }

 private:
  Stamp last_ = 0;
};

}  // namespace leasemap::core
