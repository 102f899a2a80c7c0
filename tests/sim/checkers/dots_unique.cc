#include "tests/sim/checkers/dots_unique.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

std::string DotsUnique::Wrote(uint64_t process, const core::EntryPtr& entry, const core::EntryPtr& previous,
                              WriteLog& log) {
  const core::Dot& dot = entry->dot;
  const uint64_t owner = owners_.emplace(dot.replica, process).first->second;
  if (owner != process) return "two processes write as " + Describe(dot.replica);
  const uint64_t next = log.Count(dot.replica) + 1;
  if (dot.seq != next) return "seq " + std::to_string(next) + " was due, made was " + Describe(*entry);
  if (previous && !core::Outranks(*entry, *previous)) {
    return "a write that does not outrank what it replaces: " + Describe(*entry) + " over " + Describe(*previous);
  }
  log.Add(entry);
  return "";
}

}  // namespace leasemap::sim
