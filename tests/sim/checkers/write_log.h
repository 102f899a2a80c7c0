// All writes that nodes of a run made, by dot: what the checkers compare maps with.
#pragma once

#include <map>
#include <vector>

#include "peer/core/entry.h"

namespace leasemap::sim {

class WriteLog {
 public:
  void Add(core::EntryPtr entry) { runs_[entry->dot.replica].push_back(std::move(entry)); }
  // Null for a dot that was never made.
  const core::Entry* Find(const core::ReplicaId& replica, uint64_t seq) const {
    auto it = runs_.find(replica);
    return it == runs_.end() || seq == 0 || seq > it->second.size() ? nullptr : it->second[seq - 1].get();
  }
  uint64_t Count(const core::ReplicaId& replica) const {
    auto it = runs_.find(replica);
    return it == runs_.end() ? 0 : it->second.size();
  }
  const std::map<core::ReplicaId, std::vector<core::EntryPtr>>& runs() const { return runs_; }

 private:
  std::map<core::ReplicaId, std::vector<core::EntryPtr>> runs_;
};

}  // namespace leasemap::sim
