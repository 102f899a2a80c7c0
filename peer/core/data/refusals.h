// Reasons with which a handshake is refused and that this node itself looks at; the others are for people. Both sides
// log a reason, but for the first two.
#pragma once

namespace leasemap::core {

inline constexpr char kSelf[] = "SELF";                 // both ends are this node
inline constexpr char kDuplicate[] = "DUPLICATE_LINK";  // another link to the same member stays
inline constexpr char kDuplicateId[] = "DUPLICATE_NODE_ID";
inline constexpr char kOtherCluster[] = "CLUSTER_MISMATCH";

}  // namespace leasemap::core
