// The URI of a certificate is either refused or exactly what the encoder makes.
#include <cstdint>
#include <cstdlib>

#include "peer/tls/identity.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace leasemap::tls;
  const std::string_view uri(reinterpret_cast<const char*>(data), size);
  if (const auto identity = ParseUri(uri); identity && UriOf(*identity) != uri) std::abort();
  return 0;
}
