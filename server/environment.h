// Variables named LEASEMAP_… that are none of leasemapd's: most are misspelt, and would else be ignored without a word.
#pragma once

#include <string>
#include <vector>

namespace leasemap {

// One warning for each such variable of an environment (`NAME=value` each), which names the one that is most like it.
// None for what Kubernetes sets for a service of this name, and for the command line's own.
std::vector<std::string> UnknownVariables(const std::vector<std::string>& environment);

// LEASEMAP_NODE_ID for node-id.
std::string VariableOf(const std::string& flag);

}  // namespace leasemap
