// What the gRPC side of a node may take of the machine: set by flags, told in docs/limits.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace leasemap::rpc {

struct Limits {
  // Of memory, that the process may use (host/memory.h); 0: none is known.
  uint64_t memory = 0;
  // Clients' connections at once: each costs two descriptors and some 100 KiB.
  size_t connections = 10'000;
  // Watch and Subscribe streams at once, each kind: each costs some kilobytes, and a look at each change.
  size_t watches = 10'000;
  // A request comes whole within that: a megabyte at 140 kbit/s.
  std::chrono::milliseconds arrive{60'000};
};

}  // namespace leasemap::rpc
