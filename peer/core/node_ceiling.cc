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
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {
namespace {

std::string ShownTime(int64_t ms) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::FromUnixMillis(ms), absl::UTCTimeZone());
}

}  // namespace

// In a handshake it counts what this node would fix if the clock is right: the peer is just about to confirm that.
CeilingWord Node::OurWord(Now now) const {
  const int64_t ceiling_ms =
      replica_.vector().empty() ? replica_.ceiling().at_ms() : replica_.ceiling().NeededAt(now.wall_ms);
  return {ceiling_ms, HoldsMap(), now.wall_ms, HoldsPart()};
}

// Told to all before any entry that needs it. What is left of a map that its holders took with them needs one, too: a
// node that is not ready fixes it, unless a ready one is there to take it from.
void Node::FixCeiling(Now now) {
  if (!ceiling_note_.empty() && replica_.ceiling().EffectiveAt(now.wall_ms) == 0) {
    ceiling_note_.clear();
    Log(false, "this node's clock has passed the ceiling: all is as it was before it was set back");
  }
  const auto map_at = [](const auto& item) { return item.second.phase == Link::Phase::kUp && item.second.word.map; };
  const bool fixes = HoldsMap() || (HoldsPart() && !std::any_of(links_.begin(), links_.end(), map_at));
  if (!clock_guard_.settled() || !fixes || !replica_.FixCeiling(now.wall_ms)) return;
  ceiling_note_ = absl::StrCat("the map holds writes of a clock that was ahead; until ",
                               ShownTime(replica_.ceiling().at_ms()), " writes go on above them");
  Log(true, ceiling_note_);
  ++report_change_;
  effects_.changed = true;
  for (auto& [id, link] : links_) {
    if (link.phase == Link::Phase::kUp) SendReport(now, id, link);
  }
}

// The lowest ceiling of those that a node without a map can take one from: of the ready members; where there is none,
// of those, itself among them, that hold a part of a map.
std::optional<LowerCeiling> Node::LowestCeiling(Now now, LinkId except) const {
  std::optional<int64_t> lowest, lowest_part;
  if (HoldsPart()) lowest_part = replica_.ceiling().EffectiveAt(now.wall_ms);
  // Of the map that this node's own was given up for.
  if (retired_ && retired_->for_ceiling)
    (retired_->for_part ? lowest_part : lowest) = replica_.ceiling().EffectiveAt(now.wall_ms);
  for (const auto& [id, link] : links_) {
    if (id == except || link.phase != Link::Phase::kUp || !(link.word.map || link.word.part)) continue;
    const int64_t ceiling_ms = link.word.ceiling_ms > now.wall_ms ? link.word.ceiling_ms : 0;
    auto& least = link.word.map ? lowest : lowest_part;
    if (!least || ceiling_ms < *least) least = ceiling_ms;
  }
  if (lowest) return LowerCeiling{*lowest, false};
  if (lowest_part) return LowerCeiling{*lowest_part, true};
  return std::nullopt;
}

void Node::TakeCeiling(Now now, int64_t ceiling_ms, const std::string& from) {
  if (replica_.ceiling().EffectiveAt(now.wall_ms) == ceiling_ms) return;
  replica_.TakeCeiling(ceiling_ms);
  ceiling_note_ = ceiling_ms == 0 ? ""
                                  : absl::StrCat("the map holds writes of a clock that was ahead, says ", Shown(from),
                                                 "; until ", ShownTime(ceiling_ms), " writes go on above them");
  Log(true, ceiling_ms == 0 ? absl::StrCat("no ceiling any more, as at ", Shown(from)) : ceiling_note_);
  ++report_change_;
  effects_.changed = true;
}

// Links go with a reset: `link` as well.
void Node::YieldTo(Now now, const Link& link, VectorPtr vector, LowerCeiling ceiling) {
  const std::string node = link.peer.self.node;
  if (replica_.ceiling().Fits(ceiling.ms, now.wall_ms)) return TakeCeiling(now, ceiling.ms, node);
  Reset(now, std::move(vector),
        absl::StrCat("this node's map holds writes of a clock that was ahead, and that of ", Shown(node), " does not"),
        ceiling);
}

// What the peer says of its ceiling, and whether it has a map: older ones say neither. Who is not sure of its clock
// says nothing, and may have another ceiling in a moment.
void Node::NoteCeiling(Link& link, const Report& report) {
  const bool map = link.tells_ceiling ? report.holds_map && report.ceiling_ms : report.whole && !report.vector->empty();
  const bool part = link.tells_ceiling && report.ceiling_ms && !report.holds_map && !report.vector->empty();
  link.word = {report.ceiling_ms.value_or(0), map, 0, part};
}

