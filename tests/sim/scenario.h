// One simulated run: a cluster, its clients, the faults of a scenario, then peace, in which everything has to agree.
#pragma once

#include <cstdint>
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
  uint64_t events = 0, writes = 0, refused = 0, acked = 0, races = 0, won = 0, watched = 0, moves = 0, expired = 0,
           passes = 0;
  uint64_t cut_offs = 0;   // of a hostile member
  uint64_t yields = 0;     // maps that were given up for another ceiling, and taken
  uint64_t takeovers = 0;  // 1 if a lease's end was waited for after the peace
  int64_t maps_ms = 0;     // from the end of the faults to equal maps
  int64_t settled_ms = 0;  // … and to watchers that have them
  int64_t virtual_ms = 0;  // how much of the cluster's time was played
  std::vector<std::string> lines;
};

// calm: nothing happens. faults: a random half of the menu (faults.h), then a core of it well and the rest not.
// partition: two sides, again and again. line, ring, star: only neighbours can link. restart_all: one after another,
// then all at once. join_storm: most nodes start at once where a few hold the map. cold_start: all start at once, with
// seeds that are dead, unknown, slow, one name for all or only oneself; later some begin again, over links that break.
// hours: the faults menu over hours of leases, with heartbeats twenty times and more slower than the real ones.
// reboots: hours, too, of a mesh with slow and missing links, in which machines lose their power and are back before
// all of their neighbours noticed. clocks: of all, some or one of the nodes they are ahead, by seconds to years, and
// are set right.
const std::vector<std::string>& Scenarios();
RunResult Run(const RunOptions& options);
// The command that replays a run.
std::string ReplayCommand(const RunOptions& options);

}  // namespace leasemap::sim
