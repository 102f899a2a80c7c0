// Whether this node serves, and what it says of whom it does not reach. The rules are in readiness.h.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

Readiness::View Node::ReadyView(Now now) const {
  const bool needs_map = retired_ && retired_->whole && !retired_->for_part && !whole_;
  Readiness::View view{now.mono_ms, replica_.vector(), replica_.store().live_keys(), whole_, needs_map, membership_,
                       {}};
  for (const auto& [id, link] : links_) {
    const bool up = link.phase == Phase::kUp;
    // Who answered our dial with a Hello is about to say what it covers.
    const bool shaking = link.phase == Phase::kProbing || (link.dialed && link.phase == Phase::kAwaitAccept);
    if (!up && !shaking) continue;
    const bool long_enough = up && now.mono_ms - link.opened_ms >= options_.timing.ready_after;
    view.links.push_back({link.peer.self.node, up, link.peer_whole, link.peer_settled, link.report, link.report_whole,
                          long_enough && link.report ? Believable(link.report) : nullptr, link.opened_ms});
  }
  return view;
}

void Node::UpdateReady(Now now) {
  if (ready_) return UpdateShutOut(now);
  const Readiness::View view = ReadyView(now);
  Readiness::Verdict verdict = readiness_.Judge(view);
  waits_for_ = std::move(verdict.waits);
  if (std::exchange(settled_, verdict.settled) != settled_) ++report_change_;
  if (waits_for_.empty() && !HasPeersMap(now)) {
    waits_for_.push_back({"", "the map to which this node's own yields is not whole here yet; reads go on"});
  }
  if (!waits_for_.empty()) return;
  ready_ = whole_ = true;
  settled_ = false;
  ++report_change_;
  effects_.changed = true;
  Log(false, absl::StrCat("ready: ", replica_.store().live_keys(), " keys"));
  if (const std::string doubt = readiness_.Doubt(view); !doubt.empty()) Log(true, doubt);
}

// A node that all others take another process for would go on serving, and its writes would reach nobody.
void Node::UpdateShutOut(Now now) {
  const bool linked =
      std::any_of(links_.begin(), links_.end(), [](const auto& l) { return l.second.phase == Phase::kUp; });
  const bool shut_out = !linked && readiness_.NameIsTaken(ReadyView(now));
  if (shut_out == shut_out_) return;
  shut_out_ = shut_out;
  effects_.changed = true;
  waits_for_.clear();
  if (!shut_out) return Log(false, "ready: this node's ID is its own again");
  waits_for_.push_back({"", absl::StrCat("another process runs as ", Shown(replica_.self().node),
                                         ", and the members refuse this one; stop one of the two, or give it another "
                                         "--node-id")});
  Log(true, absl::StrCat("not ready any more: ", waits_for_.front().text));
}

// Names what is not reached, and what keeps the node from being ready.
void Node::Warn(Now now) {
  if (!warnings_.Look(now.mono_ms)) return;
  std::map<std::string, std::string> states;
  for (const Unlinked& seed : membership_.UnlinkedSeeds()) {
    states.emplace("seed " + seed.name, absl::StrCat("seed ", seed.name, " is not linked: ", seed.cause));
  }
  if (!waits_for_.empty()) states.emplace("ready", absl::StrCat("not ready: ", waits_for_.front().text));
  for (std::string& text : warnings_.Due(now.mono_ms, states)) Log(true, std::move(text));
}

}  // namespace leasemap::core
