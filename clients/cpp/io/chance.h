// Chance: for pauses, first nodes and names.
#pragma once

#include <string>

namespace leasemap::internal {

// Uniform in [0, 1).
double Chance();
// This number of random bytes, in hex digits.
std::string RandomHex(int bytes);
// A holder of this client's own: host, process and chance.
std::string DefaultHolder();

}  // namespace leasemap::internal
