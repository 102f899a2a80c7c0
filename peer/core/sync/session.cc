#include "peer/core/sync/session.h"

#include "peer/core/data/limits.h"

namespace leasemap::core {
bool ServedSession::Wanted(const Entry& entry, const Store& store) const {
  if (!theirs_->CoversHeld(entry.dot, *v0_)) return true;
  if (buckets_.empty()) return false;
  const size_t bucket = BucketOf(entry.key);
  return buckets_[bucket] != store.hashes()[bucket];
}

Message ServedSession::Next(const Store& store, size_t most) {
  SessionEntries out{id_, {}};
  size_t bytes = 0;
  auto it = after_.empty() ? store.by_key().begin() : store.by_key().upper_bound(after_);
  for (size_t walked = 0; it != store.by_key().end(); ++it) {
    if (walked++ == kSessionWalk || out.entries.size() == most) return out;
    const EntryPtr& entry = it->second.entry;
    if (Wanted(*entry, store)) {
      if (!out.entries.empty() && bytes + Weight(*entry) > kBatchBytes) return out;
      bytes += Weight(*entry);
      out.entries.push_back(entry);
    }
    after_ = it->first;
  }
  if (!out.entries.empty()) return out;
  done_ = true;
  return SessionEnd{id_, v0_, floor_};
}

}  // namespace leasemap::core
