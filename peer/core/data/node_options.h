// What a node is told when it is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "peer/core/data/lease.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/timing.h"
#include "peer/core/data/value.h"

namespace leasemap::core {

struct NodeOptions {
  std::string node_id;
  std::string cluster = "leasemap";
  LeaseRules rules;
  std::string advertise;           // host:port; empty: found for each link
  std::vector<std::string> seeds;  // host:port
  uint64_t seed = 0;               // random bits for the incarnation and for jitter
  Timing timing;
  // Entries of one bulk message at most. 1 in the explorer (tests/sim/explore), where each entry travels alone.
  size_t batch_entries = kBatchEntries;
  size_t watch_events = kWatchBatchEvents, pass_after = kPassAfterEvents;
  size_t save_bytes = kSaveBytes;                // of the entries of one piece for the disk, one entry more at most
  size_t leave_out_bytes = Value::kSharedBytes;  // larger values travel once, and their renewals without them
  // Protocol versions spoken with peers; from version 7 on the simulator will run nodes of the version before.
  uint32_t protocol_min = kProtocolMin, protocol_max = kProtocolMax;
  int64_t forget_after_ms = kForgetAfterMs;  // a member that is silent for this time is forgotten
  size_t min_members = 1;             // the node is not ready before this many, itself included, have been linked once
  uint64_t max_bytes = kMaxMapBytes;  // that the map may take in memory (room.h)
  uint64_t max_keys = kMaxKeys;       // of the map, with the deleted ones that are still kept
  bool count_owners = false;          // what each owner has is counted (owners.h), so that writes may be bounded by it
  bool disk = false;                  // the shell saves what Node::TakeUnsaved gives, and says when it is saved
  bool lost_map = false;              // the disk had a map that cannot be read: another node's has to take its place
};

}  // namespace leasemap::core
