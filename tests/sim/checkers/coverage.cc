#include "tests/sim/checkers/coverage.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

std::string OneDot(const core::ReplicaId& replica, uint64_t seq, const core::Store& store, const WriteLog& log) {
  const core::Entry* written = log.Find(replica, seq);
  if (written == nullptr) return "covers " + Describe(replica) + "#" + std::to_string(seq) + ", which was never made";
  const core::EntryPtr* held = store.Find(written->key);
  if (held == nullptr) return "covers and does not hold " + Describe(*written);
  if (core::Outranks(*written, **held)) return "covers " + Describe(*written) + " and holds " + Describe(**held);
  if (!core::Outranks(**held, *written) && !(**held == *written))
    return "another entry of the dot: " + Describe(**held);
  return "";
}

std::string Range(const core::ReplicaId& replica, uint64_t first, uint64_t last, const core::Coverage& before,
                  const core::Store& store, const WriteLog& log) {
  for (uint64_t seq = first; seq <= last; ++seq) {
    if (before.Covers(seq)) continue;
    if (auto fault = OneDot(replica, seq, store, log); !fault.empty()) return fault;
  }
  return "";
}

std::string New(const core::ReplicaId& replica, const core::Coverage& now, const core::Coverage& before,
                const core::Store& store, const WriteLog& log) {
  if (const auto lost = now.FirstMissing(before)) {
    return "no longer covers " + Describe(replica) + "#" + std::to_string(*lost);
  }
  if (auto fault = Range(replica, before.prefix + 1, now.prefix, before, store, log); !fault.empty()) return fault;
  for (const auto& [first, last] : now.exceptions) {
    if (auto fault = Range(replica, first, last, before, store, log); !fault.empty()) return fault;
  }
  return "";
}

}  // namespace

// Both are in one order: walked side by side, and mostly one run has changed.
std::string CoverageChecker::Look(uint64_t process, const core::VersionVector& vector, const core::Store& store,
                                  const WriteLog& log) {
  Seen& seen = seen_[process];
  auto before = seen.begin();
  for (const auto& [replica, coverage] : vector.runs()) {
    if (before != seen.end() && before->first < replica)
      return "no longer covers anything of " + Describe(before->first);
    if (before == seen.end() || before->first != replica) before = seen.emplace_hint(before, replica, core::Coverage{});
    core::Coverage& old = (before++)->second;
    if (coverage.prefix == old.prefix && coverage.exceptions == old.exceptions) continue;
    if (auto fault = New(replica, coverage, old, store, log); !fault.empty()) return fault;
    old = coverage;
  }
  if (before != seen.end()) return "no longer covers anything of " + Describe(before->first);
  return "";
}

std::string CoverageChecker::Whole(const core::VersionVector& vector, const core::Store& store, const WriteLog& log) {
  for (const auto& [replica, coverage] : vector.runs()) {
    if (auto fault = New(replica, coverage, core::Coverage{}, store, log); !fault.empty()) return fault;
  }
  return "";
}

}  // namespace leasemap::sim
