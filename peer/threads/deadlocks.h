// The locks of libraries.
#pragma once

#include "absl/synchronization/mutex.h"

namespace leasemap {

// Debian's Abseil, of which gRPC has its locks, looks for deadlocks at each of them, in one graph under one lock for
// all threads. Call it first in main.
inline void LetLibrariesLookForNoDeadlocks() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace leasemap
