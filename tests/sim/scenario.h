// One simulated run: a cluster, its clients, the faults of a scenario, then peace, in which everything has to agree.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace leasemap::sim {

struct RunOptions {
  uint64_t seed = 1;
  int nodes = 5;
  std::string scenario = "faults";
  bool keep_lines = false;  // for a replay: the tail of what happened
};

struct RunResult {
  std::string failure;  // empty: all was well
  uint64_t hash = 0;    // of the trace
  uint64_t events = 0, writes = 0, refused = 0, watched = 0, moves = 0, expired = 0;
  int64_t settled_ms = 0;  // from the end of the faults to agreement
  std::vector<std::string> lines;
};

// calm: nothing happens. faults: a random half of the menu (crashes, power loss, partitions, one-way cuts, ended links,
// clocks). partition: two sides, again and again. line: only neighbours can link. restart_all: one after another, then
// all at once. join_storm: most nodes start at once where a few hold the map.
const std::vector<std::string>& Scenarios();
RunResult Run(const RunOptions& options);
// The command that replays a run.
std::string ReplayCommand(const RunOptions& options);

}  // namespace leasemap::sim
