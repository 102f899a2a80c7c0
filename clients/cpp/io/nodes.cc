#include "clients/cpp/io/nodes.h"

#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/io/chance.h"
#include "clients/cpp/io/clock.h"

namespace leasemap::internal {
namespace {

// With this service config gRPC asks the node's health service, and fails calls at once while the node says NOT_SERVING
// (it is not ready, or drains). Only round_robin checks health; the client itself goes round the nodes.
constexpr char kServiceConfig[] =
    R"({"loadBalancingConfig":[{"round_robin":{}}],"healthCheckConfig":{"serviceName":""}})";
// A watch may bring a value of 1 MiB with its lease beside it; the server's own bound on a message is 16 MiB.
constexpr int kMessageMost = 16 << 20;

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 || inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

std::string Join(const std::string& host, const std::string& port) {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

// The target as gRPC takes it: an address is never looked up.
std::string Uri(const std::string& target) {
  const std::optional<HostPort> parts = SplitHostPort(target);
  if (!parts || !IsAddress(parts->host)) return absl::StrCat("dns:///", target);
  return absl::StrCat(parts->host.find(':') == std::string::npos ? "ipv4:" : "ipv6:", target);
}

std::vector<std::string> AddressesOf(const std::string& host) {
  if (IsAddress(host)) return {host};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<std::string> addresses;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) == 0) {
    for (const addrinfo* each = found; each; each = each->ai_next) {
      std::array<char, NI_MAXHOST> text{};
      if (getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
        addresses.emplace_back(text.data());
      }
    }
    freeaddrinfo(found);
  }
  return addresses.empty() ? std::vector<std::string>{host} : addresses;
}

}  // namespace

Addresses LookUp(const std::vector<std::string>& endpoints) {
  Addresses found;
  for (const std::string& endpoint : endpoints) {
    const std::optional<HostPort> parts = SplitHostPort(endpoint);
    if (!parts) continue;  // SplitEndpoints left none of these
    for (const std::string& address : AddressesOf(parts->host)) {
      found.targets.push_back(Join(address, parts->port));
      found.names[found.targets.back()] = endpoint;
    }
  }
  return found;
}

Nodes::Nodes(std::vector<std::string> endpoints, Access& access)
    : given_(std::move(endpoints)), access_(access), looked_(BootTime()), endpoints_({}, Chance) {
  for (const std::string& endpoint : given_) {
    const std::optional<HostPort> parts = SplitHostPort(endpoint);
    named_ = named_ || (parts && !IsAddress(parts->host));
  }
  Found(LookUp(given_));
}

const std::string& Nodes::Pick() {
  const std::string& home = endpoints_.Pick(BootTime());
  absl::MutexLock lock(&mutex_);
  home_ = home;
  return home;
}

absl::Duration Nodes::Pause() const { return endpoints_.Pause(BootTime()); }

absl::Status Nodes::Check() const {
  for (const auto& [target, name] : names_) {
    if (absl::Status status = access_.Check(target); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void Nodes::Failed(const std::string& target) {
  endpoints_.Failed(target, BootTime());
  const auto found = connections_.find(target);
  if (found != connections_.end() && found->second.files != access_.Files()) connections_.erase(found);
}

Nodes::Connection& Nodes::Connected(const std::string& target) {
  Connection& connection = connections_[target];
  if (!std::get<0>(connection.stubs)) {
    grpc::ChannelArguments args;
    args.SetServiceConfigJSON(kServiceConfig);
    args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    // Without these three a channel whose first attempt was refused may wait 5 to 10 s for the next. The second bounds
    // how long one attempt to connect may last, the others the pause between two.
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    // A node that vanished without a word is noticed within 13 s. Nodes allow one ping in 5 s. A watch sends nothing
    // for hours, and without the third gRPC would stop after two pings.
    args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
    args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
    args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    // Two clients of one program share no connection: a node counts watches by connection.
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // Nodes are next door: http_proxy is for the web.
    args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    args.SetMaxReceiveMessageSize(kMessageMost);
    // A node is of the name it was given by, whichever address that means: TLS asks for it.
    const auto name = names_.find(target);
    args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, name == names_.end() ? target : name->second);
    connection.files = access_.Files();
    const auto channel = grpc::CreateCustomChannel(Uri(target), access_.Credentials(), args);
    connection.stubs = {v1::KeyValue::NewStub(channel), v1::Mesh::NewStub(channel)};
  }
  return connection;
}

bool Nodes::WantsLookUp() {
  const Moment now = BootTime();
  if (!named_ || looking_ || now - looked_ < kLongestPause) return false;
  looking_ = true;
  looked_ = now;
  return true;
}

void Nodes::Found(const Addresses& found) {
  looking_ = false;
  names_ = found.names;
  endpoints_.Replace(found.targets);
  for (auto each = connections_.begin(); each != connections_.end();) {
    if (endpoints_.Has(each->first)) {
      ++each;
    } else {
      connections_.erase(each++);
    }
  }
  absl::MutexLock lock(&mutex_);
  home_ = endpoints_.home();
}

std::string Nodes::home() const {
  absl::MutexLock lock(&mutex_);
  return home_;
}

}  // namespace leasemap::internal
