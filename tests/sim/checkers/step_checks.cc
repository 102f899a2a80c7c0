#include "tests/sim/checkers/step_checks.h"

#include <algorithm>
#include <map>

#include "tests/sim/checkers/describe.h"
#include "tests/sim/checkers/values.h"

namespace leasemap::sim {
namespace {

bool HasLinks(const core::Node& node) {
  const auto members = node.GetStatus().members;
  return std::any_of(members.begin(), members.end(), [](const core::Member& member) { return member.linked; });
}

}  // namespace

// All writes that the node made in this step: of clients, repeats, and those that a reset node submits again. One that
// a later one of the same step replaced is found in the node's log of its own writes.
std::string StepChecks::NoteOwn(uint64_t process, const core::Node& node, const RanksNeverFall::Seen& seen) {
  const uint64_t known = log_.Count(node.self());
  std::map<uint64_t, core::EntryPtr> own;
  for (const core::EntryPtr& entry : seen.made) {
    if (entry->dot.replica == node.self() && entry->dot.seq > known) own.emplace(entry->dot.seq, entry);
  }
  const core::OwnLog& log = node.replica().own_log();
  for (uint64_t seq = std::max(known + 1, log.first()); seq < log.end(); ++seq) own.emplace(seq, log.at(seq));
  for (const auto& [seq, entry] : own) {
    leases_.Made(*entry);
    if (auto fault = dots_.Wrote(process, entry, nullptr, log_); !fault.empty()) return fault;
  }
  return "";
}

Fault StepChecks::Look(uint64_t process, const core::Node& node, int64_t lapse_limit_ms) {
  Life& life = lives_.emplace(process, Life{node.self(), node.retirement().resets()}).first->second;
  collection_.Began(node.self());
  if (life.id != node.self()) {
    if (const core::VersionVector* last = coverage_.Last(process)) collection_.Ended(life.id, *last);
    life.id = node.self();
  }
  if (life.resets != node.retirement().resets()) {
    life.resets = node.retirement().resets();
    ranks_.Forget(process);
    coverage_.Forget(process);
  }
  RanksNeverFall::Seen seen;
  if (auto fault = ranks_.Look(process, node.store(), &seen); !fault.empty()) return {"ranks never fall", fault};
  if (auto fault = NoteOwn(process, node, seen); !fault.empty()) return {"dots are unique", fault};
  life.ids.insert(node.self());
  const auto own = [&](const core::Dot& dot) {
    const bool earlier = node.options().disk && dot.replica.node == node.self().node && dot.replica < *life.ids.begin();
    return earlier || life.ids.contains(dot.replica);
  };
  if (auto fault = acks_.Conflicts(process, node, coverage_.Last(process), own, log_); !fault.empty()) {
    return {"conflicts", fault};
  }
  for (const auto& [loser, winner] : seen.replaced) {
    if (auto fault = CheckNotOlder(*loser, *winner); !fault.empty()) return {"values", fault};
    if (node.replica().floor().Covers(loser->dot)) continue;  // it was over, and collected, before the winner came
    if (auto fault = acks_.Untold(node, *loser, *winner, log_); !fault.empty()) return {"conflicts", fault};
  }
  if (auto fault = coverage_.Look(process, ReplicaOf(node), log_); !fault.empty()) return {"coverage", fault};
  for (const core::EntryPtr& entry : seen.lapsed) {
    // Nobody tells a node that is alone that its clock is wrong.
    if (entry->lease.expire_ms > lapse_limit_ms && HasLinks(node)) {
      return {"lapses", "lets lapse what lives: " + Describe(*entry)};
    }
  }
  for (const core::EntryPtr& entry : seen.gone) {
    if (auto fault = collection_.Collected(node, *entry); !fault.empty()) return {"collection", fault};
  }
  return {};
}

std::string StepChecks::Wrote(const core::EntryPtr& entry, const core::EntryPtr& previous) {
  if (previous && !core::Outranks(*entry, *previous)) {
    return "a write that does not outrank what it replaces: " + Describe(*entry) + " over " + Describe(*previous);
  }
  return leases_.Wrote(*entry, previous.get());
}

void StepChecks::Ended(uint64_t process, const core::Node& node) {
  collection_.Ended(node.self(), node.vector());
  ranks_.Forget(process);
  coverage_.Forget(process);
  lives_.erase(process);
}

std::string StepChecks::Restored(const core::Node& node, const core::Node& restored, const WriteLog& log) {
  if (!restored.vector().Covers(node.vector())) return "covers less than before the crash";
  if (!(node.self() < restored.self())) return "goes on as " + Describe(restored.self());
  for (const auto& [key, slot] : node.store().by_key()) {
    const core::EntryPtr* held = restored.store().Find(key);
    if (held == nullptr || !(**held == *slot.entry)) return "did not find again " + Describe(*slot.entry);
  }
  return CoverageChecker::Whole(ReplicaOf(restored), log);
}

}  // namespace leasemap::sim
