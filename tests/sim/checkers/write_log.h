// All writes that nodes of a run made, by dot and by key: what the checkers compare maps with.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "peer/core/data/entry.h"

namespace leasemap::sim {

class WriteLog {
 public:
  void Add(core::EntryPtr entry) {
    by_key_[entry->key].push_back(entry);
    runs_[entry->dot.replica].push_back(std::move(entry));
  }
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
  // In the order in which they were made; none for a key that was never written.
  const std::vector<core::EntryPtr>& OfKey(const std::string& key) const {
    static const std::vector<core::EntryPtr> kNone;
    auto it = by_key_.find(key);
    return it == by_key_.end() ? kNone : it->second;
  }

 private:
  std::map<core::ReplicaId, std::vector<core::EntryPtr>> runs_;
  std::map<std::string, std::vector<core::EntryPtr>> by_key_;
};

}  // namespace leasemap::sim
