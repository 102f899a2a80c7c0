// Who is below whose floor, and what can be believed of a floor (docs/design-upkeep.md, section 5.4).
//
// A node that was away while others collected deletes may still hold what they deleted: their tombstones can't tell it
// any more. So one of the two has to give its map up for the other's.
#pragma once

#include <string>

#include "peer/core/data/message.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/sync/replica.h"

namespace leasemap::core {

// Whether a node that covers `vector`, on the ground of `own` floor, may hold what was deleted and collected up to
// `floor`. One that holds nothing does not.
bool IsBelow(const VersionVector& vector, const VersionVector& own, const VersionVector& floor);

// Which of the two sides of a new link is to be reset.
enum class Yields { kNobody, kSelf, kPeer };
// Both sides know the same and come to the same. `has_full_map`: of this node; the peer's is in its report.
Yields JudgeFloors(const Replica& replica, bool has_full_map, const std::string& peer, const Report& report);

// A floor names writes that were made: of the members that this node is linked with none that they did not report.
bool IsCredible(const VersionVector& floor, const Replica& replica, const Membership& membership);

}  // namespace leasemap::core
