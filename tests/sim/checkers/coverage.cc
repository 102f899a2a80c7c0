#include "tests/sim/checkers/coverage.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

// The key of a covered write is not there: then what stands of it must be dead, and below the floor.
std::string Missing(const core::Entry& written, const Replica& replica, const WriteLog& log) {
  const core::Entry* highest = &written;
  for (const core::EntryPtr& entry : log.OfKey(written.key)) {
    if (replica.vector->Covers(entry->dot) && core::Outranks(*entry, *highest)) highest = entry.get();
  }
  const bool dead = highest->tombstone || highest->ephemeral;
  if (dead && replica.floor->Covers(highest->dot)) return "";
  return "covers and does not hold " + Describe(written) + (highest == &written ? "" : ", nor " + Describe(*highest));
}

std::string OneDot(const core::ReplicaId& id, uint64_t seq, const Replica& replica, const WriteLog& log) {
  const core::Entry* written = log.Find(id, seq);
  if (written == nullptr) return "covers " + Describe(id) + "#" + std::to_string(seq) + ", which was never made";
  const core::EntryPtr* held = replica.store->Find(written->key);
  if (held == nullptr) return Missing(*written, replica, log);
  if (core::Outranks(*written, **held)) return "covers " + Describe(*written) + " and holds " + Describe(**held);
  if (!core::Outranks(**held, *written) && !(**held == *written)) {
    return "another entry of the dot: " + Describe(**held);
  }
  return "";
}

std::string Range(const core::ReplicaId& id, uint64_t first, uint64_t last, const core::Coverage& before,
                  const Replica& replica, const WriteLog& log) {
  for (uint64_t seq = first; seq <= last; ++seq) {
    if (before.Covers(seq)) continue;
    if (auto fault = OneDot(id, seq, replica, log); !fault.empty()) return fault;
  }
  return "";
}

std::string New(const core::ReplicaId& id, const core::Coverage& now, const core::Coverage& before,
                const Replica& replica, const WriteLog& log) {
  if (const auto lost = now.FirstMissing(before); lost && !replica.vector->Covers(core::Dot{id, *lost})) {
    return "no longer covers " + Describe(id) + "#" + std::to_string(*lost);
  }
  if (auto fault = Range(id, before.prefix + 1, now.prefix, before, replica, log); !fault.empty()) return fault;
  for (const auto& [first, last] : now.exceptions) {
    if (auto fault = Range(id, first, last, before, replica, log); !fault.empty()) return fault;
  }
  return "";
}

// Runs of before that are named no more: folded, or lost.
std::string Folded(const core::ReplicaId& id, const core::Coverage& before, const core::VersionVector& vector) {
  if (before.Top() == 0 || vector.Covers(core::Dot{id, before.Top()})) return "";
  return "no longer covers anything of " + Describe(id);
}

// Everything that was written by processes that are named no more.
std::string Past(const Replica& replica, const WriteLog& log) {
  for (const auto& [id, entries] : log.runs()) {
    if (!replica.vector->IsPast(id)) continue;
    for (const core::EntryPtr& entry : entries) {
      if (!replica.vector->Covers(entry->dot)) continue;
      if (auto fault = OneDot(id, entry->dot.seq, replica, log); !fault.empty()) return fault;
    }
  }
  return "";
}

}  // namespace

// Both are in one order: walked side by side, and mostly one run has changed.
std::string CoverageChecker::Look(uint64_t process, const Replica& replica, const WriteLog& log) {
  static const core::Coverage kNone;
  core::VersionVector& seen = seen_[process];
  bool changed = false;
  auto before = seen.runs().begin();
  for (const auto& [id, coverage] : replica.vector->runs()) {
    for (; before != seen.runs().end() && before->first < id; ++before) {
      if (auto fault = Folded(before->first, before->second, *replica.vector); !fault.empty()) return fault;
      changed = true;
    }
    const bool named = before != seen.runs().end() && before->first == id;
    const core::Coverage& old = named ? (before++)->second : kNone;
    if (coverage.prefix == old.prefix && coverage.exceptions == old.exceptions) continue;
    changed = true;
    if (auto fault = New(id, coverage, old, replica, log); !fault.empty()) return fault;
  }
  for (; before != seen.runs().end(); ++before, changed = true) {
    if (auto fault = Folded(before->first, before->second, *replica.vector); !fault.empty()) return fault;
  }
  if (seen.past_mark() != replica.vector->past_mark()) {
    changed = true;
    if (auto fault = Past(replica, log); !fault.empty()) return fault;
  }
  if (changed) seen = *replica.vector;
  return "";
}

std::string CoverageChecker::Whole(const Replica& replica, const WriteLog& log) {
  for (const auto& [id, coverage] : replica.vector->runs()) {
    if (auto fault = New(id, coverage, core::Coverage{}, replica, log); !fault.empty()) return fault;
  }
  return Past(replica, log);
}

const core::VersionVector* CoverageChecker::Last(uint64_t process) const {
  auto it = seen_.find(process);
  return it == seen_.end() ? nullptr : &it->second;
}

}  // namespace leasemap::sim
