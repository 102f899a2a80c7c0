// Once all agree: a lease that runs out goes to whoever asks next, on any node, within the clock bound of its end and
// not before, and all nodes have it soon.
#pragma once

#include <cstdint>

#include "tests/sim/world.h"

namespace leasemap::sim {

// Waits for the end of a lease, if one ends within so long and leasing is on, and has another holder take it over on
// one of the living nodes. What is wrong fails the run. True if there was such a lease, and all was well.
bool CheckTakeover(World& world, int64_t most_ms);

}  // namespace leasemap::sim
