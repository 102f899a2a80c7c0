// Of one lease the newest value stands, and what its holder was answered comes true, through whichever nodes it wrote.
#pragma once

#include <string>
#include <vector>

#include "peer/core/node/node.h"
#include "tests/sim/checkers/write_log.h"

namespace leasemap::sim {

// `after` took the place of `before` on one node: within a lease and an epoch the value never gets older.
std::string CheckNotOlder(const core::Entry& before, const core::Entry& after);

// A renewal or release, which took the place of `previous`, keeps its value.
std::string CheckKeeps(const core::Entry& written, const core::Entry* previous);

// At rest: for each write of a process that still lives and that lost to another of its lease, what it did is there:
// its release, if it was asked for after the value was set; its value, if that is newer.
std::string CheckCameTrue(const core::Node& node, const WriteLog& log);

}  // namespace leasemap::sim
