#include "tests/sim/checkers/converged.h"

#include <map>

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

std::string CheckEqual(const Replica& a, const Replica& b) {
  const std::string both = a.name + " and " + b.name;
  if (const auto dot = b.vector->FirstMissing(*a.vector)) {
    return both + ": the second lacks " + Describe(dot->replica) + "#" + std::to_string(dot->seq);
  }
  if (!(*a.vector == *b.vector)) return both + ": the vectors differ";
  // Each node collects its dead in its own time.
  const auto dead = [](const Replica& one, const std::string& key) {
    const core::Store::Slot* slot = one.store->FindSlot(key);
    return slot == nullptr || core::Store::IsDead(*slot);
  };
  for (const auto& [key, slot] : b.store->by_key()) {
    if (a.store->FindSlot(key) == nullptr && !(core::Store::IsDead(slot) && a.floor != nullptr && !a.floor->empty())) {
      return both + ": the first lacks " + Describe(*slot.entry);
    }
  }
  for (const auto& [key, slot] : a.store->by_key()) {
    const core::Store::Slot* other = b.store->FindSlot(key);
    if (other == nullptr && dead(a, key) && b.floor != nullptr && !b.floor->empty()) continue;
    if (other == nullptr) return both + ": the second lacks " + Describe(*slot.entry);
    if (!(*other->entry == *slot.entry))
      return both + ": " + Describe(*slot.entry) + " against " + Describe(*other->entry);
    if (other->lapsed != slot.lapsed) return both + ": on one of them lapsed: " + Describe(*slot.entry);
  }
  if (a.store->hashes() != b.store->hashes() || a.store->hash() != b.store->hash()) return both + ": the hashes differ";
  const bool same_bytes = a.store->keys() != b.store->keys() || a.store->bytes() == b.store->bytes();
  if (a.store->live_keys() != b.store->live_keys() || !same_bytes) return both + ": the counts of keys or bytes differ";
  return "";
}

}  // namespace

std::string CheckAlike(const std::vector<Replica>& replicas) {
  for (const Replica& one : replicas) {
    if (auto fault = CheckEqual(replicas.front(), one); !fault.empty()) return fault;
  }
  return "";
}

std::string CheckConverged(const std::vector<Replica>& replicas, const WriteLog& log) {
  if (replicas.empty()) return "no node lives";
  std::map<std::string, const core::Entry*> winners;
  for (const auto& [replica, entries] : log.runs()) {
    for (const core::EntryPtr& entry : entries) {
      bool survived = false;
      for (const Replica& one : replicas) survived |= one.vector->Covers(entry->dot);
      const core::Entry*& winner = winners[entry->key];
      if (survived && (winner == nullptr || core::Outranks(*entry, *winner))) winner = entry.get();
    }
  }
  for (const Replica& one : replicas) {
    if (auto fault = CheckEqual(replicas.front(), one); !fault.empty()) return fault;
    for (const auto& [key, winner] : winners) {
      const core::EntryPtr* held = one.store->Find(key);
      const bool may_be_collected =
          winner != nullptr && (winner->tombstone || winner->ephemeral) && one.floor != nullptr;
      if (held == nullptr && may_be_collected && one.floor->Covers(winner->dot)) continue;
      if ((held == nullptr) != (winner == nullptr)) return one.name + ": " + key + " is held or lost wrongly";
      if (winner != nullptr && !(**held == *winner)) {
        return one.name + ": the winner is " + Describe(*winner) + ", held is " + Describe(**held);
      }
    }
    for (const auto& [key, slot] : one.store->by_key()) {
      if (!winners.contains(key)) return one.name + ": holds what nobody wrote: " + Describe(*slot.entry);
    }
  }
  return "";
}

}  // namespace leasemap::sim
