// What becomes of what was written under a clock that was ahead (ceiling.h): who fixes a ceiling, who takes another's,
// and who of two sides yields.
//
//   the clock is agreed upon, or was set and nobody is there    → FixCeiling: this node's map asks for one
//   a handshake                                                 → AgreeOnCeiling: both sides tell, and judge alike
//   a report on a link that is up                               → CheckCeilings: the same without haste
//
// Whether two clocks agree is measured in a handshake, in the same round trip in which the ceilings are told. So who
// has to yield learns it there; on a link that is up a node goes down to a peer's ceiling if all that it holds fits
// below, and else shakes hands again. Who yields serves reads from its old map until it has the peer's, and what only
// it held there, too (node_reset.cc).
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/node.h"

namespace leasemap::core {
namespace {

std::string ShownTime(int64_t ms) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::FromUnixMillis(ms), absl::UTCTimeZone());
}

}  // namespace

// Told to all before any entry that needs it. What is left of a map that its holders took with them needs one, too: a
// node that is not ready fixes it, unless a ready one is there to take it from.
void Node::FixCeiling(Now now) {
  if (!replica_.ceiling_note().empty() && replica_.ceiling().EffectiveAt(now.wall_ms) == 0) {
    replica_.NoteCeiling("");
    Log(false, "this node's clock has passed the ceiling: all is as it was before it was set back");
  }
  const auto has_map = [](const Link& link) { return link.ceiling.theirs().map; };
  const bool fixes = HoldsMap() || (HoldsPart() && !links_.AnyUp(has_map));
  if (!clock_guard_.settled() || !fixes || !replica_.FixCeiling(now.wall_ms)) return;
  replica_.NoteCeiling(absl::StrCat("the map holds writes of a clock that was ahead; until ",
                                    ShownTime(replica_.ceiling().at_ms()), " writes go on above them"));
  Log(true, replica_.ceiling_note());
  Changed();
  SendReports(now, true);
}

// The lowest ceiling of those that a node without a map can take one from: of the ready members; where there is none,
// of those, itself among them, that hold a part of a map.
std::optional<LowerCeiling> Node::LowestCeiling(Now now, LinkId except) const {
  std::optional<int64_t> lowest, lowest_part;
  if (HoldsPart()) lowest_part = replica_.ceiling().EffectiveAt(now.wall_ms);
  // Of the map that this node's own was given up for.
  if (retirement_.for_ceiling()) {
    (retirement_.for_part() ? lowest_part : lowest) = replica_.ceiling().EffectiveAt(now.wall_ms);
  }
  for (const auto& [id, link] : links_) {
    const CeilingWord& word = link.ceiling.theirs();
    if (id == except || !link.up() || !(word.map || word.part)) continue;
    const int64_t ceiling_ms = word.ceiling_ms > now.wall_ms ? word.ceiling_ms : 0;
    auto& least = word.map ? lowest : lowest_part;
    if (!least || ceiling_ms < *least) least = ceiling_ms;
  }
  if (lowest) return LowerCeiling{*lowest, false};
  if (lowest_part) return LowerCeiling{*lowest_part, true};
  return std::nullopt;
}

void Node::TakeCeiling(Now now, int64_t ceiling_ms, const std::string& from) {
  if (replica_.ceiling().EffectiveAt(now.wall_ms) == ceiling_ms) return;
  replica_.TakeCeiling(ceiling_ms);
  replica_.NoteCeiling(ceiling_ms == 0
                           ? ""
                           : absl::StrCat("the map holds writes of a clock that was ahead, says ", Shown(from),
                                          "; until ", ShownTime(ceiling_ms), " writes go on above them"));
  Log(true, ceiling_ms == 0 ? absl::StrCat("no ceiling any more, as at ", Shown(from)) : replica_.ceiling_note());
  Changed();
}

