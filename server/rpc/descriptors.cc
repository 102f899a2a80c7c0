#include "server/rpc/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace leasemap::rpc {
namespace {

// Links of members (peer/net/transport.cc: 768), files, and gRPC's own; half of very few descriptors.
constexpr uint64_t kReserved = 1024;
// No node has more clients than this, and a table of this size costs nothing.
constexpr rlim_t kMostDescriptors = 1 << 20;

}  // namespace

size_t ConnectionsFor(uint64_t descriptors, size_t wanted) {
  const uint64_t room = (descriptors - std::min(kReserved, descriptors / 2)) / 2;
  return std::clamp<uint64_t>(wanted, 1, std::max<uint64_t>(room, 1));
}

uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  const rlim_t wanted = std::min(limit.rlim_max, std::max(limit.rlim_cur, kMostDescriptors));
  if (wanted > limit.rlim_cur) {
    rlimit raised = limit;
    raised.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur;
}

}  // namespace leasemap::rpc
