#include "peer/net/transport.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"

namespace leasemap::net {

using asio::ip::tcp;

namespace {
// If no descriptor is left for accept(), the next try is after this time: spinning would not free one.
constexpr auto kAcceptAgain = std::chrono::milliseconds(200);
// Links, and those that still write their last bytes (half a second at most). The node refuses links beyond its own
// bound, and each refusal takes a moment: this is room for that, and less than the usual 1,024 descriptors, which
// clients need, too.
constexpr size_t kMaxSockets = 768;

int64_t MonoMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
}  // namespace

std::optional<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  HostPort out{std::string(host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return out;
}

std::string ShowHostPort(const std::string& host, uint16_t port) {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port) : absl::StrCat("[", host, "]:", port);
}

// One dial under way: the connect, and the timer that bounds it.
struct Transport::Dialing {
  explicit Dialing(asio::io_context& io, std::string to) : address(std::move(to)), socket(io), timer(io) {}
  const std::string address;
  tcp::socket socket;
  asio::steady_timer timer;
  std::vector<tcp::endpoint> endpoints;  // to be tried yet, the next one last
  bool done = false;
};

Transport::Transport(asio::io_context& io, Callbacks callbacks)
    : io_(io), callbacks_(std::move(callbacks)), acceptor_(io), accept_again_(io), resolver_(io) {}

absl::Status Transport::Listen(const std::string& host_port) {
  const auto parsed = ParseHostPort(host_port);
  if (!parsed) return absl::InvalidArgumentError(absl::StrCat(host_port, " is not host:port"));
  asio::error_code error;
  const std::string host = parsed->host.empty() ? "0.0.0.0" : parsed->host;
  // Before anything else runs: it may wait.
  const auto found = tcp::resolver(io_).resolve(host, std::to_string(parsed->port), tcp::resolver::passive, error);
  if (error || found.empty()) return absl::InvalidArgumentError(absl::StrCat(host, ": ", error.message()));
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot listen on ", host_port, ": ", error.message()));
  port_ = acceptor_.local_endpoint().port();
  AcceptNext();
  return absl::OkStatus();
}

void Transport::AcceptNext() {
  acceptor_.async_accept([this](const asio::error_code& error, tcp::socket socket) {
    if (stopped_) return;
    std::erase_if(closing_, [](const auto& connection) { return connection.expired(); });
    const bool full = links_.size() + closing_.size() >= kMaxSockets;  // the socket closes at the end of this call
    if (error || full) {
      accept_again_.expires_after(kAcceptAgain);
      accept_again_.async_wait([this](const asio::error_code& cancelled) {
        if (!cancelled && !stopped_) AcceptNext();
      });
      return;
    }
    asio::error_code gone;
    const auto remote = socket.remote_endpoint(gone);
    if (!gone) {
      const std::string local = Local(socket);
      const core::LinkId link = Add(std::move(socket), false);
      callbacks_.on_accepted(link, local, ShowHostPort(remote.address().to_string(), remote.port()));
      if (auto it = links_.find(link); it != links_.end()) it->second->Start();
    }
    AcceptNext();
  });
}

// This end's address with the port that others can dial.
std::string Transport::Local(const tcp::socket& socket) const {
  asio::error_code gone;
  const auto local = socket.local_endpoint(gone);
  return gone ? "" : ShowHostPort(local.address().to_string(), port_);
}

core::LinkId Transport::Add(tcp::socket socket, bool dialed) {
  const core::LinkId link = std::exchange(next_link_, Next(next_link_));
  Connection::Callbacks callbacks;
  callbacks.on_message = [this, link](core::Message message) { OnMessage(link, std::move(message)); };
  callbacks.on_piece = [this, link] { callbacks_.on_piece(link); };
  callbacks.pull = [this, link] { return callbacks_.pull(link); };
  callbacks.on_malformed = [this, link](const std::string& why) { callbacks_.on_malformed(link, why); };
  callbacks.on_unproven = [this, link](const std::string& why) { callbacks_.on_unproven(link, why); };
  callbacks.on_plain_text = [this, link] { DialInPlainText(link); };
  callbacks.on_closed = [this, link](const std::string& why) {
    const auto keep = links_.extract(link);
    if (keep) NoteEnd(link, *keep.mapped());
    callbacks_.on_closed(link, why);
  };
  links_.emplace(link, std::make_shared<Connection>(std::move(socket), Connection::Tls{security_, dialed, plain_too_},
                                                    std::move(callbacks)));
  return link;
}

// At once, and for the same link: the node hears nothing of the first try.
void Transport::DialInPlainText(core::LinkId link) {
  const auto first = links_.at(link);
  const auto dial = std::make_shared<Dialing>(io_, "");
  asio::error_code error;
  dial->socket.open(first->remote().protocol(), error);
  if (error) return first->End(error.message());
  LimitSegments(dial->socket, first->remote());
  dial->timer.expires_after(std::chrono::milliseconds(core::kDialTimeoutMs));
  dial->timer.async_wait([dial](const asio::error_code& cancelled) {
    asio::error_code ignored;
    if (!cancelled) dial->socket.close(ignored);  // ends the connect
  });
  dial->socket.async_connect(first->remote(), [this, link, first, dial](const asio::error_code& failed) {
    dial->timer.cancel();
    const auto it = links_.find(link);
    if (it == links_.end() || it->second != first) return;  // it was hung up meanwhile
    if (failed) return first->End(failed.message());
    it->second = first->InPlainText(std::move(dial->socket));
    const auto keep = it->second;
    keep->Start();
  });
}

void Transport::OnMessage(core::LinkId link, core::Message message) {
  if (const auto* hello = std::get_if<core::Hello>(&message); hello != nullptr && !hello->certified) {
    const MutexLock lock(notes_mutex_);
    plain_nodes_[link] = hello->self.node;
  }
  callbacks_.on_message(link, std::move(message));
}

std::set<std::string> Transport::PlainNodes() const {
  std::set<std::string> nodes;
  const MutexLock lock(notes_mutex_);
  for (const auto& [link, node] : plain_nodes_) nodes.insert(node);
  return nodes;
}

void Transport::Dial(const std::string& address) {
  auto dial = std::make_shared<Dialing>(io_, address);
  const auto parsed = ParseHostPort(address);
  if (!parsed || parsed->port == 0) {
    asio::post(io_, [this, dial] { callbacks_.on_dial_failed(dial->address, "not host:port"); });
    return;
  }
  dial->timer.expires_after(std::chrono::milliseconds(core::kDialTimeoutMs));
  dial->timer.async_wait([this, dial](const asio::error_code& cancelled) {
    if (!cancelled) OnConnected(dial, absl::StrCat("no answer within ", core::kDialTimeoutMs / 1000, " s"));
  });
  asio::error_code not_numeric;
  const auto ip = asio::ip::make_address(parsed->host, not_numeric);
  if (!not_numeric) return Connect(dial, {tcp::endpoint(ip, parsed->port)});
  const auto found = [this, dial, port = parsed->port](const std::string& why, const auto& ips) {
    if (dial->done) return;
    if (ips.empty()) return OnConnected(dial, why);
    std::vector<tcp::endpoint> endpoints;
    endpoints.reserve(ips.size());
    for (const auto& found_ip : ips) endpoints.emplace_back(found_ip, port);
    Connect(dial, std::move(endpoints));
  };
  resolver_.Resolve(parsed->host, found);
}

void Transport::Connect(const std::shared_ptr<Dialing>& dial, std::vector<tcp::endpoint> endpoints) {
  std::reverse(endpoints.begin(), endpoints.end());
  dial->endpoints = std::move(endpoints);
  ConnectNext(dial, "no address");
}

// One address after the other, until one answers. `why` the last one did not.
void Transport::ConnectNext(const std::shared_ptr<Dialing>& dial, const std::string& why) {
  if (dial->done) return;
  if (dial->endpoints.empty()) return OnConnected(dial, why);
  const tcp::endpoint to = dial->endpoints.back();
  dial->endpoints.pop_back();
  asio::error_code error;
  dial->socket.close(error);
  dial->socket.open(to.protocol(), error);
  if (error) return OnConnected(dial, error.message());
  LimitSegments(dial->socket, to);
  dial->socket.async_connect(to, [this, dial](const asio::error_code& failed) {
    if (!failed) return OnConnected(dial, "");
    ConnectNext(dial, failed.message());
  });
}

// Before the connect: so the other end gets it, too (tcp(7), TCP_MAXSEG).
void Transport::LimitSegments(tcp::socket& socket, const tcp::endpoint& to) {
  const int segment = [&] {
    const MutexLock lock(notes_mutex_);
    return paths_.SegmentTo(to.address().to_string(), MonoMs());
  }();
  if (segment != 0) setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

void Transport::NoteEnd(core::LinkId link, const Connection& connection) {
  {
    const MutexLock lock(notes_mutex_);
    plain_nodes_.erase(link);
  }
  NotePath(connection);
}

// On one machine nothing is lost.
void Transport::NotePath(const Connection& connection) {
  asio::error_code bad;
  const auto ip = asio::ip::make_address(connection.remote_ip(), bad);
  if (bad || ip.is_loopback()) return;
  std::string why;
  {
    const MutexLock lock(notes_mutex_);
    if (!paths_.Ended(connection.remote_ip(), connection.end(), connection.lasted().count(), MonoMs())) return;
    const auto notes = paths_.Describe(MonoMs());
    if (const auto it = notes.find(connection.remote_ip()); it != notes.end()) why = it->second;
  }
  callbacks_.on_smaller(why);
}

std::vector<std::string> Transport::PathNotes() const {
  const MutexLock lock(notes_mutex_);
  std::vector<std::string> notes;
  for (auto& [ip, note] : paths_.Describe(MonoMs())) notes.push_back(note);
  return notes;
}

// `why` not; empty: it is connected.
void Transport::OnConnected(const std::shared_ptr<Dialing>& dial, const std::string& why) {
  if (std::exchange(dial->done, true)) return;
  asio::error_code ignored;
  dial->timer.cancel();
  const std::string local = why.empty() ? Local(dial->socket) : "";
  if (stopped_ || local.empty()) {
    dial->socket.close(ignored);
    if (!stopped_) callbacks_.on_dial_failed(dial->address, why.empty() ? "closed at once" : why);
    return;
  }
  const core::LinkId link = Add(std::move(dial->socket), true);
  callbacks_.on_dialed(link, dial->address, local);
  if (auto it = links_.find(link); it != links_.end()) it->second->Start();
}

void Transport::Resolve(const std::string& seed) {
  const auto parsed = ParseHostPort(seed);
  asio::error_code not_numeric;
  if (!parsed) {
    asio::post(io_, [this, seed] { callbacks_.on_resolved(seed, {}, "not host:port"); });
    return;
  }
  const auto ip = asio::ip::make_address(parsed->host, not_numeric);
  if (!not_numeric) {
    const std::string address = ShowHostPort(ip.to_string(), parsed->port);
    asio::post(io_, [this, seed, address] { callbacks_.on_resolved(seed, {address}, ""); });
    return;
  }
  const auto found = [this, seed, port = parsed->port](const std::string& why, const auto& ips) {
    std::vector<std::string> addresses;
    addresses.reserve(ips.size());
    for (const auto& found_ip : ips) addresses.push_back(ShowHostPort(found_ip.to_string(), port));
    callbacks_.on_resolved(seed, addresses, why);
  };
  resolver_.Resolve(parsed->host, found);
}

void Transport::Send(core::LinkId link, const core::Message& message) {
  if (auto it = links_.find(link); it != links_.end()) {
    const auto keep = it->second;
    keep->Send(message);
  }
}

void Transport::Pump(core::LinkId link) {
  if (auto it = links_.find(link); it != links_.end()) {
    const auto keep = it->second;
    keep->Pump();
  }
}

void Transport::HangUp(core::LinkId link) {
  auto node = links_.extract(link);
  if (node.empty()) return;
  std::erase_if(closing_, [](const auto& connection) { return connection.expired(); });
  closing_.push_back(node.mapped());
  node.mapped()->HangUp();
  NoteEnd(link, *node.mapped());
}

bool Transport::closed() const {
  return std::all_of(closing_.begin(), closing_.end(), [](const auto& connection) { return connection.expired(); });
}

void Transport::Stop() {
  stopped_ = true;
  asio::error_code ignored;
  acceptor_.close(ignored);
  accept_again_.cancel();
  resolver_.Stop();
  while (!links_.empty()) HangUp(links_.begin()->first);
}

}  // namespace leasemap::net
