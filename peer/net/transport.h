// The mesh's sockets: listens, dials, resolves names, and carries messages over links. Asio with callbacks; one thread.
//
// It knows nothing of nodes: its owner (server/host) turns its callbacks into calls of core::Node, and the effects of
// the node into calls of this class. All calls and callbacks are on the thread that runs its io_context.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "asio/io_context.hpp"
#include "asio/ip/tcp.hpp"
#include "asio/steady_timer.hpp"
#include "peer/core/data/message.h"
#include "peer/net/connection.h"
#include "peer/net/paths.h"
#include "peer/net/resolver.h"
#include "peer/threads/mutex.h"

namespace leasemap::net {

// "host:port", "[::1]:port" or ":port" taken apart; port 0 to 65,535.
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
std::optional<HostPort> ParseHostPort(std::string_view text);
std::string ShowHostPort(const std::string& host, uint16_t port);

class Transport {
 public:
  struct Callbacks {
    std::function<void(core::LinkId, const std::string& address, const std::string& local)> on_dialed;
    // `why`: the error of the system.
    std::function<void(const std::string& address, const std::string& why)> on_dial_failed;
    std::function<void(const std::string& seed, const std::vector<std::string>& addresses, const std::string& why)>
        on_resolved;
    std::function<void(core::LinkId, const std::string& local, const std::string& remote)> on_accepted;
    std::function<void(core::LinkId, core::Message)> on_message;
    std::function<void(core::LinkId)> on_piece;  // of a message that is not whole yet (connection.h)
    std::function<void(core::LinkId, const std::string& why)> on_malformed;
    std::function<void(core::LinkId, const std::string& why)> on_unproven;
    std::function<void(core::LinkId, const std::string& why)> on_closed;
    std::function<std::optional<core::Message>(core::LinkId)> pull;
    // Links to a machine have smaller segments from now on (paths.h): why, for people; may be empty.
    std::function<void(const std::string& why)> on_smaller;
  };

  Transport(asio::io_context& io, Callbacks callbacks);

  // Before the io_context runs. Port 0 picks a free one.
  absl::Status Listen(const std::string& host_port);
  uint16_t port() const { return port_; }

  // TLS for the connections from now on; null: plain text. `plain_too`: TLS and plain text, while a cluster goes from
  // one to the other (docs/decisions/0039). Connections that are there stay as they are.
  void SetSecurity(std::shared_ptr<Security> security, bool plain_too = false) {
    security_ = std::move(security);
    plain_too_ = plain_too && security_ != nullptr;
  }
  void Dial(const std::string& address);
  void Resolve(const std::string& seed);
  void Send(core::LinkId link, const core::Message& message);
  void Pump(core::LinkId link);
  void HangUp(core::LinkId link);
  // Closes the listener and every link, after their queues.
  void Stop();
  // Faults of the paths to other machines, for people. Any thread.
  std::vector<std::string> PathNotes() const;
  // The nodes that have a link in plain text with this one. Any thread.
  std::set<std::string> PlainNodes() const;
  // Every link that was hung up is closed by now.
  bool closed() const;

 private:
  struct Dialing;

  void AcceptNext();
  void Connect(const std::shared_ptr<Dialing>& dial, std::vector<asio::ip::tcp::endpoint> endpoints);
  void ConnectNext(const std::shared_ptr<Dialing>& dial, const std::string& why);
  void NoteEnd(core::LinkId link, const Connection& connection);
  void NotePath(const Connection& connection);
  void OnConnected(const std::shared_ptr<Dialing>& dial, const std::string& why);
  core::LinkId Add(asio::ip::tcp::socket socket, bool dialed);
  void DialInPlainText(core::LinkId link);
  void LimitSegments(asio::ip::tcp::socket& socket, const asio::ip::tcp::endpoint& to);
  void OnMessage(core::LinkId link, core::Message message);
  std::string Local(const asio::ip::tcp::socket& socket) const;

  asio::io_context& io_;
  const Callbacks callbacks_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer accept_again_;
  Resolver resolver_;
  std::shared_ptr<Security> security_;
  bool plain_too_ = false;
  std::atomic<uint16_t> port_{0};  // any thread may ask
  core::LinkId next_link_{1};
  std::map<core::LinkId, std::shared_ptr<Connection>> links_;
  std::vector<std::weak_ptr<Connection>> closing_;  // hung up, perhaps still writing their last
  bool stopped_ = false;
  mutable Mutex notes_mutex_;
  Paths paths_ ABSL_GUARDED_BY(notes_mutex_);
  std::map<core::LinkId, std::string> plain_nodes_ ABSL_GUARDED_BY(notes_mutex_);
};

}  // namespace leasemap::net
