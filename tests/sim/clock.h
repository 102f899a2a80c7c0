// The wall clock of one host: off by so much, too fast or too slow, or standing still.
#pragma once

#include <cstdint>

namespace leasemap::sim {

class WallClock {
 public:
  // UTC milliseconds, where the right time is `true_ms`.
  int64_t At(int64_t true_ms) const {
    return frozen_ ? frozen_ms_ : true_ms + offset_ms_ + (true_ms - since_ms_) * drift_ppm_ / 1'000'000;
  }
  // Right but for this offset, from now on.
  void Set(int64_t offset_ms) { offset_ms_ = offset_ms, drift_ppm_ = 0, frozen_ = false; }
  // So many millionths too fast (below 0: too slow), from where it is.
  void Drift(int64_t true_ms, int64_t ppm) {
    offset_ms_ = At(true_ms) - true_ms;
    since_ms_ = true_ms;
    drift_ppm_ = ppm;
    frozen_ = false;
  }
  void Freeze(int64_t true_ms) {
    frozen_ms_ = At(true_ms);
    frozen_ = true;
  }
  int64_t OffsetAt(int64_t true_ms) const { return At(true_ms) - true_ms; }

 private:
  int64_t offset_ms_ = 0;
  int64_t drift_ppm_ = 0;
  int64_t since_ms_ = 0;
  int64_t frozen_ms_ = 0;
  bool frozen_ = false;
};

}  // namespace leasemap::sim
