// What a program's handler was registered for, and how it ends.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "clients/cpp/io/engine.h"

namespace leasemap::internal {

class Subscribed : public std::enable_shared_from_this<Subscribed> {
 public:
  explicit Subscribed(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
  virtual ~Subscribed() = default;

  // Any thread: no handler runs when this returns, unless it is the handler that calls.
  void Stop();

 protected:
  // On the thread for handlers: runs the program's code, unless it was stopped; false if it was.
  template <typename Task>
  bool RunUnlessStopped(Task task) {
    absl::MutexLock lock(&running_);
    if (stopped_.load()) return false;
    task();
    return !stopped_.load();
  }
  bool stopped() const { return stopped_.load(); }
  const std::shared_ptr<Engine>& engine() const { return engine_; }
  // On the loop, once, after a Stop.
  virtual void OnStopped() = 0;

 private:
  const std::shared_ptr<Engine> engine_;
  std::atomic<bool> stopped_ = false;
  absl::Mutex running_;  // held while the handler runs, so that Stop waits for it
};

}  // namespace leasemap::internal
