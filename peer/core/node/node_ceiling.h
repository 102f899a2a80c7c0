// What becomes of what was written under a clock that was ahead (ceiling.h): who fixes a ceiling, who takes another's,
// and who of two sides yields.
//
//   the clock is agreed upon, or was set and nobody is there    → Fix: this node's map asks for one
//   a handshake                                                 → Agree: both sides tell, and judge alike
//   a report on a link that is up                               → Check: the same without haste
//
// Whether two clocks agree is measured in a handshake, in the same round trip in which the ceilings are told. So who
// has to yield learns it there; on a link that is up a node goes down to a peer's ceiling if all that it holds fits
// below, and else shakes hands again. Who yields serves reads from its old map until it has the peer's, and what only
// it held there, too (node_reset.cc).
#pragma once

#include <optional>
#include <string>

#include "peer/core/node/node.h"

namespace leasemap::core {

// For the time of one call.
class Node::Ceilings {
 public:
  Ceilings(Node& node, Now now) : node_(node), now_(now) {}

  // This node's map gets a ceiling if it needs one.
  void Fix();
  // In a handshake; false if the link was closed.
  bool Agree(LinkId id, Link& link, const Accept& accept);
  // By what is known of all that are linked.
  void Check();

 private:
  std::optional<LowerCeiling> Lowest(LinkId except) const;
  void Take(int64_t ceiling_ms, const std::string& from);
  void YieldTo(const std::string& node, VectorPtr vector, LowerCeiling ceiling);
  void FollowLowest();

  Node& node_;
  const Now now_;
};

}  // namespace leasemap::core
