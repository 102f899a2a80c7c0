// The one thread on which a client decides: outcomes of gRPC's operations, timers, and tasks of other threads, one
// after another. What it owns needs no lock. It never waits for anything but the next of these, so nothing of a
// program's runs on it (Handlers has that).
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "clients/cpp/core/endpoints.h"

namespace leasemap::internal {

// An operation of gRPC that is under way; its address is the tag.
class Operation {
 public:
  virtual ~Operation() = default;
  // On the loop. May delete this object.
  virtual void Done(bool ok) = 0;
};

class Loop {
 public:
  using Task = std::function<void()>;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Any thread. The task runs on the loop; false if the loop has ended and the task will not run.
  bool Post(Task task);
  // Any other thread: ends the loop once no operation is under way, and all tasks have run. May be called again.
  void End();

  // On the loop alone:
  // An operation starts; its tag is an Operation.
  grpc::CompletionQueue* Begin();
  // A timer: when, and its number.
  using Timer = std::pair<Moment, uint64_t>;
  Timer At(Moment when, Task task);
  void Cancel(const Timer& timer);
  // Runs all timers now: what waits looks whether the client was closed.
  void Hurry();

 private:
  void Run();
  void RunTasks();
  void RunTimers();
  bool TryEnd();
  absl::Duration Wait();

  grpc::CompletionQueue queue_;
  absl::Mutex mutex_;  // guards what other threads say; held for one look
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;  // the alarm was set, and did not come out of the queue yet
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Alarm alarm_;  // wakes the loop
  // Of the loop's thread:
  std::map<Timer, Task> timers_;
  uint64_t last_timer_ = 0;
  int operations_ = 0;
  bool ending_ = false;
  absl::Mutex joining_;  // one End at a time
  std::thread thread_;
};

}  // namespace leasemap::internal
