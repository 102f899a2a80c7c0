// The users who race: now and then several holders set the same new key on several nodes at once, and each waits for
// all nodes' acks. While no node died or was forgotten, at most one of them may be told that it succeeded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace leasemap::sim {

class Racers {
 public:
  // There is a race every so often.
  Racers(World& world, int64_t every_us) : world_(world), random_(world.random().Next()), every_us_(every_us) {}

  void Start();
  void Stop() { stopped_ = true; }
  uint64_t races() const { return races_; }
  uint64_t won() const { return won_; }

 private:
  void Race();
  void Enter(size_t race, int host, int64_t after_us);
  // All nodes are up and remember one another.
  bool AllMet() const;
  bool RemembersAll(int host) const;

  World& world_;
  core::Random random_;
  const int64_t every_us_;
  bool stopped_ = false;
  uint64_t races_ = 0, won_ = 0;
  std::vector<std::string> winners_;  // by race; empty: none yet
};

}  // namespace leasemap::sim
