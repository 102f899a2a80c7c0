#include "peer/core/sync/store.h"

#include <algorithm>
#include <vector>

#include "peer/core/data/bytes.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/lease.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

Store::Store(const Store& other)
    : by_key_(other.by_key_),
      horizon_ms_(other.horizon_ms_),
      mono_(other.mono_),
      rewinds_(other.rewinds_),
      head_(other.head_),
      last_change_(other.last_change_),
      live_keys_(other.live_keys_),
      bytes_(other.bytes_),
      held_(other.held_),
      values_gone_ms_(other.values_gone_ms_),
      gone_ahead_(other.gone_ahead_),
      collected_(other.collected_),
      collected_up_to_(other.collected_up_to_),
      hashes_(other.hashes_),
      hash_(other.hash_),
      owners_(other.owners_) {
  for (auto& [key, slot] : by_key_) {
    by_revision_.emplace(slot.revision, &slot);
    if (slot.renewed != 0) by_renewal_.emplace(slot.renewed, &slot);
    AwaitLapse(key, slot);
    if (IsDead(slot)) dead_.insert(DeadOf(key, slot));
  }
}

size_t BucketOf(std::string_view key) { return Hash64(key) % kHashBuckets; }

// A deleted key from its tombstone's stamp on, a lapsed one from its expire_ms on.
Store::Dead Store::DeadOf(std::string_view key, const Slot& slot) {
  const Entry& entry = *slot.entry;
  return {entry.tombstone ? StampMs(entry.stamp) : entry.lease.expire_ms, key};
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
  held_ += add ? Footprint(entry) : -Footprint(entry);
  if (IsDead(slot)) return;
  live_keys_ += add ? 1 : -1;
  if (owners_) owners_->Count(entry, add);
  const uint64_t hash = HashOf(entry);
  hashes_[BucketOf(entry.key)] ^= hash;
  hash_ ^= hash;
}

void Store::CountOwners() {
  owners_.emplace();
  for (const auto& [key, slot] : by_key_) {
    if (!IsDead(slot)) owners_->Count(*slot.entry, true);
  }
}

// `key` is that of by_key_: it stays where it is as long as the slot.
void Store::AwaitLapse(std::string_view key, Slot& slot) {
  if (Lapses(*slot.entry) && !slot.lapsed) by_expiry_.emplace(std::pair(slot.entry->lease.expire_ms, key), &slot);
}

void Store::Index(Slot& slot) {
  slot.lapsed = Lapses(*slot.entry) && (slot.entry->value_gone || slot.entry->lease.expire_ms <= horizon_ms_);
  const Entry& entry = *slot.entry;
  if (CanRevive(slot)) values_gone_ms_ = std::min(values_gone_ms_, entry.lease.expire_ms - 1);
  gone_ahead_ |= entry.value_gone && entry.lease.expire_ms > horizon_ms_;
  slot.revision = last_change_ = ++head_;
  slot.renewed = 0;
  slot.changed = mono_;
  by_revision_.emplace_hint(by_revision_.end(), head_, &slot);
  if (Lapses(entry) || IsDead(slot)) {
    const std::string_view key = by_key_.find(entry.key)->first;
    AwaitLapse(key, slot);
    if (IsDead(slot)) dead_.insert(DeadOf(key, slot));
  }
  Count(slot, true);
}

void Store::Unindex(Slot& slot) {
  Count(slot, false);
  by_revision_.erase(slot.revision);
  if (slot.renewed != 0) by_renewal_.erase(slot.renewed);
  if (IsDead(slot)) dead_.erase(DeadOf(slot.entry->key, slot));
  if (!slot.lapsed && Lapses(*slot.entry)) by_expiry_.erase({slot.entry->lease.expire_ms, slot.entry->key});
}

// The key keeps its place in the order of changes. It is not dead, before or after.
void Store::Renew(Slot& slot, EntryPtr entry) {
  Count(slot, false);
  if (Lapses(*slot.entry)) by_expiry_.erase({slot.entry->lease.expire_ms, slot.entry->key});
  if (slot.renewed != 0) by_renewal_.erase(slot.renewed);
  slot.entry = std::move(entry);
  slot.renewed = ++head_;
  slot.changed = mono_;
  by_renewal_.emplace_hint(by_renewal_.end(), head_, &slot);
  if (Lapses(*slot.entry)) AwaitLapse(by_key_.find(slot.entry->key)->first, slot);
  Count(slot, true);
}

