#include "peer/core/node/node_ceiling.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {

std::string ShownTime(int64_t ms) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::FromUnixMillis(ms), absl::UTCTimeZone());
}

}  // namespace

// Told to all before any entry that needs it. What is left of a map that its holders took with them needs one, too: a
// node that is not ready fixes it, unless a ready one is there to take it from.
void Node::Ceilings::Fix() {
  if (!node_.replica_.ceiling_note().empty() && node_.replica_.ceiling().EffectiveAt(now_.wall_ms) == 0) {
    node_.replica_.NoteCeiling("");
    node_.Log(false, "this node's clock has passed the ceiling: all is as it was before it was set back");
  }
  const auto has_map = [](const Link& link) { return link.ceiling.theirs().map; };
  const bool fixes = node_.HoldsMap() || (node_.HoldsPart() && !node_.links_.AnyUp(has_map));
  if (!node_.clock_guard_.settled() || !fixes || !node_.replica_.FixCeiling(now_.wall_ms)) return;
  node_.replica_.NoteCeiling(absl::StrCat("the map holds writes of a clock that was ahead; until ",
                                          ShownTime(node_.replica_.ceiling().at_ms()), " writes go on above them"));
  node_.Log(true, node_.replica_.ceiling_note());
  node_.Changed();
  node_.SendReports(now_, true);
}

// The lowest ceiling of those that a node without a map can take one from: of the ready members; where there is none,
// of those, itself among them, that hold a part of a map.
std::optional<LowerCeiling> Node::Ceilings::Lowest(LinkId except) const {
  std::optional<int64_t> lowest, lowest_part;
  if (node_.HoldsPart()) lowest_part = node_.replica_.ceiling().EffectiveAt(now_.wall_ms);
  // Of the map that this node's own was given up for.
  if (node_.retirement_.for_ceiling()) {
    (node_.retirement_.for_part() ? lowest_part : lowest) = node_.replica_.ceiling().EffectiveAt(now_.wall_ms);
  }
  for (const auto& [id, link] : node_.links_) {
    const CeilingWord& word = link.ceiling.theirs();
    if (id == except || !link.up() || !(word.map || word.part)) continue;
    const int64_t ceiling_ms = word.ceiling_ms > now_.wall_ms ? word.ceiling_ms : 0;
    auto& least = word.map ? lowest : lowest_part;
    if (!least || ceiling_ms < *least) least = ceiling_ms;
  }
  if (lowest) return LowerCeiling{*lowest, false};
  if (lowest_part) return LowerCeiling{*lowest_part, true};
  return std::nullopt;
}

void Node::Ceilings::Take(int64_t ceiling_ms, const std::string& from) {
  if (node_.replica_.ceiling().EffectiveAt(now_.wall_ms) == ceiling_ms) return;
  node_.replica_.TakeCeiling(ceiling_ms);
  node_.replica_.NoteCeiling(ceiling_ms == 0
                                 ? ""
                                 : absl::StrCat("the map holds writes of a clock that was ahead, says ", Shown(from),
                                                "; until ", ShownTime(ceiling_ms), " writes go on above them"));
  node_.Log(true,
            ceiling_ms == 0 ? absl::StrCat("no ceiling any more, as at ", Shown(from)) : node_.replica_.ceiling_note());
  node_.Changed();
}

// All links go with a reset.
void Node::Ceilings::YieldTo(const std::string& node, VectorPtr vector, LowerCeiling ceiling) {
  if (node_.replica_.ceiling().Fits(ceiling.ms, now_.wall_ms)) return Take(ceiling.ms, node);
  node_.Reset(
      now_,
      absl::StrCat("this node's map holds writes of a clock that was ahead, and that of ", Shown(node), " does not"),
      std::move(vector), ceiling);
}

bool Node::Ceilings::Agree(LinkId id, Link& link, const Accept& accept) {
  const Report& report = accept.report;
  link.ceiling.Hear(report);
  CeilingWord theirs = link.ceiling.theirs();
  theirs.wall_ms = accept.wall_ms;
  const std::string node = link.node();
  const int64_t ceiling_ms = theirs.ceiling_ms > now_.wall_ms ? theirs.ceiling_ms : 0;
  if (!link.ceiling.ours().map && theirs.map && !node_.HoldsMap()) {
    const auto lowest = Lowest(id);
    link.ceiling.Shun(lowest && ceiling_ms > lowest->ms);
    if (link.ceiling.shunned()) return true;
    YieldTo(node, report.vector, {ceiling_ms, false});
    if (!node_.links_.contains(id)) return false;
    node_.replica_.NoteCollectedEpoch(
        node_.replica_.ReachAt(now_.wall_ms).IsBeyond(report.collected_epoch, 0) ? 0 : report.collected_epoch);
    return true;
  }
  const int order = CompareCeilings(link.ceiling.ours(), theirs);
  if (order == 0) {
    if (theirs.part) node_.links_.NoteCeiling();  // a node that has nothing takes it, once the link is up
    return true;
  }
  if (order > 0 && node_.clock_guard_.settled()) YieldTo(node, report.vector, {ceiling_ms, theirs.part});
  if (node_.links_.contains(id)) {
    node_.Drop(now_, id,
               absl::StrCat(order > 0 ? "this node" : Shown(node),
                            " has writes of a clock that was ahead, and goes down to what the other one has"));
  }
  return false;
}

// A node that takes its map from several goes by the lowest, and leaves the others alone until they have yielded.
void Node::Ceilings::FollowLowest() {
  const auto lowest = Lowest(LinkId::kNone);
  if (!lowest) return;
  if (!node_.replica_.ceiling().Fits(lowest->ms, now_.wall_ms))
    return node_.Reset(now_, "a peer has a lower ceiling", nullptr, *lowest);
  Take(lowest->ms, "its peers");
  for (auto& [id, link] : node_.links_) {
    const CeilingWord& word = link.ceiling.theirs();
    link.ceiling.Shun(word.map && word.ceiling_ms > std::max(lowest->ms, now_.wall_ms));
    if (link.ceiling.shunned()) node_.readiness_.Drop(link.node());  // its map is not waited for either
  }
}

void Node::Ceilings::Check() {
  node_.links_.TakeCeilingNote();
  if (!node_.clock_guard_.settled()) return;
  if (!node_.HoldsMap()) return FollowLowest();
  std::vector<LinkId> lower;
  for (auto& [id, link] : node_.links_) {
    link.ceiling.Shun(false);
    const CeilingWord& word = link.ceiling.theirs();
    if (!link.up() || !word.map) continue;
    // About to be passed by both clocks is as good as passed.
    const int64_t soon_ms = now_.wall_ms + node_.options_.rules.clock_bound_ms;
    const int64_t theirs_ms = word.ceiling_ms > soon_ms ? word.ceiling_ms : 0;
    if (theirs_ms >= node_.replica_.ceiling().EffectiveAt(soon_ms)) continue;
    if (node_.replica_.ceiling().Fits(theirs_ms, now_.wall_ms)) {
      Take(theirs_ms, link.node());
    } else if (link.clock_agrees()) {
      lower.push_back(id);
    }
  }
  for (const LinkId id : lower) {
    if (node_.links_.contains(id)) node_.Drop(now_, id, "shaking hands again: the peer has a lower ceiling");
  }
}

}  // namespace leasemap::core
