#include "tests/sim/checkers/acks.h"

#include <utility>

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

// The rule anew, in the words of the design: another lease, which began before this one's end.
bool IsRealConflict(const core::Entry& loser, const core::Entry& winner) {
  const core::Lease &lost = loser.lease, &won = winner.lease;
  const bool other = lost.holder != won.holder || lost.start_s != won.start_s;
  return other && lost.duration_ms > 0 && won.start_s * 1000 < lost.expire_ms;
}

}  // namespace

std::string AckChecker::Acked(const core::Node& node, const core::Ack& ack, const core::Entry& entry,
                              bool answer_waited) const {
  if (answer_waited) return "";
  size_t members = 1, have = 1;
  for (const core::Member& member : node.GetStatus().members) {
    if (member.gone()) continue;
    ++members;
    have += has_covered_(member.id, entry.dot);
  }
  const size_t needed = ack.level == core::Ack::Level::kAll        ? members
                        : ack.level == core::Ack::Level::kMajority ? members / 2 + 1
                        : ack.level == core::Ack::Level::kNodes    ? ack.nodes
                                                                   : 1;
  if (have < needed) {
    return "acked with " + std::to_string(have) + " of " + std::to_string(needed) + " nodes: " + Describe(entry);
  }
  const core::EntryPtr* held = node.store().Find(entry.key);
  if (ack.local() || (held != nullptr && (*held)->dot == entry.dot)) return "";
  // A renewal of its lease that keeps its value does as well.
  if (held != nullptr && (*held)->value_dot == entry.dot && (*held)->lease.holder == entry.lease.holder &&
      (*held)->lease.start_s == entry.lease.start_s) {
    return "";
  }
  return "acked, and does not stand: " + Describe(entry);
}

std::string AckChecker::Conflicts(uint64_t process, const core::Node& node, const core::VersionVector* before,
                                  const std::function<bool(const core::Dot&)>& own, const WriteLog& log) {
  const core::Conflicts& conflicts = node.replica().conflicts();
  const auto [at, is_new] = next_.emplace(process, 1);
  uint64_t& next = at->second;
  // Those that its disk brought back were told by an earlier process.
  for (; is_new && node.options().disk && next < conflicts.end(); ++next) {
    if (next < conflicts.first() || told_.contains(conflicts.at(next).loser->dot)) continue;
    return "brought back a conflict that nobody found: " + Describe(*conflicts.at(next).loser);
  }
  for (next = std::max(next, conflicts.first()); next < conflicts.end(); ++next) {
    const core::Conflict& told = conflicts.at(next);
    const core::Entry &loser = *told.loser, &winner = *told.winner;
    const std::string both = Describe(loser) + " lost to " + Describe(winner);
    if (!own(loser.dot)) return "a conflict that another process has to tell: " + both;
    // A process that ended before its disk knew may have told it.
    const auto told_by = told_.emplace(loser.dot, process);
    if (!told_by.second && std::exchange(told_by.first->second, process) == process) return "told twice: " + both;
    // What a reset node submits anew is refused while another holder's lease lives, whatever its rank is.
    const bool anew = !node.replica().TellsLossesOf(loser.dot.replica);
    const bool refused = anew && !winner.lease.released && winner.lease.expire_ms + clock_bound_ms_ > told.found_ms;
    if (!core::Outranks(winner, loser) && !refused) return "the winner does not outrank the loser: " + both;
    if (!IsRealConflict(loser, winner)) return "no conflict: " + both;
    if (anew) continue;  // what its peers covered it did not see
    for (const core::EntryPtr& entry : log.OfKey(loser.key)) {
      const core::Lease& lease = entry->lease;
      const bool released =
          lease.released && lease.holder == loser.lease.holder && lease.start_s == loser.lease.start_s;
      if (released && core::Outranks(*entry, loser) && before != nullptr && before->Covers(entry->dot)) {
        return "no conflict, for it saw the release " + Describe(*entry) + ": " + both;
      }
    }
  }
  return "";
}

std::string AckChecker::Untold(const core::Node& node, const core::Entry& loser, const core::Entry& winner,
                               const WriteLog& log) const {
  const bool owes = node.replica().TellsLossesOf(loser.dot.replica);
  if (!owes || !IsRealConflict(loser, winner) || told_.contains(loser.dot)) return "";
  for (const core::EntryPtr& entry : log.OfKey(loser.key)) {
    // Which may have come first, and be no conflict: a later change of the same lease, say.
    const bool between = core::Outranks(*entry, loser) && core::Outranks(winner, *entry);
    if (between && node.vector().Covers(entry->dot)) return "";
  }
  return "did not tell that " + Describe(loser) + " lost to " + Describe(winner);
}

}  // namespace leasemap::sim
