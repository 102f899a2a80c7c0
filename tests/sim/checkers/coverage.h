// For each dot that a node covers it holds that entry, or one of a higher rank of the same key; or the key is dead and
// was collected (it is below the node's floor). What is covered stays covered, whether its run is still named or folded
// into a mark, and was really written. Look reads what came since the last look; Whole reads everything.
#pragma once

#include <map>
#include <string>

#include "peer/core/data/version_vector.h"
#include "peer/core/sync/store.h"
#include "tests/sim/checkers/write_log.h"

namespace leasemap::sim {

// What a node says of itself.
struct Replica {
  std::string name;
  const core::Store* store;
  const core::VersionVector* vector;
  const core::VersionVector* floor;
};

class CoverageChecker {
 public:
  std::string Look(uint64_t process, const Replica& replica, const WriteLog& log);
  static std::string Whole(const Replica& replica, const WriteLog& log);
  // The vector as it was at the last look; null: there was none.
  const core::VersionVector* Last(uint64_t process) const;
  void Forget(uint64_t process) { seen_.erase(process); }

 private:
  std::map<uint64_t, core::VersionVector> seen_;
};

}  // namespace leasemap::sim
