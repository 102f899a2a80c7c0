// Host names to addresses, as the host itself resolves them: getaddrinfo(3), so that /etc/hosts, search domains and the
// host's own services count.
//
// getaddrinfo waits, for half a minute where a name server is dead. So each lookup has a thread of its own for as long
// as it lasts, and one name that hangs holds up no other. IPv4 and IPv6 are two lookups: where one has answered, the
// other is waited for only a moment longer (RFC 8305, section 3). A caller waits for kResolveMs at most; the threads
// may go on, and the next call for that name waits for them instead of starting others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "asio/io_context.hpp"
#include "asio/ip/address.hpp"

namespace leasemap::net {

// Lookups at once, two for each name: enough for all seeds (64, server/options.cc). Further ones fail, and are tried
// again.
inline constexpr size_t kMaxLookups = 128;
inline constexpr int kOtherFamilyMs = 50;  // RFC 8305, section 3: "Resolution Delay"

class Resolver {
 public:
  // `error`: for people; empty if there are addresses.
  using Done = std::function<void(const std::string& error, const std::vector<asio::ip::address>& addresses)>;

  // Calls and callbacks are on the thread that runs `io`.
  explicit Resolver(asio::io_context& io);
  ~Resolver();
  Resolver(const Resolver&) = delete;

  // Calls `done` once, later, within kResolveMs; never after Stop.
  void Resolve(const std::string& host, Done done);
  void Stop();

 private:
  struct Request;
  struct State;
  std::shared_ptr<State> state_;  // shared with the threads, which may outlive this
};

}  // namespace leasemap::net
