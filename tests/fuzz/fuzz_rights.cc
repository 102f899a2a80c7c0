// A file of rights is either refused, with words, or gives principals that are found by name and whose rights answer.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/rights/rights.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace leasemap::rights;
  const auto rights = Rights::Parse(std::string(reinterpret_cast<const char*>(data), size));
  if (!rights.ok()) {
    if (rights.status().message().empty()) std::abort();
    return 0;
  }
  if ((*rights)->size() == 0 || (*rights)->hash() == 0) std::abort();
  for (const auto& [name, principal] : (*rights)->principals()) {
    if (principal->name != name || !principal->MayHold(name) || !principal->MayHold(name + "/x")) std::abort();
    for (const std::string& prefix : principal->read) {
      if (!principal->MayRead(prefix + "k") || !principal->MayReadPrefix(prefix)) std::abort();
    }
  }
  return 0;
}
