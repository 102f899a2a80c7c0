#include "peer/core/store.h"

#include "peer/core/bytes.h"
#include "peer/core/limits.h"

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

const Store::Slot* Store::FindSlot(std::string_view key) const {
  auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : &it->second;
}

void Store::Count(const Slot& slot, bool add) {
  const Entry& entry = *slot.entry;
  bytes_ += add ? Weight(entry) : -Weight(entry);
  if (IsDead(slot)) return;
  live_keys_ += add ? 1 : -1;
  hashes_[Hash64(entry.key) % kBuckets] ^= HashOf(entry);
}

void Store::Link(Slot& slot) {
  const Entry& entry = *slot.entry;
  slot.lapsed = Lapses(entry) && entry.lease.expire_ms <= horizon_ms_;
  slot.revision = ++head_;
  by_revision_.emplace_hint(by_revision_.end(), head_, &slot);
  if (Lapses(entry)) {
    const std::string_view key = by_key_.find(entry.key)->first;  // stays where it is as long as the slot
    by_expiry_.emplace(std::pair(entry.lease.expire_ms, key), &slot);
  }
  Count(slot, true);
}

void Store::Unlink(Slot& slot) {
  Count(slot, false);
  by_revision_.erase(slot.revision);
  if (Lapses(*slot.entry)) by_expiry_.erase({slot.entry->lease.expire_ms, slot.entry->key});
}

bool Store::Merge(EntryPtr entry) {
  auto it = by_key_.find(entry->key);
  if (it == by_key_.end()) {
    it = by_key_.emplace(entry->key, Slot{}).first;
  } else {
    if (!Outranks(*entry, *it->second.entry)) return false;
    Unlink(it->second);
  }
  it->second.entry = std::move(entry);
  Link(it->second);
  return true;
}

// Whole milliseconds at a time: after each, whatever expires up to the horizon has lapsed, and nothing else.
size_t Store::Lapse(int64_t to_ms) {
  size_t lapsed = 0;
  while (horizon_ms_ < to_ms) {
    const auto next = NextLapse();
    if (!next || *next > to_ms) {
      horizon_ms_ = to_ms;
    } else if (lapsed >= kLapseBatch) {
      break;
    } else {
      horizon_ms_ = *next;
      for (auto it = by_expiry_.lower_bound({*next, ""}); it != by_expiry_.end() && it->first.first == *next; ++it) {
        Slot& slot = *it->second;
        Count(slot, false);
        by_revision_.erase(slot.revision);
        slot.lapsed = true;
        slot.revision = ++head_;
        by_revision_.emplace_hint(by_revision_.end(), head_, &slot);
        Count(slot, true);
        ++lapsed;
      }
    }
  }
  return lapsed;
}

std::optional<int64_t> Store::NextLapse() const {
  const auto it = by_expiry_.lower_bound({horizon_ms_ + 1, ""});
  return it == by_expiry_.end() ? std::nullopt : std::optional(it->first.first);
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
