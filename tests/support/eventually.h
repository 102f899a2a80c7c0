// Waits for a condition of real threads and sockets, with a bound: the only kind of waiting in tests.
#pragma once

#include <chrono>
#include <functional>

#include "peer/threads/mutex.h"

namespace leasemap::testing {

// Sanitizers on a busy machine are slow: the bound is for what would never come.
inline constexpr std::chrono::seconds kBound{30};

// True as soon as condition() is; false after the bound. Looks again each 2 ms.
inline bool Eventually(const std::function<bool()>& condition, std::chrono::milliseconds bound = kBound) {
  const auto end = std::chrono::steady_clock::now() + bound;
  Mutex mutex;
  Condition never;
  const MutexLock lock(mutex);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    never.WaitUntil(mutex, std::chrono::steady_clock::now() + std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace leasemap::testing