bool Store::Merge(EntryPtr entry, EntryPtr* loser) {
  // A map that is read back, and what comes in a session, comes in key order.
  const bool is_last = by_key_.empty() || by_key_.rbegin()->first < entry->key;
  auto it = is_last ? by_key_.end() : by_key_.find(entry->key);
  if (it == by_key_.end()) {
    it = by_key_.emplace_hint(it, entry->key, Slot{});
  } else {
    if (!Outranks(*entry, *it->second.entry)) {
      if (loser != nullptr) *loser = std::move(entry);
      return false;
    }
    Slot& slot = it->second;
    const bool lapses_at_once = Lapses(*entry) && (entry->value_gone || entry->lease.expire_ms <= horizon_ms_);
    if (!slot.lapsed && !lapses_at_once && IsRenewal(*slot.entry, *entry)) {
      if (loser != nullptr) *loser = slot.entry;
      Renew(slot, std::move(entry));
      return true;
    }
    Unindex(slot);
    if (loser != nullptr) *loser = std::move(slot.entry);
  }
  it->second.entry = std::move(entry);
  Index(it->second);
  return true;
}

EntryPtr Store::Complete(const EntryPtr& entry) const {
  if (!entry->value_left_out) return entry;
  const EntryPtr* present = Find(entry->key);
  if (present == nullptr) return nullptr;
  if (!Outranks(*entry, **present)) return entry;
  if (ValueDot(**present) != ValueDot(*entry) || (*present)->value_gone) return nullptr;
  auto out = std::make_shared<Entry>(*entry);
  out->value = Value::Of(*present);
  out->value_left_out = false;
  return out;
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
      for (; NextLapse() == horizon_ms_; ++lapsed) {
        Slot& slot = *by_expiry_.begin()->second;
        Unindex(slot);
        Index(slot);
      }
    }
  }
  return lapsed;
}

// As Lapse, the other way: whole milliseconds, the latest first. Among the dead are deletes, too: they stay.
size_t Store::Rewind(int64_t to_ms) {
  size_t revived = 0;
  while (horizon_ms_ > to_ms) {
    auto last = dead_.end();
    while (last != dead_.begin() && std::prev(last)->since_ms > to_ms && !CanRevive(*FindSlot(std::prev(last)->key)))
      --last;
    if (last == dead_.begin() || std::prev(last)->since_ms <= to_ms) {
      horizon_ms_ = to_ms;
    } else if (revived >= kLapseBatch) {
      horizon_ms_ = std::prev(last)->since_ms;
      break;
    } else {
      const int64_t at_ms = std::prev(last)->since_ms;
      std::vector<Slot*> slots;
      for (auto it = dead_.lower_bound({at_ms, ""}); it != dead_.end() && it->since_ms == at_ms; ++it) {
        Slot& slot = by_key_.find(it->key)->second;
        if (CanRevive(slot)) slots.push_back(&slot);
      }
      horizon_ms_ = at_ms - 1;
      for (Slot* slot : slots) {
        Unindex(*slot);
        Index(*slot);
      }
      revived += slots.size();
    }
  }
  values_gone_ms_ = std::min(values_gone_ms_, horizon_ms_);
  gone_ahead_ = true;
  ++rewinds_;
  return revived;
}

// No event and no revision: for readers the key is as dead as before.
void Store::GiveUpValues(int64_t to_ms, MonoTime here) {
  size_t looked_at = 0;
  auto it = dead_.lower_bound({values_gone_ms_ + 1, ""});
  for (; it != dead_.end() && it->since_ms <= to_ms; ++it) {
    Slot& slot = by_key_.find(it->key)->second;
    if (!CanRevive(slot)) continue;
    if (slot.changed > here || looked_at++ == kLapseBatch) {
      values_gone_ms_ = it->since_ms - 1;
      return;
    }
    Count(slot, false);
    slot.entry = WithValueGone(*slot.entry);
    Count(slot, true);
  }
  values_gone_ms_ = std::max(values_gone_ms_, to_ms);
}

std::optional<int64_t> Store::NextLapse() const {
  return by_expiry_.empty() ? std::nullopt : std::optional(by_expiry_.begin()->first.first);
}

void Store::Collect(std::string_view key) {
  auto it = by_key_.find(key);
  if (it == by_key_.end()) return;
  ++collected_;
  collected_up_to_ = std::max(collected_up_to_, it->second.revision);
  Unindex(it->second);
  by_key_.erase(it);
}

const Store::Slot* Store::NextAfter(uint64_t revision) const {
  auto it = by_revision_.upper_bound(revision);
  return it == by_revision_.end() ? nullptr : it->second;
}

const Store::Slot* Store::NextWithRenewals(uint64_t revision, uint64_t* place) const {
  const auto changed = by_revision_.upper_bound(revision);
  const auto renewed = by_renewal_.upper_bound(revision);
  if (changed == by_revision_.end() && renewed == by_renewal_.end()) return nullptr;
  const bool renewal_first =
      changed == by_revision_.end() || (renewed != by_renewal_.end() && renewed->first < changed->first);
  const auto& [at, slot] = renewal_first ? *renewed : *changed;
  *place = at;
  return slot;
}

}  // namespace leasemap::core
