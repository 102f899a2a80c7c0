// One lease that a client keeps, as the loop changes it and the program's threads see it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "clients/cpp/core/lease_state.h"
#include "leasemap/options.h"

namespace leasemap::internal {

class HeldLease {
 public:
  HeldLease(std::string key, const LeaseOptions& options);

  const std::string& key() const { return key_; }
  const LeaseOptions& options() const { return options_; }

  // Any thread:
  bool Held() const;
  absl::Duration Left() const;
  Entry entry() const;
  std::string fencing_token() const;
  bool ephemeral() const;
  // OK while it is held; LEASE_LOST, LEASE_RELEASED.
  absl::Status status() const;
  // Waits until it is over, for this time at most; true if it is.
  bool WaitOver(absl::Duration most) const;
  // Called once with the status when it is lost (not when it is given up), by `run`. At once if it is lost already.
  using OnLost = std::function<void(const absl::Status&)>;
  using Run = std::function<void(std::function<void()>)>;
  void WhenLost(OnLost on_lost, const Run& run);

  // On the loop, which alone changes the state:
  LeaseState Look() const;
  template <typename Question>
  auto Ask(Question question) const {
    absl::MutexLock lock(&mutex_);
    return question(state_);
  }
  template <typename Change>
  auto With(Change change) {
    absl::MutexLock lock(&mutex_);
    return change(state_);
  }
  // It is over; false if it was before. Those who wait for a loss are called by `run`.
  bool End(Stage stage, const std::string& why, const Run& run);

 private:
  bool IsOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status StatusLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string key_;
  const LeaseOptions options_;
  mutable absl::Mutex mutex_;  // guards what follows; held for one look or change
  LeaseState state_ ABSL_GUARDED_BY(mutex_);
  std::vector<OnLost> on_lost_ ABSL_GUARDED_BY(mutex_);
};

using LeasePtr = std::shared_ptr<HeldLease>;

}  // namespace leasemap::internal
