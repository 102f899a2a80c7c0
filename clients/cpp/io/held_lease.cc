#include "clients/cpp/io/held_lease.h"

#include <algorithm>

#include "clients/cpp/core/status.h"
#include "clients/cpp/io/clock.h"

namespace leasemap::internal {
namespace {

// Who waits for the end looks at the deadline after this time at the latest: the machine may have slept.
constexpr absl::Duration kLookMost = absl::Seconds(1);

}  // namespace

HeldLease::HeldLease(std::string key, const LeaseOptions& options)
    : key_(std::move(key)), options_(options), state_(options.duration, !options.persistent) {}

bool HeldLease::Held() const {
  absl::MutexLock lock(&mutex_);
  return state_.Held(BootTime());
}

absl::Duration HeldLease::Left() const {
  absl::MutexLock lock(&mutex_);
  return state_.Left(BootTime());
}

Entry HeldLease::entry() const {
  absl::MutexLock lock(&mutex_);
  return state_.entry().value_or(Entry{});
}

std::string HeldLease::fencing_token() const {
  absl::MutexLock lock(&mutex_);
  return state_.entry() ? state_.entry()->fencing_token : "";
}

bool HeldLease::ephemeral() const {
  absl::MutexLock lock(&mutex_);
  return state_.ephemeral();
}

absl::Status HeldLease::status() const {
  absl::MutexLock lock(&mutex_);
  return StatusLocked();
}

absl::Status HeldLease::StatusLocked() const {
  if (state_.stage() == Stage::kLost) return LostStatus(key_, state_.why());
  if (state_.stage() == Stage::kReleased) {
    return MakeStatus(absl::StatusCode::kAborted, reason::kLeaseReleased,
                      "the lease on " + ShowKey(key_) + " was given up");
  }
  return state_.Held(BootTime()) ? absl::OkStatus() : LostStatus(key_, "its time ran out");
}

bool HeldLease::IsOver() const { return !state_.Held(BootTime()); }

bool HeldLease::WaitOver(absl::Duration most) const {
  const Moment end = BootTime() + most;
  absl::MutexLock lock(&mutex_);
  while (!IsOver()) {
    const absl::Duration left = std::min(end - BootTime(), state_.Left(BootTime()));
    if (left <= absl::ZeroDuration()) break;
    mutex_.AwaitWithTimeout(absl::Condition(this, &HeldLease::IsOver), std::min(left, kLookMost));
  }
  return IsOver();
}

void HeldLease::WhenLost(OnLost on_lost, const Run& run) {
  absl::MutexLock lock(&mutex_);
  if (state_.stage() == Stage::kLost) {
    run([on_lost = std::move(on_lost), status = StatusLocked()] { on_lost(status); });
  } else if (state_.stage() != Stage::kReleased) {
    on_lost_.push_back(std::move(on_lost));
  }
}

LeaseState HeldLease::Look() const {
  absl::MutexLock lock(&mutex_);
  return state_;
}

bool HeldLease::End(Stage stage, const std::string& why, const Run& run) {
  absl::MutexLock lock(&mutex_);
  if (!state_.End(stage, why)) return false;
  std::vector<OnLost> all;
  all.swap(on_lost_);
  if (stage != Stage::kLost) return true;
  for (OnLost& each : all) run([on_lost = std::move(each), status = StatusLocked()] { on_lost(status); });
  return true;
}

}  // namespace leasemap::internal
