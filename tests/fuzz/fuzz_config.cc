// A configuration file is either refused with words, or every flag has a value that its own check takes again.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "server/options.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace leasemap;
  // A file in memory, always the same one.
  static const int file = memfd_create("config", 0);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  const auto reading = ReadOptions({"--config=/proc/self/fd/" + std::to_string(file)}, "host", "version");
  if (!reading.ok()) {
    if (reading.status().message().empty()) std::abort();
    return 0;
  }
  if (reading->options.node.node_id.empty() || reading->values.size() != Flags().size()) std::abort();
  return 0;
}
