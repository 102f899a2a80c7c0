#include "server/rpc/listeners.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace leasemap::rpc {

absl::Status Listeners::Open(const std::string& host, uint16_t port, int epoll) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  const std::string name = host.empty() ? "0.0.0.0" : host;
  if (const int error = getaddrinfo(name.c_str(), absl::StrCat(port).c_str(), &hints, &found)) {
    return absl::UnavailableError(gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  port_ = port;
  int error = 0;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    // [::] alone takes IPv4 too; of a name with several addresses each has its own listener.
    error = OpenAt(*address, found->ai_next != nullptr, epoll);
    if (error == EADDRINUSE) break;
  }
  // An address of a family that this machine has not is left out.
  if (!sockets_.empty() && error != EADDRINUSE) return absl::OkStatus();
  Close();
  return absl::UnavailableError(std::generic_category().message(error));
}

// 0, or the error.
int Listeners::OpenAt(const addrinfo& address, bool only_v6, int epoll) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  sockaddr_storage at{};
  socklen_t size = sizeof(at);
  std::memcpy(&at, address.ai_addr, address.ai_addrlen);
  in_port_t& port = address.ai_family == AF_INET ? reinterpret_cast<sockaddr_in&>(at).sin_port
                                                 : reinterpret_cast<sockaddr_in6&>(at).sin6_port;
  port = htons(port_);
  const int on = 1, v6_alone = only_v6 ? 1 : 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_alone, sizeof(v6_alone));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (bind(fd, reinterpret_cast<sockaddr*>(&at), address.ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0 ||
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    const int error = errno;
    close(fd);
    return error;
  }
  port_ = ntohs(port);
  sockets_.push_back(fd);
  return 0;
}

void Listeners::Close() {
  for (const int fd : sockets_) close(fd);
  sockets_.clear();
}

bool Listeners::Has(int fd) const { return std::find(sockets_.begin(), sockets_.end(), fd) != sockets_.end(); }

}  // namespace leasemap::rpc
