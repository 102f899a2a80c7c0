// The users who write: they set, delete, renew and release a few keys under several holders, on whatever node answers.
#pragma once

#include <cstdint>

#include "tests/sim/world.h"

namespace leasemap::sim {

class Writers {
 public:
  Writers(World& world, int writers, int keys, int64_t pause_us)
      : world_(world), random_(world.random().Next()), writers_(writers), keys_(keys), pause_us_(pause_us) {}

  // So many keys more are set early on: a map that no watch and no session tells in one message.
  void Fill(int keys) { fill_ = keys; }
  void Start();
  void Stop() { stopped_ = true; }

 private:
  void WriteSome(int writer);
  void FillSome();
  core::WriteCommand RandomCommand(int host, int writer);
  void Retry(const core::WriteCommand& command, const core::EntryPtr& first);

  World& world_;
  core::Random random_;
  const int writers_, keys_;
  const int64_t pause_us_;
  int fill_ = 0;
  bool stopped_ = false;
  uint64_t next_value_ = 0, next_request_ = 0;
};

}  // namespace leasemap::sim
