#include "clients/cpp/io/loop.h"

#include <grpc/support/time.h>
#include <pthread.h>

#include <algorithm>

#include "clients/cpp/io/clock.h"

namespace leasemap::internal {
namespace {

// The loop looks at its timers after this time at the latest: timers are of the boot-time clock, and the queue waits by
// one that does not run while the machine sleeps. So a lease that lapsed in a sleep is told as lost a second after it.
constexpr absl::Duration kWaitMost = absl::Seconds(1);

gpr_timespec After(absl::Duration wait) {
  return gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC),
      gpr_time_from_micros(absl::ToInt64Microseconds(absl::Ceil(wait, absl::Microseconds(1))), GPR_TIMESPAN));
}

}  // namespace

Loop::Loop() : thread_([this] { Run(); }) {
  // For debuggers and top. Named from here, the thread has its name when a program can first count it.
  pthread_setname_np(thread_.native_handle(), "leasemap-loop");
}

Loop::~Loop() { End(); }

bool Loop::Post(Task task) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return false;
  posted_.push_back(std::move(task));
  if (!woken_) {
    woken_ = true;
    // Long ago: gRPC's timers are of milliseconds, and one of now would fire with the next.
    alarm_.Set(&queue_, gpr_time_0(GPR_CLOCK_MONOTONIC), &alarm_);
  }
  return true;
}

void Loop::End() {
  Post([this] { ending_ = true; });
  absl::MutexLock lock(&joining_);
  if (thread_.joinable()) thread_.join();
}

grpc::CompletionQueue* Loop::Begin() {
  ++operations_;
  return &queue_;
}

Loop::Timer Loop::At(Moment when, Task task) {
  const Timer timer{when, ++last_timer_};
  timers_.emplace(timer, std::move(task));
  return timer;
}

void Loop::Cancel(const Timer& timer) { timers_.erase(timer); }

void Loop::Hurry() {
  std::map<Timer, Task> all;
  all.swap(timers_);
  for (auto& [timer, task] : all) task();
}

void Loop::Run() {
  while (true) {
    RunTasks();
    RunTimers();
    if (TryEnd()) break;
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, After(Wait())) != grpc::CompletionQueue::GOT_EVENT) continue;
    if (tag == &alarm_) {
      absl::MutexLock lock(&mutex_);
      woken_ = false;
      continue;
    }
    --operations_;
    static_cast<Operation*>(tag)->Done(ok);
  }
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) continue;  // the alarm, if it was set
}

void Loop::RunTasks() {
  std::vector<Task> tasks;
  {
    absl::MutexLock lock(&mutex_);
    tasks.swap(posted_);
  }
  for (Task& task : tasks) task();
}

void Loop::RunTimers() {
  const Moment now = BootTime();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const Task task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
  }
}

bool Loop::TryEnd() {
  if (!ending_ || operations_ > 0) return false;
  absl::MutexLock lock(&mutex_);
  ended_ = posted_.empty();
  return ended_;
}

absl::Duration Loop::Wait() {
  {
    absl::MutexLock lock(&mutex_);
    if (!posted_.empty()) return absl::ZeroDuration();
  }
  if (timers_.empty()) return ending_ ? kWaitMost : absl::Hours(1);
  return std::clamp(timers_.begin()->first.first - BootTime(), absl::ZeroDuration(), kWaitMost);
}

}  // namespace leasemap::internal
