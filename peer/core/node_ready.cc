// Whether this node serves, and what it says of whom it does not reach. The rules are in readiness.h.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

void Node::UpdateReady(Now now) {
  const auto is_up = [](const auto& item) { return item.second.phase == Link::Phase::kUp; };
  if (readiness_.ready() && !readiness_.shut_out() && std::any_of(links_.begin(), links_.end(), is_up)) return;
  const auto has_peers_map = [&] { return HasPeersMap(now); };
  const bool needs_map = retired_ && retired_->whole && !retired_->for_part && !readiness_.has_full_map();
  Readiness::View view{now.mono_ms, self(), vector(), store().live_keys(), needs_map, membership_, {}, has_peers_map};
  for (const auto& [id, link] : links_) {
    const bool up = link.phase == Link::Phase::kUp;
    // Who answered our dial with a Hello is about to say what it covers.
    const bool shaking =
        link.phase == Link::Phase::kProbing || (link.dialed && link.phase == Link::Phase::kAwaitAccept);
    if (!up && !shaking) continue;
    const bool long_enough = up && now.mono_ms - link.opened_ms >= options_.timing.ready_after;
    view.links.push_back({link.peer.self.node, up, link.peer_whole, link.peer_settled, link.report, link.report_whole,
                          long_enough && link.report ? Believable(link.report) : nullptr, link.opened_ms});
  }
  Readiness::Change change = readiness_.Update(view);
  if (change.report) ++report_change_;
  effects_.changed |= change.seen;
  for (Effects::Log& line : change.log) Log(line.warning, std::move(line.text));
}

// Names what is not reached, and what keeps the node from being ready.
void Node::Warn(Now now) {
  if (!warnings_.Look(now.mono_ms)) return;
  std::map<std::string, std::string> states;
  for (const Unlinked& seed : membership_.UnlinkedSeeds()) {
    states.emplace("seed " + seed.name, absl::StrCat("seed ", seed.name, " is not linked: ", seed.cause));
  }
  if (const auto& waits = readiness_.waits_for(); !waits.empty()) {
    states.emplace("ready", absl::StrCat("not ready: ", waits.front().text));
  }
  for (std::string& text : warnings_.Due(now.mono_ms, states)) Log(true, std::move(text));
}

}  // namespace leasemap::core
