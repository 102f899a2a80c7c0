#include "server/rpc/connections.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/tls/material.h"
#include "server/rpc/channelz.h"
#include "spdlog/spdlog.h"

namespace leasemap::rpc {
namespace {

using std::chrono::milliseconds;

// How often connections are looked at: in that time a fast link brings some 100 MiB at most, which gRPC's quota, three
// times the bound on unfinished bytes, still holds.
constexpr milliseconds kLookEvery{100};
// While an address is under a penalty: what it sends between two looks is begun by gRPC.
constexpr milliseconds kLookUnderPenalty{10};
// If no descriptor is left, or the port cannot be opened, the thread tries again after this time.
constexpr milliseconds kAgain{100};
// A refused client has this time to read the reason. At most this many refused connections are open at once.
constexpr milliseconds kRefusal{1000};
constexpr size_t kMaxRefusals = 64;
constexpr int kAcceptAtOnce = 64;
// Beside its bytes a request has two frame headers of 9 bytes, the length of its message, 5, and at least a byte for
// each of the seven headers that gRPC sends (RFC 9113, 4.1; gRPC over HTTP/2, "Requests").
constexpr uint64_t kFrames = 2 * 9 + 5 + 7;
// Of a connection that gRPC does not know: what its clients let be under way at once by default.
constexpr int64_t kUnknownRequests = 100;
// By then gRPC has let go of what an ended connection held; the allocator would keep it.
constexpr milliseconds kTrimAfter{2000};
// A host that vanished, without a word of TCP: found in 30 + 3 × 10 s when idle, and when it lets data wait.
constexpr int kKeepIdleS = 30, kKeepEveryS = 10, kKeepTimes = 3;
constexpr unsigned kUnackedMs = 60'000;

// As gRPC names a peer (grpc_sockaddr_to_uri): IPv4 within IPv6 is IPv4, brackets are escaped.
std::string PeerOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return absl::StrCat("ipv4:", text, ":", ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof(text));
    return absl::StrCat("ipv4:", text, ":", ntohs(v6.sin6_port));
  }
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  return absl::StrCat("ipv6:%5B", text, "%5D:", ntohs(v6.sin6_port));
}

void SetOption(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof(value)); }

void Prepare(int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleS);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepEveryS);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepTimes);
  SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnackedMs);
}

// HTTP/2: empty SETTINGS, and a GOAWAY of ENHANCE_YOUR_CALM with the reason as its debug data.
std::string Goaway(const std::string& why) {
  const auto size = static_cast<uint32_t>(8 + why.size());
  std::string out("\0\0\0\4\0\0\0\0\0", 9);
  for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(size >> shift));
  out.append("\7\0\0\0\0\0\0\0\0\0\0\0\0\x0b", 14);
  return out + why;
}

}  // namespace

// One connection, by our own descriptor of it.
struct Connections::Connection {
  ~Connection() {
    close(fd);
    if (untaken >= 0) close(untaken);
  }
  void Acquit(Clock::time_point now) {
    unfinished = owed = 0;
    since = now;
  }
  int fd = -1;
  std::string peer;
  // Until its first byte is there: what gRPC will get, and from which listener.
  int untaken = -1, listener = -1;
  bool plain = false;
  std::vector<std::string> owners;  // of its calls; under the lock of Connections
  std::string address() const { return peer.substr(0, peer.rfind(':')); }
  std::atomic<uint64_t> whole{0};  // bytes of the requests that came whole
  // Of those of them that are no smaller than `least`: since the thread last began to suspect the connection.
  std::atomic<uint64_t> paid{0}, least{0};
  // Of the thread: both counts when they were last looked at, and what of the received may still be unfinished.
  uint64_t seen_whole = 0, seen_received = 0, unfinished = 0;
  uint64_t owed = 0;        // 0: not suspected
  Clock::time_point since;  // it was last beyond suspicion
  int64_t socket_id = 0;    // gRPC's; 0: not looked up yet
  const Clock::time_point accepted = Clock::now();
  BrokenOff broken_off{accepted};
};

Connections::Connections(Bounds bounds, Take take, std::function<void(bool)> listening)
    : bounds_(bounds), take_(std::move(take)), listening_(std::move(listening)) {}

Connections::~Connections() {
  Stop();
  for (const auto& [fd, until] : refused_) close(fd);
  for (const int fd : {epoll_, wake_, spare_}) {
    if (fd >= 0) close(fd);
  }
}

void Connections::Stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  eventfd_write(wake_, 1);
  thread_.join();
}

