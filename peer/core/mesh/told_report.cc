#include "peer/core/mesh/told_report.h"

namespace leasemap::core {

void ToldReport::Told(MonoTime mono, uint64_t change, bool cut_short) {
  hurry_ = false;
  change_ = change;
  told_ = mono;
  cut_short_ = cut_short;
}

// A report that has to be cut short counts for nothing but what is lacked, which is asked for after `lack` at the
// earliest: one report in that time is enough. (In a session a node has thousands of exceptions, and every report
// another few hundred.)
MonoTime ToldReport::Due(size_t links, const Timing& timing) const {
  if (cut_short_) return told_ + std::max(timing.lack, timing.report_every);
  const int64_t least = kReportNowMs * std::max<int64_t>(1, static_cast<int64_t>(links / 4));
  return told_ + (hurry_ ? std::min(least, timing.report_every) : timing.report_every);
}

void ToldReport::UpdateRelayed(const Membership& membership, const std::string& peer,
                               const std::vector<std::string>& linked_there) {
  if (relayed_change_ == membership.linked_change()) return;
  relayed_change_ = membership.linked_change();
  relayed_.clear();
  auto there = linked_there.begin();  // in the same order as the members
  for (const auto& [node, member] : membership.members()) {
    while (there != linked_there.end() && *there < node) ++there;
    const bool is_there = there != linked_there.end() && *there == node;
    if (member.linked && !is_there && node != peer) relayed_.push_back(node);
  }
}

}  // namespace leasemap::core
