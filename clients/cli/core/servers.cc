#include "clients/cli/core/servers.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "clients/cli/core/text.h"

namespace leasemap::cli {
namespace {

constexpr int kLargestPort = 65535;

absl::Status Wrong(absl::string_view server, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("\"", Escape({server.data(), server.size()}), "\" ", what));
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// host:port of a name or an address, and of the text after it: nothing, or a colon and a port.
absl::StatusOr<std::string> Join(absl::string_view server, absl::string_view host, absl::string_view rest) {
  if (rest.empty()) return absl::StrCat(host, ":", kDefaultPort);
  int port = 0;
  const absl::string_view digits = rest.substr(1);
  if (rest[0] != ':' || !IsDigits(digits))
    return Wrong(server, "has no port after the host: write host:port, as node1:7400");
  if (!absl::SimpleAtoi(digits, &port) || port < 1 || port > kLargestPort) {
    return Wrong(server, absl::StrCat("has the port ", digits, ": ports are 1 to ", kLargestPort));
  }
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<std::string> ParseServer(absl::string_view server) {
  if (absl::string_view::npos != server.find("://")) return Wrong(server, "is a URL: write host:port, as node1:7400");
  if (server[0] == '[') {
    const size_t end = server.find(']');
    if (end == absl::string_view::npos) return Wrong(server, "has no ] after the address: write [::1]:7400");
    const absl::string_view address = server.substr(1, end - 1);
    const bool is_address = std::count(address.begin(), address.end(), ':') >= 2 &&
                            address.find_first_of(" []/@") == absl::string_view::npos;
    if (!is_address) return Wrong(server, "has no IPv6 address in its brackets: write [::1]:7400, or host:port");
    return Join(server, server.substr(0, end + 1), server.substr(end + 1));
  }
  if (std::count(server.begin(), server.end(), ':') > 1) {
    return Wrong(server, "has several colons: write an IPv6 address in brackets, as [::1]:7400");
  }
  const size_t colon = std::min(server.find(':'), server.size());
  const absl::string_view host = server.substr(0, colon);
  if (host.empty()) return Wrong(server, "names no host: write host:port, as node1:7400");
  for (const char c : host) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || absl::string_view("/\\?#@[]\"'").find(c) != absl::string_view::npos) {
      return Wrong(server, "is no host: write host:port, as node1:7400, with commas between several");
    }
  }
  return Join(server, host, server.substr(colon));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseServers(std::string_view list) {
  std::vector<std::string> servers;
  for (absl::string_view part : absl::StrSplit(absl::string_view(list.data(), list.size()), ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty()) continue;
    const absl::StatusOr<std::string> server = ParseServer(part);
    if (!server.ok()) return server.status();
    servers.push_back(*server);
  }
  if (servers.empty()) return Wrong(list.empty() ? "" : absl::string_view(list.data(), list.size()), "names no server");
  return servers;
}

bool IsLoopback(std::string_view server) {
  const std::string_view host = server.substr(0, server.rfind(':'));
  if (host == "localhost" || host == "[::1]") return true;
  const auto is_of_ipv4 = [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.'; };
  return host.starts_with("127.") && std::all_of(host.begin(), host.end(), is_of_ipv4) &&
         std::count(host.begin(), host.end(), '.') == 3;
}

}  // namespace leasemap::cli