// False if the link was closed.
bool Node::AgreeOnCeiling(Now now, LinkId id, Link& link, const Accept& accept) {
  const Report& report = accept.report;
  link.tells_ceiling = report.ceiling_ms.has_value();
  NoteCeiling(link, report);
  CeilingWord theirs = link.word;
  theirs.wall_ms = accept.wall_ms;
  const std::string node = link.peer.self.node;
  const int64_t ceiling_ms = theirs.ceiling_ms > now.wall_ms ? theirs.ceiling_ms : 0;
  if (!link.told.map && theirs.map && !HoldsMap()) {
    const auto lowest = LowestCeiling(now, id);
    link.shunned = lowest && ceiling_ms > lowest->ms;
    if (link.shunned) return true;
    YieldTo(now, link, report.vector, {ceiling_ms, false});
    if (!links_.contains(id)) return false;
    replica_.NoteCollectedEpoch(ReachAt(now).IsBeyond(report.collected_epoch, 0) ? 0 : report.collected_epoch);
    return true;
  }
  const int order = CompareCeilings(link.told, theirs);
  if (order == 0) {
    check_ceilings_ |= theirs.part;  // who has nothing takes it, once the link is up
    return true;
  }
  if (order > 0 && clock_guard_.settled()) YieldTo(now, link, report.vector, {ceiling_ms, theirs.part});
  if (links_.contains(id)) {
    Drop(now, id,
         absl::StrCat(order > 0 ? "this node" : Shown(node),
                      " has writes of a clock that was ahead, and goes down to what the other one has"));
  }
  return false;
}

// Who takes its map from several goes by the lowest, and leaves the others alone until they have yielded.
void Node::FollowLowestCeiling(Now now) {
  const auto lowest = LowestCeiling(now, 0);
  if (!lowest) return;
  if (!replica_.ceiling().Fits(lowest->ms, now.wall_ms))
    return Reset(now, nullptr, "a peer has a lower ceiling", *lowest);
  TakeCeiling(now, lowest->ms, "its peers");
  for (auto& [id, link] : links_) {
    link.shunned = link.word.map && link.word.ceiling_ms > std::max(lowest->ms, now.wall_ms);
    if (link.shunned) readiness_.Drop(link.peer.self.node);  // its map is not waited for either
  }
}

void Node::CheckCeilings(Now now) {
  check_ceilings_ = false;
  if (!clock_guard_.settled()) return;
  if (!HoldsMap()) return FollowLowestCeiling(now);
  std::vector<LinkId> lower;
  for (auto& [id, link] : links_) {
    link.shunned = false;
    if (link.phase != Link::Phase::kUp || !link.word.map) continue;
    // About to be passed by both clocks is as good as passed.
    const int64_t soon_ms = now.wall_ms + options_.rules.clock_bound_ms;
    const int64_t theirs_ms = link.word.ceiling_ms > soon_ms ? link.word.ceiling_ms : 0;
    if (theirs_ms >= replica_.ceiling().EffectiveAt(soon_ms)) continue;
    if (replica_.ceiling().Fits(theirs_ms, now.wall_ms)) {
      TakeCeiling(now, theirs_ms, link.peer.self.node);
    } else if (link.clock_agrees) {
      lower.push_back(id);
    }
  }
  for (const LinkId id : lower) {
    if (links_.contains(id)) Drop(now, id, "shaking hands again: the peer has a lower ceiling");
  }
}

// Nothing that the peer had for whose map the old one is given up may be missing from reads for a moment. If the peer
// is gone with what only it had, the old map is asked for that.
bool Node::HasPeersMap(Now now) {
  if (!yielding() || !retired_->peer || replica_.vector().Covers(*retired_->peer)) return true;
  if (now.mono_ms - retired_->since_ms < YieldPatienceMs()) return false;
  retired_->peer.reset();
  return true;
}

int64_t Node::LeaseEndOf(Now now, const Store::Slot& slot) const {
  return LeaseEnd(options_.rules, *slot.entry, now.wall_ms, now.mono_ms - slot.changed_ms);
}

Standing Node::StandingOf(Now now, const Store::Slot* slot) const {
  Standing standing;
  if (slot != nullptr) standing.end_ms = LeaseEndOf(now, *slot);
  standing.ceiling_ms = replica_.ceiling().at_ms();
  standing.collected_epoch = replica_.ceiling().collected_epoch();
  return standing;
}

}  // namespace leasemap::core
