#include "tests/sim/checkers/step_checks.h"

#include <utility>

namespace leasemap::sim {

Fault StepChecks::Look(uint64_t process, const core::Node& node) {
  if (std::exchange(resets_[process], node.resets()) != node.resets()) {
    ranks_.Forget(process);
    coverage_.Forget(process);
  }
  if (auto fault = ranks_.Look(process, node.store()); !fault.empty()) return {"ranks never fall", std::move(fault)};
  return {"coverage", coverage_.Look(process, node.vector(), node.store(), log_, node.floor())};
}

Fault StepChecks::Wrote(uint64_t process, const core::EntryPtr& entry, const core::EntryPtr& previous) {
  auto fault = dots_.Wrote(process, entry, previous, log_);
  if (!fault.empty()) return {"dots are unique", std::move(fault)};
  return {"leases", leases_.Wrote(*entry, previous.get())};
}

void StepChecks::Ended(uint64_t process, const core::Node&) {
  resets_.erase(process);
  ranks_.Forget(process);
  coverage_.Forget(process);
}

}  // namespace leasemap::sim
