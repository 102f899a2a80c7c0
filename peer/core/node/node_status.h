// What a node says of itself: for people and for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "peer/core/data/disk_state.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/message.h"
#include "peer/core/mesh/membership.h"

namespace leasemap::core {

struct NodeStatus {
  DiskState disk;  // with the option `disk`
  ReplicaId self;
  bool ready = false;
  bool converged = false;
  uint64_t keys = 0, bytes = 0, map_hash = 0;
  VectorPtr vector;
  std::vector<Member> members;  // others, by node ID; those that are gone too
  uint64_t remembered = 0;      // members that are not gone, this node included
  uint64_t resets = 0, hash_alarms = 0, collected = 0;
  int64_t ceiling_ms = 0;  // UTC; 0: none
  std::vector<std::string> notes;
  std::vector<Unlinked> unlinked_seeds;       // seeds that lead to no member
  std::vector<Unlinked> unreachable_members;  // remembered and not linked
  size_t quarantined = 0;                     // members that are refused now because they broke the rules
  uint64_t cut_offs = 0;                      // how often one was cut off
  uint64_t max_keys = 0;                      // of the map, with the deleted ones that are still kept
  uint64_t held_bytes = 0, max_bytes = 0;     // of memory, and how much it may be (room.h)
  uint64_t left_out = 0;                      // entries of members that had no room, each time that they came
};

// How much a node holds of what limits.h bounds.
struct Usage {
  size_t own_log = 0, own_log_bytes = 0;
  size_t requests = 0, waits = 0, explains = 0;
  size_t conflicts = 0, conflict_bytes = 0;
  size_t refusals = 0;  // that stand in the log
  size_t links = 0, members = 0, targets = 0;
  size_t quarantined = 0, rates = 0;
  size_t folded = 0;  // incarnations of which it is known how far they went
};

}  // namespace leasemap::core
