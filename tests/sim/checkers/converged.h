// At quiescence: all maps, vectors and bucket hashes are equal, and the winner of each key is the highest rank of all
// writes that survived (that some living node covers). What is dead may have been collected by some and not by others.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/checkers/coverage.h"
#include "tests/sim/checkers/write_log.h"

namespace leasemap::sim {

// These replicas are alike.
std::string CheckAlike(const std::vector<Replica>& replicas);
// … and hold the winners.
std::string CheckConverged(const std::vector<Replica>& replicas, const WriteLog& log);

}  // namespace leasemap::sim
