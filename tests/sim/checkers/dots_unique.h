// No dot is made twice: a process writes under incarnations that no other process has, and counts 1, 2, 3 ….
#pragma once

#include <map>
#include <string>

#include "peer/core/data/entry.h"
#include "tests/sim/checkers/write_log.h"

namespace leasemap::sim {

class DotsUnique {
 public:
  // Notes in `log` that this process wrote `entry`, which replaced `previous` (or null).
  std::string Wrote(uint64_t process, const core::EntryPtr& entry, const core::EntryPtr& previous, WriteLog& log);

 private:
  std::map<core::ReplicaId, uint64_t> owners_;
};

}  // namespace leasemap::sim
