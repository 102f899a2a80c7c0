// The lock of the node, watched from outside: which call holds it, and whether it is stuck.
//
// The lock is held for microseconds. If one call holds it through several looks of the watchdog, something is wrong (a
// bug, a machine without memory, a debugger): the log names the call, and the owner is notified, so that health turns
// NOT_SERVING and clients use other nodes. A call that only waited for long is logged when it got the lock. The
// watchdog counts looks instead of time, so that it stays silent when the whole process slept and not only that call.
//
// Without contention a call pays two stores for it, and no look at a clock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "peer/threads/mutex.h"

namespace leasemap::host {

class ABSL_LOCKABLE WatchedMutex {
 public:
  // A wait longer than this is worth a line: the lock's holders are a million times faster.
  static constexpr std::chrono::milliseconds kLongWait{1000};

  // `call` lives for ever.
  void Lock(const char* call) ABSL_EXCLUSIVE_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (!mutex_.TryLock()) WaitFor(call);
    // Only the holder writes, so nothing need be read back.
    turn_.store(++turns_, std::memory_order_relaxed);
    call_.store(call, std::memory_order_relaxed);
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    call_.store(nullptr, std::memory_order_relaxed);
    mutex_.Unlock();
  }
  // For functions that a function under the lock was given: clang does not see that it is held.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() {}

  // The call that holds the lock; null: none. The turn counts holders, so that two short calls of one name differ from
  // one long call.
  struct Seen {
    const char* call;
    uint64_t turn;
  };
  Seen Look() const { return {call_.load(std::memory_order_relaxed), turn_.load(std::memory_order_relaxed)}; }
  // The longest wait since the last call of this, if it was a long one; null: none.
  struct Waited {
    const char* call;
    int64_t ms;
  };
  Waited TakeLongest();

 private:
  void WaitFor(const char* call) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex_);

  Mutex mutex_;
  uint64_t turns_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<uint64_t> turn_{0};
  std::atomic<const char*> call_{nullptr};
  Mutex waits_mutex_;
  Waited longest_ ABSL_GUARDED_BY(waits_mutex_){nullptr, 0};
};

// Holds the lock while it lives, in the name of a call.
class ABSL_SCOPED_LOCKABLE Hold {
 public:
  Hold(WatchedMutex& mutex, const char* call) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex.Lock(call); }
  ~Hold() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  Hold(const Hold&) = delete;

 private:
  WatchedMutex& mutex_;
};

class Watchdog {
 public:
  // The time between two looks. A lock that one call holds through five of them, more than a second, is stuck.
  static constexpr std::chrono::milliseconds kEvery{250};
  static constexpr int kLooks = 5;

  // `changed` is called, on the watchdog's thread, when the lock gets stuck and when it is free again.
  Watchdog(WatchedMutex& mutex, std::function<void()> changed, std::chrono::milliseconds every = kEvery);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  // `changed` is called no more.
  void Stop();

  bool stuck() const { return stuck_.load(std::memory_order_acquire); }
  // For people: the call that is stuck, or was within the last ten minutes; empty if there is none.
  std::string Describe() const;

 private:
  void Run();
  bool StopsWithin(std::chrono::milliseconds time);
  void Look();

  WatchedMutex& mutex_;
  const std::function<void()> changed_;
  const std::chrono::milliseconds every_;
  WatchedMutex::Seen seen_{nullptr, 0};  // the watchdog's thread
  int looks_ = 0;                        // the watchdog's thread: how often it saw seen_
  std::atomic<bool> stuck_{false};
  mutable Mutex state_mutex_;
  Condition wake_;
  bool stopping_ ABSL_GUARDED_BY(state_mutex_) = false;
  std::string last_ ABSL_GUARDED_BY(state_mutex_);  // what happened last
  std::chrono::steady_clock::time_point last_at_ ABSL_GUARDED_BY(state_mutex_);
  std::thread thread_;
};

}  // namespace leasemap::host
