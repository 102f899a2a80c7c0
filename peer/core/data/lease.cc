#include "peer/core/data/lease.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "peer/core/data/error.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {

int64_t FloorS(int64_t ms) { return ms / 1000; }
int64_t CeilS(int64_t ms) { return (ms + 999) / 1000; }

absl::Status Held(const LeaseRules& rules, const Entry& entry, int64_t end_ms, int64_t wall_ms,
                  const std::string& key) {
  const Lease& lease = entry.lease;
  auto status =
      Refusal(absl::StatusCode::kFailedPrecondition, "LEASE_HELD",
              absl::StrCat("key \"", Shown(key), "\" is leased by ", Shown(lease.holder), " for ",
                           ShownDuration(end_ms - wall_ms), "; write through ", Shown(entry.dot.replica.node),
                           ", wait, or, if the lease is yours, name ", Shown(lease.holder), " as the holder"));
  AddMetadata(status, "holder", lease.holder);
  AddMetadata(status, "expire_time",
              absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", absl::FromUnixMillis(end_ms), absl::UTCTimeZone()));
  AddMetadata(status, "key", key);
  SetRetryMs(status, std::max<int64_t>(1, end_ms + rules.clock_bound_ms - wall_ms));
  return status;
}

absl::Status NotHeld(const LeaseRequest& request) {
  auto status = Refusal(absl::StatusCode::kFailedPrecondition, "LEASE_NOT_HELD",
                        absl::StrCat("key \"", Shown(request.key), "\": ", Shown(request.holder),
                                     " holds no lease of it any more, and others may have held it since; acquire it "
                                     "again (Set, or Renew without only_if_held) and check what changed"));
  AddMetadata(status, "key", request.key);
  AddMetadata(status, "holder", request.holder);
  return status;
}

enum class Verdict { kAcquire, kRenew, kHeld };

Verdict Judge(const LeaseRules& rules, const Entry* previous, int64_t end_ms, const LeaseRequest& request,
              int64_t wall_ms) {
  if (previous == nullptr || previous->tombstone || previous->lease.released || !rules.leasing) {
    return Verdict::kAcquire;
  }
  const Lease& lease = previous->lease;
  if (lease.holder == request.holder) {
    // To give it up is safe to the end: that only shortens it.
    const int64_t margin_ms = request.change == Change::kRelease ? 0 : rules.clock_bound_ms;
    const bool alive = lease.duration_ms == 0 || wall_ms < end_ms - margin_ms;
    return alive ? Verdict::kRenew : Verdict::kAcquire;
  }
  if (lease.duration_ms == 0) return Verdict::kAcquire;
  return wall_ms < end_ms + rules.clock_bound_ms ? Verdict::kHeld : Verdict::kAcquire;
}

int64_t DurationFor(const LeaseRules& rules, const Entry* previous, const LeaseRequest& request) {
  if (!rules.leasing) return 0;
  if (request.duration_ms) return *request.duration_ms;
  const bool as_before = request.change != Change::kSet && previous != nullptr && previous->lease.duration_ms > 0;
  return as_before ? previous->lease.duration_ms : rules.period_ms;
}

}  // namespace

int64_t PeriodStartMs(const LeaseRules& rules, int64_t wall_ms) {
  if (wall_ms < 0) return 0;
  return rules.leasing ? wall_ms - wall_ms % rules.period_ms : wall_ms;
}

uint64_t EpochLimit(const LeaseRules& rules, int64_t wall_ms) {
  const int64_t period = rules.leasing ? rules.period_ms : 1;
  const int64_t ahead_ms = wall_ms + kBogusBounds * rules.clock_bound_ms;
  return static_cast<uint64_t>(PeriodStartMs(rules, ahead_ms) + period) << kEpochShift;
}

bool Reach::IsBeyond(uint64_t epoch, uint64_t stamp) const { return epoch >= epoch_limit || StampMs(stamp) > stamp_ms; }

Reach ReachOf(const LeaseRules& rules, int64_t wall_ms, int64_t ceiling_ms) {
  return {std::max(EpochLimit(rules, wall_ms), static_cast<uint64_t>(ceiling_ms) << kEpochShift),
          std::max(wall_ms + kBogusBounds * rules.clock_bound_ms, ceiling_ms)};
}

