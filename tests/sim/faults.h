// The menu of faults: each goes on at random times until it is told to stop.
//
// At first a fault may hit anyone. Then a core is named: its nodes run, their clocks are right and the paths between
// them whole, and the faults go on among the rest and between the rest and the core. In the end everything is healed.
// How often faults come and how long they last is multiplied by a pace, since some runs play seconds and others hours.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/world.h"

namespace leasemap::sim {

class Faults {
 public:
  struct Item {
    const char* name;
    void (Faults::*start)();
  };
  Faults(World& world, int64_t pace) : world_(world), random_(world.random().Next()), pace_(pace) {}

  // All faults that may be mixed with each other.
  static const std::vector<Item>& Menu();
  // Each on a coin's throw, but never none.
  void RandomHalf();

  // --- processes (faults_process.cc)
  void Crashes() { Crashes(true); }
  void Crashes(bool may_move);
  void MassCrashes();  // 30 to 95 % at once
  void RestartsOfAll();
  void Pauses();
  void Reboots();   // without power for a moment, back before it is missed, and out of some neighbours' reach at first
  void Restores();  // a copy, to compare
  void Forgetting();
  void HostileMember();  // one at a time is an adversary's, then an honest process takes its name
  void Clocks();
  void ClocksSetBack();  // all, a majority, one side or one ahead by 10 s to 2 years, and then right again
  void ClocksGain();     // all too fast for a while, and then right again
  void RollingRestart();
  void RestartAll(int64_t after_us);

  // --- the network (faults_network.cc)
  void Partitions();  // two sides, one alone, a ring, two sides and a bridge, one way only
  void OneWayCuts();
  void FlappingPaths();
  void EndedLinks();
  void LongDelays();

  // From now on these nodes and the paths between them are well.
  void Spare(const std::vector<int>& core);
  // Whole paths, right clocks, and most of the dead alive again, some of them not.
  void Heal(bool may_stay_dead);
  // A clock offset such that any two differ by less than the bound.
  int64_t GoodOffset() { return random_.Below(world_.rules().clock_bound_ms - 60) - world_.rules().clock_bound_ms / 2; }

 private:
  using Paths = std::vector<std::pair<int, int>>;  // from, to: places

  void Repeat(int64_t mean_us, std::function<void()> fault);
  void Later(int64_t least_us, int64_t most_us, std::function<void()> what);
  // Someone whom a fault may hit; −1: nobody.
  int Anyone();
  bool Spared(int host) const { return !core_.empty() && core_[host]; }
  void CutFor(const Paths& paths, int64_t us);
  Paths ShapeOf(int64_t shape);
  void CrashSome(int percent);
  Finds WhatItFinds();
  void RestartLater(int host, int64_t most_us, bool may_move);
  void Repair(int host);
  std::vector<int> AnyGroup(int64_t kind);
  int64_t FarAhead();
  void SetBack(const std::vector<int>& group);

  World& world_;
  core::Random random_;
  const int64_t pace_;
  bool stopped_ = false;
  bool ahead_ = false;      // some clocks are, by ClocksSetBack or ClocksGain
  std::vector<bool> core_;  // by host; empty: no core yet
};

}  // namespace leasemap::sim
