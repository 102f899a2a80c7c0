// The memory, connections and streams that the gRPC side of a node may use. Flags set them; docs/limits.md lists them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace leasemap::rpc {

struct Limits {
  // Bytes of memory that the process may use (host/memory.h); 0: not known.
  uint64_t memory = 0;
  // Clients' connections at once: each costs two descriptors and some 100 KiB.
  size_t connections = 10'000;
  // Watch and Subscribe streams at once, each kind: each costs some kilobytes, and a look at each change.
  size_t watches = 10'000;
  // A connection is closed by gRPC when it has this age, give or take a tenth, so that clients spread over nodes that
  // came later. Its watches end with a cursor and DRAINING, subscriptions with DRAINING; other calls have half of the
  // time to end.
  std::chrono::milliseconds connection_age{3'600'000};
  // A request must arrive completely within this time: a megabyte at 140 kbit/s.
  std::chrono::milliseconds arrive{60'000};
};

// For how long a stream goes on whose connection has this age: until gRPC has said GOAWAY. gRPC counts from the end of
// the handshake: if that took long, a caller that comes back on the same connection is refused for as long.
inline std::chrono::milliseconds TimeLeft(std::chrono::milliseconds connection_age, std::chrono::milliseconds age) {
  return std::max(connection_age * 11 / 10 - age, std::chrono::milliseconds(0));
}

}  // namespace leasemap::rpc
