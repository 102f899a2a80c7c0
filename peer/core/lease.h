// Admission: may this holder write this key now, and with which lease?
//
// Admission is local, reads the clock and may refuse; merging (entry.h) is global, reads no clock and never refuses.
// The epoch is what joins the two: one formula makes a lease that was renewed in this period outrank one that was last
// renewed in an earlier period, on nodes that never heard of one another:
//
//   epoch = max(previous epoch + (acquire ? 1 : 0), period_start_ms(now) << 22)
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peer/core/entry.h"

namespace leasemap::core {

// What all nodes of a cluster agree on (the handshake compares it), and the clock bound.
struct LeaseRules {
  bool leasing = true;
  int64_t period_ms = 3'600'000;  // the default lease, and the length of an epoch's period
  int64_t clock_bound_ms = 500;   // how far two nodes' clocks may differ
};

// Milliseconds: the start of the period that wall_ms falls in. With leasing off a period is 1 ms.
int64_t PeriodStartMs(const LeaseRules& rules, int64_t wall_ms);
// Epochs at or above this, and stamps above StampAt(wall_ms + 4 bounds), are bogus at wall_ms.
uint64_t EpochLimit(const LeaseRules& rules, int64_t wall_ms);
bool IsBogus(const LeaseRules& rules, const Entry& entry, int64_t wall_ms);

enum class Change { kSet, kDelete, kRenew, kRelease };

struct LeaseRequest {
  Change change = Change::kSet;
  std::string key;  // for messages
  std::string holder;
  std::optional<int64_t> duration_ms;  // as asked for; none: the default (Set) or as last asked for (Renew)
};

// LEASE_INVALID unless `ms` is 0 or within the limits of the API.
absl::Status CheckDuration(const LeaseRules& rules, int64_t ms);

// The lease that the write gets, or LEASE_HELD or EPOCH_LIMIT. `previous` is the entry it replaces, or null. A Release
// of a lease that is not live gives nullopt: nothing to change.
absl::StatusOr<std::optional<Lease>> Admit(const LeaseRules& rules, const Entry* previous, const LeaseRequest& request,
                                           int64_t wall_ms);

}  // namespace leasemap::core
