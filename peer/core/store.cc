#include "peer/core/store.h"

#include "peer/core/bytes.h"

namespace leasemap::core {

Store::Store(const Store& other)
    : by_key_(other.by_key_),
      head_(other.head_),
      live_keys_(other.live_keys_),
      bytes_(other.bytes_),
      hashes_(other.hashes_) {
  for (const auto& [key, slot] : by_key_) by_revision_.emplace(slot.revision, &slot);
}

const EntryPtr* Store::Find(std::string_view key) const {
  auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : &it->second.entry;
}

void Store::Count(const Entry& entry, bool add) {
  if (!entry.tombstone) live_keys_ += add ? 1 : -1;
  bytes_ += add ? Weight(entry) : -Weight(entry);
  hashes_[Hash64(entry.key) % kBuckets] ^= HashOf(entry);
}

bool Store::Merge(EntryPtr entry) {
  auto it = by_key_.find(entry->key);
  if (it == by_key_.end()) {
    it = by_key_.emplace(entry->key, Slot{}).first;
  } else {
    if (!Outranks(*entry, *it->second.entry)) return false;
    Count(*it->second.entry, false);
    by_revision_.erase(it->second.revision);
  }
  Count(*entry, true);
  it->second = Slot{std::move(entry), ++head_};
  by_revision_.emplace_hint(by_revision_.end(), head_, &it->second);
  return true;
}

const Store::Slot* Store::NextAfter(uint64_t revision) const {
  auto it = by_revision_.upper_bound(revision);
  return it == by_revision_.end() ? nullptr : it->second;
}

uint64_t Store::hash() const {
  uint64_t hash = 0;
  for (const uint64_t bucket : hashes_) hash = (hash ^ bucket) * 0x100000001b3;
  return hash;
}

}  // namespace leasemap::core
