// The servers that --server names: one, or several with commas between them, each with a port or without.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_SERVERS_H_
#define LEASEMAP_CLIENTS_CLI_CORE_SERVERS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace leasemap::cli {

// The port of a server that names none, where leasemapd listens by default.
inline constexpr int kDefaultPort = 7400;

// Each server as host:port, an IPv6 address in brackets. InvalidArgument says what is wrong with which one.
absl::StatusOr<std::vector<std::string>> ParseServers(std::string_view list);

// Whether what is sent to this host:port does not leave the machine: localhost, 127.0.0.0/8 or ::1. A name may be
// anywhere, also one that begins like such an address.
bool IsLoopback(std::string_view server);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_SERVERS_H_
