#include "tests/sim/checkers/cut_offs.h"

#include <algorithm>

#include "peer/core/data/limits.h"
#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

// An entry from the future that the node has not got: it hangs up on whoever made it, unless it may be its own clock
// that is behind.
bool BringsBogus(const core::Node& node, const core::Live& live, core::Now now) {
  return node.clock_trusted() &&
         std::any_of(live.entries.begin(), live.entries.end(), [&](const core::EntryPtr& entry) {
           return !node.vector().Covers(entry->dot) && core::IsBogus(node.replica().ReachAt(now.wall_ms), *entry);
         });
}

bool IsNamed(const core::Node& node, const std::string& sender) {
  const auto notes = node.GetStatus().notes;
  return std::any_of(notes.begin(), notes.end(), [&](const std::string& note) {
    return note.find("refusing " + sender + " ") != std::string::npos &&
           note.find(core::kQuarantined) != std::string::npos;
  });
}

}  // namespace

// Judged by what was made and sent indeed, not by what the node counted. Floods: by what no rate could excuse.
bool CutOffChecker::MustCutOff(const core::Node& node, core::LinkId link, const core::Message* message, core::Now now) {
  if (message == nullptr) return true;
  if (const auto* report = std::get_if<core::Report>(message)) {
    const auto run = report->vector->runs().find(node.self());
    if (run != report->vector->runs().end() && run->second.Top() >= node.replica().own_log().end()) return true;
  }
  Flood& flood = floods_.try_emplace(link, Flood{now.mono}).first->second;
  flood.sessions += std::holds_alternative<core::SessionRequest>(*message);
  if (const auto* live = std::get_if<core::Live>(message)) flood.control += live->entries.empty();
  const int64_t seconds = (now.mono - flood.since) / 1000 + 1;
  return flood.sessions > core::kSessionBurst + seconds * core::kSessionsPerSecond ||
         flood.control > core::kControlBurst + seconds * core::kControlPerSecond;
}

void CutOffChecker::Before(const core::Node& node, core::LinkId link, const Sender& sender,
                           const core::Message* message, core::Now now) {
  up_before_ = node.links().IsUp(link);
  cut_offs_ = node.links().quarantine().cut_offs();
  must_cut_off_ = must_close_ = false;
  if (!sender.hostile) return;
  self_ = node.self();
  resets_ = node.retirement().resets();
  linked_ = node.links().up();
  if (!up_before_) return;
  must_cut_off_ = MustCutOff(node, link, message, now);
  const auto* live = message == nullptr ? nullptr : std::get_if<core::Live>(message);
  must_close_ = live != nullptr && BringsBogus(node, *live, now);
}

std::string CutOffChecker::After(const core::Node& node, core::LinkId link, const Sender& sender) {
  const bool cut_off = node.links().quarantine().cut_offs() > cut_offs_;
  seen_ += cut_off;
  if (cut_off && !sender.ever_hostile) return "cut off an honest member: " + sender.node;
  if (cut_off && !IsNamed(node, sender.node)) return "does not name whom it cut off: " + sender.node;
  if (!sender.hostile) return "";
  if (must_cut_off_ && !cut_off) return "did not cut off " + sender.node;
  // The call itself may have shown that the clock was set (seed 40025 of hours).
  if (must_close_ && node.clock_trusted() && node.links().IsUp(link))
    return "hears on who is from the future: " + sender.node;
  // Only for a self that there was, or for deletes that were collected: either drops all links.
  const bool anew = node.self() != self_;
  if (anew && node.retirement().resets() == resets_ && latest_of_(self_.node) <= self_.incarnation) {
    return "began anew as " + Describe(node.self()) + " for what " + sender.node + " said";
  }
  if (anew) return "";
  // One link may go: this one, or an older one of the same member.
  if (node.links().up() + 1 < linked_) return "lost links with others for what " + sender.node + " said";
  return "";
}

}  // namespace leasemap::sim
