// Finds where the node of the same machine or container listens, from its variables and its file: for
// `leasemap healthcheck`.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_OWN_NODE_H_
#define LEASEMAP_CLIENTS_CLI_CORE_OWN_NODE_H_

#include <string>
#include <string_view>

namespace leasemap::cli {

// The value of `listen` in a configuration file of leasemapd; empty if it has none. As there, the last line counts.
std::string ListenOf(std::string_view config);

// The address to call for a --listen: all interfaces are reached through loopback. Empty if there is none to call.
std::string ServerAt(const std::string& listen);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_OWN_NODE_H_