// All links go with a reset.
void Node::YieldTo(Now now, const std::string& node, VectorPtr vector, LowerCeiling ceiling) {
  if (replica_.ceiling().Fits(ceiling.ms, now.wall_ms)) return TakeCeiling(now, ceiling.ms, node);
  Reset(now,
        absl::StrCat("this node's map holds writes of a clock that was ahead, and that of ", Shown(node), " does not"),
        std::move(vector), ceiling);
}

// False if the link was closed.
bool Node::AgreeOnCeiling(Now now, LinkId id, Link& link, const Accept& accept) {
  const Report& report = accept.report;
  link.ceiling.Hear(report);
  CeilingWord theirs = link.ceiling.theirs();
  theirs.wall_ms = accept.wall_ms;
  const std::string node = link.node();
  const int64_t ceiling_ms = theirs.ceiling_ms > now.wall_ms ? theirs.ceiling_ms : 0;
  if (!link.ceiling.ours().map && theirs.map && !HoldsMap()) {
    const auto lowest = LowestCeiling(now, id);
    link.ceiling.Shun(lowest && ceiling_ms > lowest->ms);
    if (link.ceiling.shunned()) return true;
    YieldTo(now, node, report.vector, {ceiling_ms, false});
    if (!links_.contains(id)) return false;
    replica_.NoteCollectedEpoch(
        replica_.ReachAt(now.wall_ms).IsBeyond(report.collected_epoch, 0) ? 0 : report.collected_epoch);
    return true;
  }
  const int order = CompareCeilings(link.ceiling.ours(), theirs);
  if (order == 0) {
    if (theirs.part) links_.NoteCeiling();  // a node that has nothing takes it, once the link is up
    return true;
  }
  if (order > 0 && clock_guard_.settled()) YieldTo(now, node, report.vector, {ceiling_ms, theirs.part});
  if (links_.contains(id)) {
    Drop(now, id,
         absl::StrCat(order > 0 ? "this node" : Shown(node),
                      " has writes of a clock that was ahead, and goes down to what the other one has"));
  }
  return false;
}

// A node that takes its map from several goes by the lowest, and leaves the others alone until they have yielded.
void Node::FollowLowestCeiling(Now now) {
  const auto lowest = LowestCeiling(now, LinkId::kNone);
  if (!lowest) return;
  if (!replica_.ceiling().Fits(lowest->ms, now.wall_ms))
    return Reset(now, "a peer has a lower ceiling", nullptr, *lowest);
  TakeCeiling(now, lowest->ms, "its peers");
  for (auto& [id, link] : links_) {
    const CeilingWord& word = link.ceiling.theirs();
    link.ceiling.Shun(word.map && word.ceiling_ms > std::max(lowest->ms, now.wall_ms));
    if (link.ceiling.shunned()) readiness_.Drop(link.node());  // its map is not waited for either
  }
}

void Node::CheckCeilings(Now now) {
  links_.TakeCeilingNote();
  if (!clock_guard_.settled()) return;
  if (!HoldsMap()) return FollowLowestCeiling(now);
  std::vector<LinkId> lower;
  for (auto& [id, link] : links_) {
    link.ceiling.Shun(false);
    const CeilingWord& word = link.ceiling.theirs();
    if (!link.up() || !word.map) continue;
    // About to be passed by both clocks is as good as passed.
    const int64_t soon_ms = now.wall_ms + options_.rules.clock_bound_ms;
    const int64_t theirs_ms = word.ceiling_ms > soon_ms ? word.ceiling_ms : 0;
    if (theirs_ms >= replica_.ceiling().EffectiveAt(soon_ms)) continue;
    if (replica_.ceiling().Fits(theirs_ms, now.wall_ms)) {
      TakeCeiling(now, theirs_ms, link.node());
    } else if (link.clock_agrees()) {
      lower.push_back(id);
    }
  }
  for (const LinkId id : lower) {
    if (links_.contains(id)) Drop(now, id, "shaking hands again: the peer has a lower ceiling");
  }
}

}  // namespace leasemap::core
