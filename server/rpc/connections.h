// The connections of clients: this process itself listens, bounds their number, and hands each one to gRPC.
//
// gRPC 1.51 stops listening for ever at its first EMFILE, has no bound on connections, and does not know which client
// fills its memory with requests that never arrive completely. So a thread of this class accepts connections, and keeps
// a second descriptor of each. With it the thread sees when the connection has ended and how many bytes arrived
// (TCP_INFO), and ends connections that stall. No byte of a call passes through it. (docs/decisions/0019)
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "peer/threads/mutex.h"
#include "server/rpc/listeners.h"
#include "server/rpc/resets.h"

namespace leasemap::rpc {

class Connections {
 public:
  struct Bounds {
    size_t connections = 10'000;
    // Of requests that have not come whole, by all connections together; a connection with less than kFreeBytes of them
    // counts for nothing and is never ended.
    uint64_t unfinished_bytes = uint64_t{128} << 20;
    std::chrono::milliseconds arrive{60'000};  // a request comes whole within that
    // Clients speak TLS or plain text, and a connection is what its first byte says. That comes within `first_byte`.
    bool tls_and_plain = false;
    std::chrono::milliseconds first_byte{10'000};
  };
  // Bytes that gRPC takes for one stream before our code sees the call.
  static constexpr uint64_t kFreeBytes = 64 << 10;

  struct Use {
    size_t connections = 0, most = 0;
    size_t plain = 0;  // with Bounds::tls_and_plain: of them, in plain text
    // Beyond the bound on connections, or under a penalty; because they stalled, or broke off too many calls.
    uint64_t refused = 0, ended = 0;
  };

  // `take` owns the descriptor from then on; `plain`: with Bounds::tls_and_plain, whether the client speaks plain text.
  // `listening` is called when the port is dead, and when it is alive again. The thread of this class calls both.
  using Take = std::function<void(int listener, int fd, bool plain)>;
  Connections(Bounds bounds, Take take, std::function<void(bool)> listening);
  ~Connections();

  // Listens on host:port, 0 for a free one, and starts the thread.
  absl::Status Start(const std::string& host, uint16_t port);
  uint16_t port() const { return port_; }
  // No new connections from now on.
  void StopListening();
  // Ends the thread; `take` is called no more.
  void Stop();

  // A request of `bytes` bytes has arrived completely on the connection of this peer (as gRPC names it). Any thread.
  void Arrived(const std::string& peer, uint64_t bytes);
  // A call of this owner came on the connection of this peer, which counts for it from then on. False if it has `most`
  // others already; 0 is no bound. Any thread.
  bool Belongs(const std::string& peer, const std::string& owner, size_t most);
  // Since the connection of this peer was accepted.
  std::chrono::milliseconds AgeOf(const std::string& peer) const;
  // How many connections count for this owner.
  size_t UseOf(const std::string& owner) const;
  Use use() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection;

  void Run();
  void Accept(int listener);
  void StopAccepting();
  void Refuse(int fd);
  bool TakeByFirstByte(Connection& connection);
  void Forget(const std::shared_ptr<Connection>& ended);
  void Look();
  static bool Count(Connection& connection);
  bool Suspect(Connection& connection, Clock::time_point now);
  bool BreaksOff(Connection& connection, Clock::time_point now);
  bool IsKnown(Connection& connection);
  std::optional<int64_t> RequestsOf(Connection& connection);
  bool HasUnfinished(Connection& connection);
  void NoteSocketIds();
  void End(const Connection& connection, const char* why);
  absl::Status Listen();

  const Bounds bounds_;
  const Take take_;
  const std::function<void(bool)> listening_;
  std::string host_;
  std::atomic<uint16_t> port_{0};
  int epoll_ = -1, wake_ = -1, spare_ = -1;  // of the thread, once it runs
  Listeners listeners_;                      // of the thread, once it runs
  Clock::time_point next_look_, accept_again_;
  Clock::time_point trim_at_ = Clock::time_point::max();
  std::deque<std::pair<int, Clock::time_point>> refused_;  // saying so; closed then
  std::atomic<bool> stop_listening_{false}, stopping_{false};
  std::atomic<uint64_t> refused_count_{0}, ended_count_{0};

  mutable Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Connection>> by_peer_ ABSL_GUARDED_BY(mutex_);
  size_t plain_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, size_t> by_owner_ ABSL_GUARDED_BY(mutex_);  // how many count for each
  std::unordered_map<int, std::shared_ptr<Connection>> by_fd_;                // of the thread
  Penalties penalties_;                                                       // of the thread
  bool listed_ = false;  // of the thread: this look has listed gRPC's sockets
  std::thread thread_;
};

}  // namespace leasemap::rpc
