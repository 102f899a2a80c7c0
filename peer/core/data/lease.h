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
#include "peer/core/data/entry.h"

namespace leasemap::core {

// What all nodes of a cluster agree on (the handshake compares it), and the clock bound.
struct LeaseRules {
  bool leasing = true;
  int64_t period_ms = 3'600'000;  // the default lease, and the length of an epoch's period
  int64_t clock_bound_ms = 500;   // how far two nodes' clocks may differ
};

// Milliseconds: the start of the period that wall_ms falls in. With leasing off a period is 1 ms.
int64_t PeriodStartMs(const LeaseRules& rules, int64_t wall_ms);
// How far ahead an entry may be: what is beyond is bogus, never made and refused from a peer.
struct Reach {
  uint64_t epoch_limit = 0;  // epochs at or above this
  int64_t stamp_ms = 0;      // stamps above this, UTC
  bool IsBeyond(uint64_t epoch, uint64_t stamp) const;
};
// An epoch is the start of a period in milliseconds, and below that a count of acquisitions in this many bits.
inline constexpr int kEpochShift = 22;
// By the clock alone: epochs of the period after the one that it may be in, and stamps of more than four bounds ahead.
uint64_t EpochLimit(const LeaseRules& rules, int64_t wall_ms);
// With a ceiling (ceiling.h; 0: none), whichever is higher.
Reach ReachOf(const LeaseRules& rules, int64_t wall_ms, int64_t ceiling_ms = 0);
inline bool IsBogus(const Reach& reach, const Entry& entry) { return reach.IsBeyond(entry.lease.epoch, entry.stamp); }

// UTC milliseconds: when the entry's lease ends by a clock that is right. As a rule that is its expire_ms. But a lease
// that has more left than its duration and four bounds was made under a clock that was ahead: it ends its duration
// after this node saw the entry come, `age_ms` ago by the monotonic clock. It stays so to its end: an eighth of the
// duration is far more than clocks drift and are slewed, and tells such a lease when less is left of it.
int64_t LeaseEnd(const LeaseRules& rules, const Entry& entry, int64_t wall_ms, int64_t age_ms);

// Whether both are of one lease: an acquisition and its renewals. A holder that gives a lease up and takes it again may
// get the same start; within a period the epoch tells the two apart, and a renewal of a later period has that one's.
bool IsSameLease(const Lease& a, const Lease& b);

// Whether `after`, which takes the place of `before`, only renewed its lease: the same live lease, and the same value.
// For watches that is no change, but a kind of event of its own.
bool IsRenewal(const Entry& before, const Entry& after);

// Whether `lease` is still held by who got it, where `present` is what the map has of its key by now (null: nothing).
bool IsHeld(const Lease& lease, const Entry* present, int64_t wall_ms);

enum class Change { kSet, kDelete, kRenew, kRelease };

struct LeaseRequest {
  Change change = Change::kSet;
  std::string key;  // for messages
  std::string holder;
  std::optional<int64_t> duration_ms;  // as asked for; none: the default (Set) or as last asked for (Renew)
  bool only_if_held = false;           // Renew: not if it would acquire
};

// LEASE_INVALID unless `ms` is 0 or within the limits of the API.
absl::Status CheckDuration(const LeaseRules& rules, int64_t ms);

// What this node knows beside the two.
struct Standing {
  std::optional<int64_t> end_ms;  // LeaseEnd of the previous entry; none: its expire_ms
  int64_t ceiling_ms = 0;         // ceiling.h
  uint64_t collected_epoch = 0;   // the highest of what was collected; 0: nothing was
};

// The lease that the write gets, or LEASE_HELD, LEASE_NOT_HELD (only_if_held) or EPOCH_LIMIT. `previous` is the entry
// it replaces, or null. A Release of a lease that is not live gives nullopt: nothing to change.
absl::StatusOr<std::optional<Lease>> Admit(const LeaseRules& rules, const Entry* previous, const LeaseRequest& request,
                                           int64_t wall_ms, const Standing& standing = {});

}  // namespace leasemap::core
