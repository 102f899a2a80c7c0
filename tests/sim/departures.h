// Nodes that leave by their own word, while links are slow or end: in whatever order the others hear of it, in the end
// nobody waits for who left, and nothing of its names is left in vectors.
#pragma once

#include <string>

#include "tests/sim/world.h"

namespace leasemap::sim {

class Departures {
 public:
  explicit Departures(World& world) : world_(world), random_(world.random().Next()) {}
  // Some of the nodes leave within so long; the first two never do. Some come back, empty, as a new process.
  void Start(int64_t within_us);
  // Once the living agree, after a while: what is wrong, or nothing.
  std::string Check() const;
  uint64_t left() const { return left_; }

 private:
  void Leave(int host);

  World& world_;
  core::Random random_;
  uint64_t left_ = 0;
};

}  // namespace leasemap::sim
