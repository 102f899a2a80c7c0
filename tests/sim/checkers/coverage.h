// For each dot that a node covers it holds that entry, or one of a higher rank of the same key. What is covered stays
// covered, and was really written. Look reads what came since the last look; Whole reads everything.
#pragma once

#include <map>
#include <string>

#include "peer/core/store.h"
#include "peer/core/version_vector.h"
#include "tests/sim/checkers/write_log.h"

namespace leasemap::sim {

class CoverageChecker {
 public:
  std::string Look(uint64_t process, const core::VersionVector& vector, const core::Store& store, const WriteLog& log,
                   const core::VersionVector& floor = {});
  static std::string Whole(const core::VersionVector& vector, const core::Store& store, const WriteLog& log,
                           const core::VersionVector& floor = {});
  void Forget(uint64_t process) { seen_.erase(process); }

 private:
  struct Seen {
    std::map<core::ReplicaId, core::Coverage> runs;
    std::map<std::string, core::Mark> marks;
  };
  std::map<uint64_t, Seen> seen_;
};

}  // namespace leasemap::sim
