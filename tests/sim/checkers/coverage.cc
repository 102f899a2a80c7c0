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

std::string Added(const core::VersionVector& before, const core::VersionVector& vector, const core::Store& store,
                  const WriteLog& log) {
  static const core::Coverage kNone;
  for (const auto& [replica, coverage] : vector.runs()) {
    auto it = before.runs().find(replica);
    const core::Coverage& old = it == before.runs().end() ? kNone : it->second;
    if (coverage == old) continue;
    if (auto fault = Range(replica, old.prefix + 1, coverage.prefix, old, store, log); !fault.empty()) return fault;
    for (const auto& [first, last] : coverage.exceptions) {
      if (auto fault = Range(replica, first, last, old, store, log); !fault.empty()) return fault;
    }
  }
  return "";
}

}  // namespace

std::string CoverageChecker::Look(uint64_t process, const core::VersionVector& vector, const core::Store& store,
                                  const WriteLog& log) {
  core::VersionVector& before = seen_[process];
  if (before == vector) return "";
  if (const auto lost = vector.FirstMissing(before)) {
    return "no longer covers " + Describe(lost->replica) + "#" + std::to_string(lost->seq);
  }
  auto fault = Added(before, vector, store, log);
  before = vector;
  return fault;
}

std::string CoverageChecker::Whole(const core::VersionVector& vector, const core::Store& store, const WriteLog& log) {
  return Added(core::VersionVector(), vector, store, log);
}

}  // namespace leasemap::sim
