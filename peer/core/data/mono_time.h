// A point of time by a clock that never jumps: what time-outs, patience and ages are counted by. It is a type of its
// own, so that a wall time (a plain count of milliseconds, as on the wire) cannot be passed for it, nor it for a wall
// time.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace leasemap::core {

class MonoTime {
 public:
  constexpr MonoTime() = default;  // the clock's zero: before whatever the node does
  constexpr explicit MonoTime(int64_t ms) : ms_(ms) {}
  // After every other time: what is due then is never due.
  static constexpr MonoTime Never() { return MonoTime(std::numeric_limits<int64_t>::max()); }

  // Milliseconds since the clock's zero.
  constexpr int64_t ms() const { return ms_; }

  // Durations are plain milliseconds. The sum of Never() and a duration is not to be made.
  constexpr MonoTime operator+(int64_t ms) const { return MonoTime(ms_ + ms); }
  constexpr MonoTime operator-(int64_t ms) const { return MonoTime(ms_ - ms); }
  constexpr MonoTime& operator+=(int64_t ms) { return *this = *this + ms; }
  constexpr int64_t operator-(MonoTime other) const { return ms_ - other.ms_; }
  constexpr auto operator<=>(const MonoTime&) const = default;

 private:
  int64_t ms_ = 0;
};

}  // namespace leasemap::core
