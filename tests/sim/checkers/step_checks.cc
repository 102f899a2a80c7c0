#include "tests/sim/checkers/step_checks.h"

namespace leasemap::sim {

Fault StepChecks::Look(uint64_t process, const core::Node& node) {
  if (auto fault = ranks_.Look(process, node.store()); !fault.empty()) return {"ranks never fall", std::move(fault)};
  return {"coverage", coverage_.Look(process, node.vector(), node.store(), log_)};
}

Fault StepChecks::Wrote(uint64_t process, const core::EntryPtr& entry, const core::EntryPtr& previous) {
  auto fault = dots_.Wrote(process, entry, previous, log_);
  if (!fault.empty()) return {"dots are unique", std::move(fault)};
  return {"leases", leases_.Wrote(*entry, previous.get())};
}

void StepChecks::Ended(uint64_t process, const core::Node&) {
  ranks_.Forget(process);
  coverage_.Forget(process);
}

}  // namespace leasemap::sim
