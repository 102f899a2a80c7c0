// Finds the word that a mistyped one was meant to be. The command line asks it for commands and for options.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_SUGGEST_H_
#define LEASEMAP_CLIENTS_CLI_CORE_SUGGEST_H_

#include <string>
#include <string_view>
#include <vector>

namespace leasemap::cli {

// The known word that is nearest to the mistyped one; the first of several that are equally near. Empty if none is
// near: at most one letter in three may differ, or one word must begin with the other (stat, status).
std::string Nearest(std::string_view mistyped, const std::vector<std::string>& known);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_SUGGEST_H_
