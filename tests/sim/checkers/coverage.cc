#include "tests/sim/checkers/coverage.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

struct Held {
  const core::Store& store;
  const core::VersionVector& floor;
};

// A delete or an ephemeral entry that is no lower than `written` was collected: it is below the floor.
bool WasCollected(const core::Entry& written, const core::VersionVector& floor, const WriteLog& log) {
  for (const auto& [replica, entries] : log.runs()) {
    for (const auto& entry : entries) {
      const bool dead = entry->tombstone || entry->ephemeral;
      if (dead && entry->key == written.key && !core::Outranks(written, *entry) && floor.Covers(entry->dot))
        return true;
    }
  }
  return false;
}

std::string OneDot(const core::ReplicaId& replica, uint64_t seq, const Held& held, const WriteLog& log) {
  const core::Entry* written = log.Find(replica, seq);
  if (written == nullptr) return "covers " + Describe(replica) + "#" + std::to_string(seq) + ", which was never made";
  const core::EntryPtr* found = held.store.Find(written->key);
  if (found == nullptr) {
    return WasCollected(*written, held.floor, log) ? "" : "covers and does not hold " + Describe(*written);
  }
  if (core::Outranks(*written, **found)) return "covers " + Describe(*written) + " and holds " + Describe(**found);
  if (!core::Outranks(**found, *written) && !(**found == *written))
    return "another entry of the dot: " + Describe(**found);
  return "";
}

std::string Range(const core::ReplicaId& replica, uint64_t first, uint64_t last, const core::Coverage& before,
                  const Held& held, const WriteLog& log) {
  for (uint64_t seq = first; seq <= last; ++seq) {
    if (before.Covers(seq)) continue;
    if (auto fault = OneDot(replica, seq, held, log); !fault.empty()) return fault;
  }
  return "";
}

std::string New(const core::ReplicaId& replica, const core::Coverage& now, const core::Coverage& before,
                const Held& held, const WriteLog& log) {
  if (const auto lost = now.FirstMissing(before)) {
    return "no longer covers " + Describe(replica) + "#" + std::to_string(*lost);
  }
  if (auto fault = Range(replica, before.prefix + 1, now.prefix, before, held, log); !fault.empty()) return fault;
  for (const auto& [first, last] : now.exceptions) {
    if (auto fault = Range(replica, first, last, before, held, log); !fault.empty()) return fault;
  }
  return "";
}

// A mark that is new: it stands for what was covered, and tells of what was not how far that went.
std::string NewMark(const std::string& node, const core::VersionVector& vector,
                    std::map<core::ReplicaId, core::Coverage>& before, const Held& held, const WriteLog& log) {
  const uint64_t below = vector.MarkOf(node);
  for (auto it = before.lower_bound({node, 0}); it != before.end() && it->first < core::ReplicaId{node, below};) {
    if (!vector.Covers(core::Dot{it->first, it->second.Top()})) return "folded away " + Describe(it->first);
    it = vector.runs().contains(it->first) ? std::next(it) : before.erase(it);
  }
  if (vector.folded() == nullptr) return "has a mark of " + node + " and can't tell what it stands for";
  for (const auto& [replica, prefix] : vector.folded()->prefixes) {
    if (replica.node != node || replica.incarnation >= below) continue;
    if (auto fault = New(replica, core::Coverage{prefix, {}}, core::Coverage{}, held, log); !fault.empty())
      return fault;
  }
  return "";
}

}  // namespace

// Both are in one order: walked side by side, and mostly one run has changed.
std::string CoverageChecker::Look(uint64_t process, const core::VersionVector& vector, const core::Store& store,
                                  const WriteLog& log, const core::VersionVector& floor) {
  Seen& seen = seen_[process];
  const Held held{store, floor};
  if (seen.marks != vector.marks()) {
    for (const auto& [node, mark] : vector.marks()) {
      if (seen.marks[node] == mark) continue;
      if (auto fault = NewMark(node, vector, seen.runs, held, log); !fault.empty()) return fault;
    }
    seen.marks = vector.marks();
  }
  auto before = seen.runs.begin();
  for (const auto& [replica, coverage] : vector.runs()) {
    if (before != seen.runs.end() && before->first < replica) {
      return "no longer covers anything of " + Describe(before->first);
    }
    if (before == seen.runs.end() || before->first != replica) {
      before = seen.runs.emplace_hint(before, replica, core::Coverage{});
    }
    core::Coverage& old = (before++)->second;
    if (coverage.prefix == old.prefix && coverage.exceptions == old.exceptions) continue;
    if (auto fault = New(replica, coverage, old, held, log); !fault.empty()) return fault;
    old = coverage;
  }
  if (before != seen.runs.end()) return "no longer covers anything of " + Describe(before->first);
  return "";
}

std::string CoverageChecker::Whole(const core::VersionVector& vector, const core::Store& store, const WriteLog& log,
                                   const core::VersionVector& floor) {
  const Held held{store, floor};
  std::map<core::ReplicaId, core::Coverage> none;
  for (const auto& [node, mark] : vector.marks()) {
    if (auto fault = NewMark(node, vector, none, held, log); !fault.empty()) return fault;
  }
  for (const auto& [replica, coverage] : vector.runs()) {
    if (auto fault = New(replica, coverage, core::Coverage{}, held, log); !fault.empty()) return fault;
  }
  return "";
}

}  // namespace leasemap::sim
