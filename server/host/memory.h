// Reads how much memory this process may use, and how much it uses.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "peer/core/data/mono_time.h"

namespace leasemap::host {

// Bytes that the process may use: the least of the machine's memory and of the limits of the control groups that it is
// in, version 1 and 2, its parents' too; it is ended by the kernel beyond that. `root` is where /proc and /sys are, for
// tests. 0: nothing can be read.
uint64_t MemoryLimit(const std::string& root = "");

// Bytes of memory of its own that the process holds now (files that are mapped aside): what counts against the limit.
uint64_t MemoryUsed();

// The default of --max-bytes: half of the limit. The other half is for calls under way, streams and links, for what
// members bring beyond the limit (core/room.h), for what is copied while it is changed, and for the allocator's holes.
uint64_t DefaultMapBytes(uint64_t limit);

// Bytes that gRPC may hold for running calls: an eighth of the limit, but enough for some requests of the largest size
// (a batch), and no more than it needs on a large machine.
uint64_t CallBytes(uint64_t limit);

// Checks, at most ten times a second, whether the memory of the process comes near to its limit. The count of the map
// is not asked.
class MemoryGuard {
 public:
  using Probe = uint64_t (*)();
  // With a limit of 0 it never does.
  explicit MemoryGuard(uint64_t limit, Probe used = MemoryUsed) : limit_(limit), used_(used) {}

  // True at 85 % of the limit. Any thread; costs a read of /proc/self/status when the last look is old.
  bool Short(core::MonoTime mono);
  uint64_t limit() const { return limit_; }

 private:
  const uint64_t limit_;
  const Probe used_;
  std::atomic<core::MonoTime> next_{};
  std::atomic<core::MonoTime> next_trim_{};
  std::atomic<bool> short_{false};
};

}  // namespace leasemap::host
