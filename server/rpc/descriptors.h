// File descriptors: how many this process may have, and how many connections of clients they are enough for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leasemap::rpc {

// The most connections of clients for this number of file descriptors. Each takes two; members and the rest keep a
// part.
size_t ConnectionsFor(uint64_t descriptors, size_t wanted);
// Raises this process's soft limit on file descriptors to the hard one; returns the new one.
uint64_t RaiseDescriptorLimit();

}  // namespace leasemap::rpc