absl::Status Connections::Start(const std::string& host, uint16_t port) {
  host_ = host;
  port_ = port;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (epoll_ < 0 || wake_ < 0 || spare_ < 0) return absl::UnavailableError("no file descriptors are left");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  if (auto status = Listen(); !status.ok()) return status;
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

absl::Status Connections::Listen() {
  auto status = listeners_.Open(host_, port_, epoll_);
  if (status.ok()) port_ = listeners_.port();
  return status;
}

void Connections::StopListening() {
  stop_listening_.store(true);
  eventfd_write(wake_, 1);
}

void Connections::Run() {
  std::array<epoll_event, 64> events;
  while (!stopping_.load()) {
    const auto until_look = std::chrono::ceil<milliseconds>(next_look_ - Clock::now());
    const int count = epoll_wait(epoll_, events.data(), events.size(),
                                 static_cast<int>(std::clamp<int64_t>(until_look.count(), 1, kLookEvery.count())));
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == wake_) {
        eventfd_t ignored;
        eventfd_read(wake_, &ignored);
      } else if (listeners_.Has(fd)) {
        Accept(fd);
      } else if (const auto it = by_fd_.find(fd); it != by_fd_.end()) {
        if (it->second->untaken >= 0 && TakeByFirstByte(*it->second)) continue;
        // A hang-up, from either side: nothing else is asked for.
        Forget(it->second);
        by_fd_.erase(it);
      }
    }
    const auto now = Clock::now();
    if (stop_listening_.load()) StopAccepting();
    while (!refused_.empty() && refused_.front().second <= now) {
      close(refused_.front().first);
      refused_.pop_front();
    }
    if (listeners_.empty() && !stop_listening_.load() && now >= accept_again_) {
      accept_again_ = now + kAgain;
      if (Listen().ok()) {
        spdlog::warn("gRPC is listening on port {} again", port_.load());
        listening_(true);
      }
    }
    if (now >= next_look_) {
      Look();
      // Ten thousand connections take some milliseconds: a tenth of the time at most.
      if (trim_at_ <= now) {
        trim_at_ = Clock::time_point::max();
        malloc_trim(0);
      }
      const milliseconds every = penalties_.any(now) ? kLookUnderPenalty : kLookEvery;
      next_look_ = now + std::max<Clock::duration>(every, 10 * (Clock::now() - now));
    }
  }
}

void Connections::Forget(const std::shared_ptr<Connection>& ended) {
  // While gRPC still has its descriptor, epoll would go on with ours, also for the next connection of that number
  // (epoll(7), "Will closing a file descriptor cause it to be removed").
  epoll_ctl(epoll_, EPOLL_CTL_DEL, ended->fd, nullptr);
  const MutexLock lock(mutex_);
  if (const auto it = by_peer_.find(ended->peer); it != by_peer_.end() && it->second == ended) by_peer_.erase(it);
  if (ended->plain) --plain_;
  for (const std::string& owner : ended->owners) {
    const auto it = by_owner_.find(owner);
    if (--it->second == 0) by_owner_.erase(it);
  }
}

// gRPC takes nothing any more, and would not even close what it is given.
void Connections::StopAccepting() {
  listeners_.Close();
  for (auto it = by_fd_.begin(); it != by_fd_.end();) {
    if (it->second->untaken >= 0) Forget(it->second);
    it = it->second->untaken >= 0 ? by_fd_.erase(it) : std::next(it);
  }
}

void Connections::Accept(int listener) {
  for (int i = 0; i < kAcceptAtOnce; ++i) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
      // A spare descriptor lets the node refuse the first client of the queue at once, instead of leaving it there.
      close(std::exchange(spare_, -1));
      if (const int refused = accept(listener, nullptr, nullptr); refused >= 0) close(refused);
      spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
      ++refused_count_;
      return;
    }
    if (fd < 0) {
      const bool dead = errno == EBADF || errno == EINVAL || errno == ENOTSOCK || errno == EOPNOTSUPP;
      if (!dead) return;  // nobody else waits, or one that has gone again
      spdlog::error("gRPC cannot listen any more ({}); trying again", std::generic_category().message(errno));
      listeners_.Close();
      listening_(false);
      return;
    }
    if (by_fd_.size() >= bounds_.connections) {
      Refuse(fd);
      continue;
    }
    auto connection = std::make_shared<Connection>();
    connection->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    connection->peer = PeerOf(fd);
    connection->since = Clock::now();
    if (connection->fd < 0 || connection->peer.empty()) {  // no descriptor is left, or it has gone
      close(fd);
      continue;
    }
    if (!penalties_.Allows(connection->address(), connection->since)) {
      ++refused_count_;
      close(fd);
      continue;
    }
    Prepare(fd);
    {
      const MutexLock lock(mutex_);
      by_peer_[connection->peer] = connection;
    }
    epoll_event event{};  // epoll always reports hang-ups and errors
    event.data.fd = connection->fd;
    if (bounds_.tls_and_plain) {
      event.events = EPOLLIN;
      connection->untaken = fd;
      connection->listener = listener;
    }
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event);
    by_fd_.emplace(connection->fd, std::move(connection));
    if (!bounds_.tls_and_plain) take_(listener, fd, false);
  }
}

