// At quiescence: all maps, vectors and bucket hashes are equal, and the winner of each key is the highest rank of all
// writes that survived (that some living node covers).
#pragma once

#include <string>
#include <vector>

#include "peer/core/store.h"
#include "peer/core/version_vector.h"
#include "tests/sim/checkers/write_log.h"

namespace leasemap::sim {

struct Replica {
  std::string name;
  const core::Store* store;
  const core::VersionVector* vector;
  const core::VersionVector* floor = nullptr;
};

// These replicas are alike.
std::string CheckAlike(const std::vector<Replica>& replicas);
// … and hold the winners.
std::string CheckConverged(const std::vector<Replica>& replicas, const WriteLog& log);

}  // namespace leasemap::sim
