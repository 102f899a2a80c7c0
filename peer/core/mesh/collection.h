// What a node may let go of because everybody knows: deletes, lapsed keys, and the processes of the past.
//
// A tombstone goes once it is old enough that no new write can fall below it (an hour, the lease period, and the
// current period's start, which must have passed by every trusted clock: the epoch formula of lease.h), and every
// remembered member covers it, so that nobody can bring back what it deleted (causal stability: Baquero, Almeida and
// Shoker, "Making Operation-Based CRDTs Operation-Based", 2014, section 4). What was collected is kept as a floor,
// against which those who were not remembered are judged (floors.h).
//
// Processes that ended, and of which all members cover the same, become part of the past (past.h): those of nodes that
// started again, and those of nodes that left or were forgotten.
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "peer/core/data/effects.h"
#include "peer/core/data/lease.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/sync/replica.h"

namespace leasemap::core {

// How long what is dead is kept at least.
int64_t KeptDeadMs(const LeaseRules& rules);

// Both calls do something every few seconds, and may be made more often. The node has to be ready.
class Collection {
 public:
  // Lets go of dead keys. Another member has to agree with this node's clock: by one's own word alone it is not good
  // enough, since what goes too early is not to be had again. `forget_after_ms`: so long a member whose disk takes
  // nothing is waited for.
  void Collect(Now now, const LeaseRules& rules, int64_t forget_after_ms, Membership& membership, Replica& replica);

  // What a linked member said last of whom it knows.
  using PeersOf = absl::FunctionRef<const Peers&(const std::string& node)>;
  // Folds processes that ended.
  void Fold(Now now, const Membership& membership, PeersOf peers_of, Replica& replica);

 private:
  friend struct Inside;  // see node.h

  MonoTime next_collect_, next_fold_;
};

}  // namespace leasemap::core
