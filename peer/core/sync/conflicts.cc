#include "peer/core/sync/conflicts.h"

#include "peer/core/data/limits.h"

namespace leasemap::core {

bool IsConflict(const Entry& loser, const Entry& winner) {
  const Lease& lost = loser.lease;
  const bool same_lease = lost.holder == winner.lease.holder && lost.start_s == winner.lease.start_s;
  return lost.duration_ms > 0 && !same_lease && lost.expire_ms > winner.lease.start_s * 1000;
}

void Conflicts::Restore(const NumberedConflicts& conflicts) {
  for (const auto& [number, conflict] : conflicts) {
    if (conflicts_.empty()) first_ = number;
    Add(conflict);
  }
}

void Conflicts::Add(Conflict conflict) {
  const auto weight = [](const Conflict& one) { return Weight(*one.loser) + Weight(*one.winner); };
  if (!losers_.insert(conflict.loser->dot).second) return;
  bytes_ += weight(conflict);
  conflicts_.push_back(std::move(conflict));
  while (conflicts_.size() > kMaxConflicts || (bytes_ > max_bytes_ && conflicts_.size() > 1)) {
    bytes_ -= weight(conflicts_.front());
    losers_.erase(conflicts_.front().loser->dot);
    conflicts_.pop_front();
    ++first_;
  }
}

}  // namespace leasemap::core