int64_t LeaseEnd(const LeaseRules& rules, const Entry& entry, int64_t wall_ms, int64_t age_ms) {
  const Lease& lease = entry.lease;
  if (lease.expire_ms <= wall_ms) return lease.expire_ms;
  const int64_t asked_ms = lease.released || entry.tombstone ? 0 : lease.duration_ms;
  const int64_t margin_ms = kBogusBounds * rules.clock_bound_ms;
  const int64_t by_mono_ms = wall_ms - age_ms + asked_ms;
  const bool too_long = lease.expire_ms - wall_ms > asked_ms + margin_ms;
  const bool was_too_long = lease.expire_ms - by_mono_ms > asked_ms / 8 + margin_ms;
  return too_long || was_too_long ? by_mono_ms : lease.expire_ms;
}

bool IsSameLease(const Lease& a, const Lease& b) {
  if (a.holder != b.holder || a.start_s != b.start_s) return false;
  return a.epoch == b.epoch || a.epoch >> kEpochShift != b.epoch >> kEpochShift;
}

bool IsHeld(const Lease& lease, const Entry* present, int64_t wall_ms) {
  if (present == nullptr || present->tombstone || present->lease.released) return false;
  return IsSameLease(lease, present->lease) && wall_ms < present->lease.expire_ms;
}

bool IsRenewal(const Entry& before, const Entry& after) {
  const auto lives = [](const Entry& entry) {
    return !entry.tombstone && !entry.value_gone && !entry.lease.released && entry.lease.duration_ms > 0;
  };
  return lives(before) && lives(after) && ValueDot(before) == ValueDot(after) && IsSameLease(before.lease, after.lease);
}

absl::Status CheckDuration(const LeaseRules& rules, int64_t ms) {
  const int64_t least = 4 * rules.clock_bound_ms;
  if (!rules.leasing && ms != 0) {
    return Refusal(absl::StatusCode::kInvalidArgument, "LEASE_INVALID",
                   "lease_duration: leasing is off in this cluster; leave it unset or 0");
  }
  if (ms == 0 || (ms >= least && ms <= kMaxLeaseMs)) return absl::OkStatus();
  return Refusal(absl::StatusCode::kInvalidArgument, "LEASE_INVALID",
                 absl::StrCat("lease_duration: ", ms, " ms is not allowed; give 0 (no lease) or ", least,
                              " ms (four times the bound on clock skew) to 100 years"));
}

absl::StatusOr<std::optional<Lease>> Admit(const LeaseRules& rules, const Entry* previous, const LeaseRequest& request,
                                           int64_t wall_ms, const Standing& standing) {
  const int64_t end_ms = standing.end_ms.value_or(previous ? previous->lease.expire_ms : 0);
  const Verdict verdict = Judge(rules, previous, end_ms, request, wall_ms);
  if (verdict == Verdict::kHeld) return Held(rules, *previous, end_ms, wall_ms, request.key);
  const bool renew = verdict == Verdict::kRenew;
  if (request.only_if_held && (!renew || previous->lease.duration_ms == 0)) return NotHeld(request);
  if (request.change == Change::kRelease && (!renew || previous->lease.duration_ms == 0)) return std::nullopt;

  Lease lease;
  lease.holder = request.holder;
  const uint64_t after_collected = standing.collected_epoch == 0 ? 0 : standing.collected_epoch + 1;
  lease.epoch = std::max(previous ? previous->lease.epoch + (renew ? 0 : 1) : after_collected,
                         static_cast<uint64_t>(PeriodStartMs(rules, wall_ms)) << kEpochShift);
  if (lease.epoch >= ReachOf(rules, wall_ms, standing.ceiling_ms).epoch_limit) {
    return Refusal(absl::StatusCode::kResourceExhausted, "EPOCH_LIMIT",
                   "the key changed hands too often in this lease period, or this node's clock is behind; wait until "
                   "the next period, and check the clocks");
  }
  lease.start_s = renew ? previous->lease.start_s : std::max(FloorS(wall_ms), previous ? CeilS(end_ms) : 0);
  lease.duration_ms = DurationFor(rules, previous, request);
  const bool gives_up = request.change == Change::kDelete || request.change == Change::kRelease;
  lease.expire_ms = wall_ms + (gives_up ? 0 : lease.duration_ms);
  lease.released = gives_up;
  return lease;
}

}  // namespace leasemap::core
