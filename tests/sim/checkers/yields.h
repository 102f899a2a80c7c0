// Who gives its map up for another ceiling (peer/core/node/node_ceiling.cc) loses nothing that its readers saw, and its
// reads never stop: once a node is ready it stays so, unless it is below a floor, which has nothing to do with clocks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "peer/core/node/node.h"

namespace leasemap::sim {

class YieldChecker {
 public:
  // Before and after each step of the process.
  void Before(const core::Node& node);
  std::string After(uint64_t process, const core::Node& node);
  // The highest that any clock of the run has shown so far: no ceiling is fixed for more.
  void Saw(int64_t wall_ms) { highest_ms_ = std::max(highest_ms_, wall_ms); }
  int64_t highest_ms() const { return highest_ms_; }
  uint64_t yields() const { return yields_; }

 private:
  struct Life {
    bool ready = false;
    uint64_t resets = 0;
    uint64_t for_floors = 0;  // resets that were not for a ceiling
  };
  std::string Lost(const core::Node& node) const;

  std::map<uint64_t, Life> lives_;  // by process
  std::vector<core::EntryPtr> shown_;
  bool yielding_ = false;
  int64_t highest_ms_ = 0;
  uint64_t yields_ = 0;
};

}  // namespace leasemap::sim
