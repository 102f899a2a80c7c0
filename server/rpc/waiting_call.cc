#include "server/rpc/waiting_call.h"

#include <algorithm>
#include <chrono>

namespace leasemap::rpc {

int64_t PatienceMs(const grpc::CallbackServerContext& context) {
  using std::chrono::milliseconds;
  const auto deadline = context.deadline();
  const auto now = std::chrono::system_clock::now();
  // Without a deadline it is the end of all time, from which nothing can be counted in finer units.
  if (deadline > now + std::chrono::hours(24)) return INT64_MAX;
  return std::max<int64_t>(0, std::chrono::duration_cast<milliseconds>(deadline - now).count());
}

host::NodeHost::Done WaitingCall::Expect(std::function<void(const core::Effects::Answered&)> take) {
  {
    const MutexLock lock(mutex_);
    ++left_;
  }
  return [this, take = std::move(take)](const core::Effects::Answered& answered) {
    {
      const MutexLock lock(mutex_);
      take(answered);
    }
    Arrive();
  };
}

void WaitingCall::Began(core::WaitId wait) {
  if (wait == 0) return Arrive();
  const MutexLock lock(mutex_);
  waits_.push_back(wait);
}

void WaitingCall::OnCancel() {
  std::vector<core::WaitId> waits;
  {
    const MutexLock lock(mutex_);
    waits = waits_;
  }
  for (const core::WaitId wait : waits) {
    if (host_.CancelWait(wait)) Arrive();
  }
}

bool WaitingCall::IsLast() {
  const MutexLock lock(mutex_);
  if (--left_ > 0) return false;
  left_ = 1;  // the step that comes now
  return true;
}

void WaitingCall::Arrive() {
  while (IsLast()) {
    const absl::Status status = steps_[next_++](*this);
    if (!status.ok() || next_ == steps_.size()) return Finish(ToGrpc(status));
  }
}

}  // namespace leasemap::rpc
