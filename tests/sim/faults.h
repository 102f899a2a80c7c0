// The menu of faults: each goes on at random times until Stop, and Heal ends what is left of them.
#pragma once

#include <cstdint>
#include <functional>

#include "tests/sim/world.h"

namespace leasemap::sim {

class Faults {
 public:
  explicit Faults(World& world) : world_(world), random_(world.random().Next()) {}

  void Crashes();
  void Partitions();
  void OneWayCuts();
  void EndedLinks();
  void Clocks();
  void RollingRestart();
  void RestartAll(int64_t after_us);

  // Whole paths, right clocks, and most of the dead alive again, some of them not.
  void Heal(bool may_stay_dead);
  // A clock offset such that any two differ by less than the bound.
  int64_t GoodOffset() { return random_.Below(world_.rules().clock_bound_ms - 60) - world_.rules().clock_bound_ms / 2; }

 private:
  void Repeat(int64_t mean_us, std::function<void()> fault);
  int Anyone() { return static_cast<int>(random_.Below(world_.size())); }

  World& world_;
  core::Random random_;
  bool stopped_ = false;
};

}  // namespace leasemap::sim
