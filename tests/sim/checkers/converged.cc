#include "tests/sim/checkers/converged.h"

#include <map>

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

// Each node gives the value of what lapsed up by its own clock.
bool AreAlike(const core::Entry& a, const core::Entry& b) {
  if (a == b) return true;
  return a.value_gone != b.value_gone && *core::WithValueGone(a) == *core::WithValueGone(b);
}

bool MayBeCollected(const core::Entry& entry) { return entry.tombstone || entry.ephemeral; }

// What a holds, b holds too, or has collected.
std::string CheckHeld(const Replica& a, const Replica& b) {
  for (const auto& [key, slot] : a.store->by_key()) {
    const core::Store::Slot* other = b.store->FindSlot(key);
    if (other == nullptr) {
      if (core::Store::IsDead(slot) && b.floor->Covers(slot.entry->dot)) continue;
      return "the second lacks " + Describe(*slot.entry);
    }
    if (!AreAlike(*other->entry, *slot.entry)) return Describe(*slot.entry) + " against " + Describe(*other->entry);
    if (other->lapsed != slot.lapsed) return "on one of them lapsed: " + Describe(*slot.entry);
  }
  return "";
}

std::string CheckEqual(const Replica& a, const Replica& b) {
  if (const auto dot = b.vector->FirstMissing(*a.vector)) {
    return "the second lacks " + Describe(dot->replica) + "#" + std::to_string(dot->seq);
  }
  if (!a.vector->Covers(*b.vector)) return "the vectors differ";
  if (auto fault = CheckHeld(a, b); !fault.empty()) return fault;
  if (auto fault = CheckHeld(b, a); !fault.empty()) return "the other way round: " + fault;
  if (a.store->hashes() != b.store->hashes() || a.store->hash() != b.store->hash()) return "the hashes differ";
  if (a.store->live_keys() != b.store->live_keys()) return "the counts of keys differ";
  return "";
}

}  // namespace

std::string CheckAlike(const std::vector<Replica>& replicas) {
  for (const Replica& one : replicas) {
    if (auto fault = CheckEqual(replicas.front(), one); !fault.empty()) {
      return replicas.front().name + " and " + one.name + ": " + fault;
    }
  }
  return "";
}

std::string CheckConverged(const std::vector<Replica>& replicas, const WriteLog& log) {
  if (replicas.empty()) return "no node lives";
  std::map<std::string, const core::Entry*> winners;
  for (const auto& [id, entries] : log.runs()) {
    for (const core::EntryPtr& entry : entries) {
      bool survived = false;
      for (const Replica& one : replicas) survived |= one.vector->Covers(entry->dot);
      const core::Entry*& winner = winners[entry->key];
      if (survived && (winner == nullptr || core::Outranks(*entry, *winner))) winner = entry.get();
    }
  }
  if (auto fault = CheckAlike(replicas); !fault.empty()) return fault;
  for (const Replica& one : replicas) {
    for (const auto& [key, winner] : winners) {
      const core::EntryPtr* held = one.store->Find(key);
      if (held == nullptr) {
        if (winner == nullptr || (MayBeCollected(*winner) && one.floor->Covers(winner->dot))) continue;
        return one.name + ": lost is " + Describe(*winner);
      }
      if (winner == nullptr) return one.name + ": holds what nobody covers: " + Describe(**held);
      if (!AreAlike(**held, *winner)) {
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
