#include "peer/core/mesh/floors.h"

namespace leasemap::core {

bool IsBelow(const VersionVector& vector, const VersionVector& own, const VersionVector& floor) {
  return !vector.empty() && !vector.CoversFloor(floor, own);
}

Yields JudgeFloors(const Replica& replica, bool has_full_map, const std::string& peer, const Report& report) {
  static const VersionVector kNone;
  const VersionVector& theirs = report.floor ? *report.floor : kNone;
  const bool we = IsBelow(replica.vector(), replica.floor(), theirs);
  const bool they = IsBelow(*report.vector, theirs, replica.floor());
  if (!we && !they) return Yields::kNobody;
  // The side that does not have the map yet gives up what little it has, whichever is below.
  if (has_full_map != report.whole) return has_full_map ? Yields::kPeer : Yields::kSelf;
  if (we && they) return replica.self().node > peer ? Yields::kSelf : Yields::kPeer;
  return we ? Yields::kSelf : Yields::kPeer;
}

bool IsCredible(const VersionVector& floor, const Replica& replica, const Membership& membership) {
  const VersionVector all = floor.Expanded();
  for (const auto& [process, coverage] : all.runs()) {
    if (process == replica.self()) {
      if (coverage.Top() >= replica.own_log().end()) return false;
      continue;
    }
    const auto member = membership.members().find(process.node);
    if (member == membership.members().end() || member->second.linked_as != process.incarnation) continue;
    const VectorPtr& own = member->second.report;
    if (own && member->second.relayed_by.empty() && !own->CoversPrefix({process, coverage.Top()})) return false;
  }
  return true;
}

}  // namespace leasemap::core
