#include "peer/core/data/check.h"

#include <cstdio>
#include <cstdlib>

namespace leasemap::core {

void CheckFailed(const char* condition, const char* file, int line, const std::string& values) {
  std::fprintf(stderr, "%s:%d: an invariant does not hold: %s %s\n", file, line, condition, values.c_str());
  std::abort();
}

}  // namespace leasemap::core
