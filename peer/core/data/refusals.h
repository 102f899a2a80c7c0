// Reasons with which a handshake is refused and that this node itself looks at; the others are for people. Both sides
// log a reason, but for the first two.
#pragma once

namespace leasemap::core {

inline constexpr char kSelfReason[] = "SELF";                 // both ends are this node
inline constexpr char kDuplicateReason[] = "DUPLICATE_LINK";  // another link to the same member stays
inline constexpr char kDuplicateIdReason[] = "DUPLICATE_NODE_ID";
inline constexpr char kOtherClusterReason[] = "CLUSTER_MISMATCH";

}  // namespace leasemap::core