// False if the connection has ended without one.
bool Connections::TakeByFirstByte(Connection& connection) {
  char first = 0;
  const ssize_t size = recv(connection.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (size <= 0) return size < 0 && errno == EAGAIN;
  epoll_event only_the_end{};
  only_the_end.data.fd = connection.fd;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &only_the_end);
  const bool plain = first != tls::kFirstByte;
  if (plain) {
    const MutexLock lock(mutex_);
    connection.plain = true;
    ++plain_;
  }
  take_(connection.listener, std::exchange(connection.untaken, -1), plain);
  return true;
}

void Connections::Refuse(int fd) {
  if (refused_count_++ == 0) {
    spdlog::warn("clients are refused beyond {} connections (--max-connections)", bounds_.connections);
  }
  if (refused_.size() >= kMaxRefusals) {
    close(fd);
    return;
  }
  const std::string why = Goaway(absl::StrCat("CONNECTION_LIMIT: this node has as many connections as it may have (",
                                              bounds_.connections, "); use another node, or raise --max-connections"));
  [[maybe_unused]] const ssize_t written = write(fd, why.data(), why.size());
  shutdown(fd, SHUT_WR);
  refused_.emplace_back(fd, Clock::now() + kRefusal);
}

// Finds connections that hold unfinished requests: more bytes came in than those of whole requests. Who takes too long,
// or the longest while all together hold too much, is ended.
//
// Headers, pings and flow control come in too and belong to no request's bytes, and so do requests that their client
// broke off. So the bytes only raise the suspicion: before a connection is ended, gRPC says whether a request of it is
// unfinished. It is asked at every look from half of the time on, and one answer that none is acquits.
void Connections::Look() {
  std::vector<Connection*> suspects;
  uint64_t all = 0;
  const auto now = Clock::now();
  listed_ = false;
  for (const auto& [fd, connection] : by_fd_) {
    if (connection->untaken >= 0) {
      if (now - connection->accepted > bounds_.first_byte) End(*connection, "it says nothing");
      continue;
    }
    if (!Count(*connection)) continue;
    if (BreaksOff(*connection, now)) {
      // A penalty is not prolonged by what it alone forbids.
      if (!penalties_.Has(connection->address(), now)) penalties_.Add(connection->address(), now);
      End(*connection, "it breaks off more calls than a client may");
      continue;
    }
    if (!Suspect(*connection, now)) continue;
    all += connection->unfinished;
    suspects.push_back(connection.get());
  }
  std::sort(suspects.begin(), suspects.end(),
            [](const Connection* a, const Connection* b) { return a->since < b->since; });
  for (Connection* suspect : suspects) {
    const auto age = now - suspect->since;
    const bool late = age >= bounds_.arrive, too_much = all > bounds_.unfinished_bytes;
    if (2 * age < bounds_.arrive && !too_much) continue;
    const bool guilty = HasUnfinished(*suspect);
    if (guilty && !late && !too_much) continue;
    if (guilty) {
      End(*suspect, late ? "its request did not arrive completely in time"
                         : "unfinished requests hold too much memory, and its request is the oldest");
    }
    all -= suspect->unfinished;
    suspect->Acquit(now);
  }
}

