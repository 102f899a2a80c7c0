// The sockets on which a port listens: one for each address of its host. Used by one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

struct addrinfo;

namespace leasemap::rpc {

class Listeners {
 public:
  ~Listeners() { Close(); }

  // Opens them and adds them to this epoll. Port 0: a free one. Empty host: all IPv4 addresses. UNAVAILABLE has the
  // error of the system.
  absl::Status Open(const std::string& host, uint16_t port, int epoll);
  void Close();
  bool empty() const { return sockets_.empty(); }
  bool Has(int fd) const;
  uint16_t port() const { return port_; }

 private:
  int OpenAt(const addrinfo& address, bool only_v6, int epoll);

  std::vector<int> sockets_;
  uint16_t port_ = 0;
};

}  // namespace leasemap::rpc
