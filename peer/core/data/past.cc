#include "peer/core/data/past.h"

#include <algorithm>
#include <string>

#include "peer/core/data/bytes.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

uint64_t DigestOf(const ReplicaId& replica, uint64_t prefix) {
  if (prefix == 0) return 0;
  std::string run;
  PutFixed64(run, replica.incarnation);
  PutFixed64(run, prefix);
  run += replica.node;
  return Hash64(run);
}

std::optional<uint64_t> Past::PrefixOf(const ReplicaId& replica) const {
  const auto it = known_.find(replica);
  if (it == known_.end()) return std::nullopt;
  return it->second.prefix;
}

void Past::Add(const ReplicaId& replica, uint64_t prefix) {
  if (!known_.try_emplace(replica, Process{prefix, next_order_}).second) return;
  by_order_.emplace(next_order_++, replica);
  mark_.digest += DigestOf(replica, prefix);
  Reach(replica.incarnation);
  if (known_.size() <= kMaxFolded) return;
  const auto first = by_order_.begin();
  const auto oldest = known_.find(first->second);
  dropped_.upto = std::max(dropped_.upto, oldest->first.incarnation);
  dropped_.digest += DigestOf(oldest->first, oldest->second.prefix);
  known_.erase(oldest);
  by_order_.erase(first);
}

void Past::Remove(const ReplicaId& replica) {
  const auto it = known_.find(replica);
  if (it == known_.end()) return;
  mark_.digest -= DigestOf(replica, it->second.prefix);
  by_order_.erase(it->second.order);
  known_.erase(it);
}

void Past::TakeDropped(const Past& other) {
  std::vector<ReplicaId> gone;
  for (const auto& [replica, process] : known_) {
    if (other.MayHaveDropped(replica) && !other.known_.contains(replica)) gone.push_back(replica);
  }
  for (const ReplicaId& replica : gone) Remove(replica);
  mark_.digest += other.dropped_.digest - dropped_.digest;
  dropped_ = other.dropped_;
  Reach(dropped_.upto);
}

uint64_t Past::DigestAfter(uint64_t upto) const {
  uint64_t digest = 0;
  for (auto it = known_.rbegin(); it != known_.rend() && it->first.incarnation > upto; ++it) {
    digest += DigestOf(it->first, it->second.prefix);
  }
  return digest;
}

}  // namespace leasemap::core