// Counts the bytes received since the last look. False if the connection has ended.
bool Connections::Count(Connection& connection) {
  // The whole ones first: their bytes are then among those received.
  const uint64_t whole = connection.whole.load(std::memory_order_acquire);
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(connection.fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  const uint64_t held = connection.unfinished + info.tcpi_bytes_received - connection.seen_received;
  connection.unfinished = held - std::min(held, whole - connection.seen_whole);
  connection.seen_whole = whole;
  connection.seen_received = info.tcpi_bytes_received;
  return true;
}

// Whether the connection holds more unfinished bytes than one may without being watched.
//
// A suspicion ends once the bytes that were unfinished when it began must have come whole. Of these the requests
// smaller than half the mean have at most half together, so the larger ones bring the other half. Small requests that
// begin and end meanwhile pay for nothing.
bool Connections::Suspect(Connection& connection, Clock::time_point now) {
  if (connection.unfinished < kFreeBytes) {
    connection.owed = 0;
    connection.since = now;
    return false;
  }
  const bool begins = connection.owed == 0;
  if (!begins && connection.paid.load(std::memory_order_relaxed) < connection.owed) return true;
  const int64_t requests = RequestsOf(connection).value_or(kUnknownRequests);
  if (requests <= 0) {
    connection.Acquit(now);
    return false;
  }
  connection.owed = connection.unfinished / 2;
  connection.least.store(connection.owed / static_cast<uint64_t>(requests), std::memory_order_relaxed);
  connection.paid.store(0, std::memory_order_relaxed);
  if (!begins) connection.since = now;
  return true;
}

// Calls that were broken off leave bytes that belong to no whole request: without many of those gRPC is not asked.
bool Connections::BreaksOff(Connection& connection, Clock::time_point now) {
  if (connection.unfinished < kFreeBytes || !IsKnown(connection)) return false;
  const auto calls = CallsOf(connection.socket_id);
  const int64_t most = penalties_.Has(connection.address(), now) ? BrokenOff::kMostUnderPenalty : BrokenOff::kMost;
  return calls && connection.broken_off.IsTooMany(calls->not_done, most, now);
}

bool Connections::IsKnown(Connection& connection) {
  if (connection.socket_id == 0 && !std::exchange(listed_, true)) NoteSocketIds();
  return connection.socket_id != 0;
}

// The unfinished requests of the connection, or nothing if gRPC does not know it.
std::optional<int64_t> Connections::RequestsOf(Connection& connection) {
  return IsKnown(connection) ? UnfinishedRequests(connection.socket_id) : std::nullopt;
}

// A small request on its way looks unfinished for some microseconds, so gRPC is asked more than once.
bool Connections::HasUnfinished(Connection& connection) {
  constexpr int kTimes = 5;
  for (int i = 0; i < kTimes; ++i) {
    if (RequestsOf(connection).value_or(kUnknownRequests) <= 0) return false;
  }
  return true;
}

void Connections::NoteSocketIds() {
  const auto ids = SocketIds();
  for (const auto& [fd, connection] : by_fd_) {
    if (const auto it = ids.find(connection->peer); it != ids.end()) connection->socket_id = it->second;
  }
}

void Connections::End(const Connection& connection, const char* why) {
  // One line in a hundred: a hundred clients on a link that died say the same.
  if (ended_count_++ % 100 == 0) {
    spdlog::warn("ending the connection of {}: {} ({} KiB)", connection.peer, why, connection.unfinished >> 10);
  }
  shutdown(connection.fd, SHUT_RDWR);  // both epoll here and gRPC see the hang-up
  trim_at_ = Clock::now() + kTrimAfter;
}

void Connections::Arrived(const std::string& peer, uint64_t bytes) {
  const MutexLock lock(mutex_);
  const auto it = by_peer_.find(peer);
  if (it == by_peer_.end()) return;
  Connection& connection = *it->second;
  connection.whole.fetch_add(bytes + kFrames, std::memory_order_release);
  if (bytes >= connection.least.load(std::memory_order_relaxed)) {
    connection.paid.fetch_add(bytes, std::memory_order_relaxed);
  }
}

bool Connections::Belongs(const std::string& peer, const std::string& owner, size_t most) {
  const MutexLock lock(mutex_);
  const auto it = by_peer_.find(peer);
  if (it == by_peer_.end()) return true;  // it has ended: nobody hears the answer
  std::vector<std::string>& owners = it->second->owners;
  if (std::find(owners.begin(), owners.end(), owner) != owners.end()) return true;
  const auto counted = by_owner_.find(owner);
  if (most != 0 && counted != by_owner_.end() && counted->second >= most) return false;
  owners.push_back(owner);
  ++by_owner_[owner];
  return true;
}

std::chrono::milliseconds Connections::AgeOf(const std::string& peer) const {
  const MutexLock lock(mutex_);
  const auto it = by_peer_.find(peer);
  if (it == by_peer_.end()) return {};
  return std::chrono::duration_cast<milliseconds>(Clock::now() - it->second->accepted);
}

size_t Connections::UseOf(const std::string& owner) const {
  const MutexLock lock(mutex_);
  const auto found = by_owner_.find(owner);
  return found == by_owner_.end() ? 0 : found->second;
}

Connections::Use Connections::use() const {
  const MutexLock lock(mutex_);
  return {by_peer_.size(), bounds_.connections, plain_, refused_count_.load(), ended_count_.load()};
}

}  // namespace leasemap::rpc
