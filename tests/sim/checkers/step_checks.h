// The checkers that look after each step of a node, together: each answers with the rule that was broken and how.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "peer/core/node.h"
#include "tests/sim/checkers/coverage.h"
#include "tests/sim/checkers/dots_unique.h"
#include "tests/sim/checkers/leases.h"
#include "tests/sim/checkers/merge_laws.h"
#include "tests/sim/checkers/ranks_never_fall.h"
#include "tests/sim/checkers/write_log.h"

namespace leasemap::sim {

struct Fault {
  const char* rule = "";
  std::string what;  // empty: all is well
};

class StepChecks {
 public:
  StepChecks(core::LeaseRules rules, LeaseChecker::ClockOf clock_of) : leases_(rules, std::move(clock_of)) {}

  // After a step of a node that changed something.
  Fault Look(uint64_t process, const core::Node& node);
  // A node wrote `entry`, which replaced `previous` (or null).
  Fault Wrote(uint64_t process, const core::EntryPtr& entry, const core::EntryPtr& previous);
  // Two entries of a key are about to be merged.
  std::string Met(const core::EntryPtr& held, const core::EntryPtr& incoming) { return laws_.Met(held, incoming); }
  // The process is over.
  void Ended(uint64_t process, const core::Node& node);
  const WriteLog& log() const { return log_; }

 private:
  WriteLog log_;
  std::map<uint64_t, uint64_t> resets_;  // by process: Node::resets() as seen last
  RanksNeverFall ranks_;
  CoverageChecker coverage_;
  DotsUnique dots_;
  MergeLaws laws_;
  LeaseChecker leases_;
};

}  // namespace leasemap::sim
