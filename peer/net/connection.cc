#include "peer/net/connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "asio/buffer.hpp"
#include "asio/post.hpp"
#include "asio/write.hpp"

namespace leasemap::net {
namespace {
// The beginning of a heartbeat, which the rest will follow at once, is no piece of a large message.
constexpr size_t kLeastPiece = 256;
// The bytes that one write hands to the kernel; small messages wait behind no more than these. Over a thin link it is
// one frame, over a fast one enough for few calls.
constexpr size_t kLeastWrite = wire::kPieceBytes, kMostWrite = 128 << 10;
constexpr std::chrono::milliseconds kQuickWrite{5}, kSlowWrite{50};
constexpr size_t kWriteFrames = 64;
// The kernel takes more only while it has fewer unsent bytes than this, even if its buffer has more room
// (tcp(7), TCP_NOTSENT_LOWAT): a second at 256 kbit/s.
constexpr int kUnsentBytes = 32 << 10;
// A link is stuck once a packet was repeated this often in a row without any answer: the second time after 600 ms (RFC
// 6298), longer than a path takes that is only slow. Where later packets, the small ones, are answered, the kernel
// counts those that it holds for lost, and all that it repeated.
constexpr uint8_t kStuckRepeats = 2;
constexpr uint32_t kStuckRepeatsInAll = 5;
// Heartbeats come every second: a peer that sent nothing for this time missed two.
constexpr uint32_t kNothingMs = 2500;
// A session over keys that the peer has gives small messages for much walking: other links get their turn in between.
constexpr int kPullsAtOnce = 8;
}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Tls tls, Callbacks callbacks)
    : socket_(std::move(socket)),
      tls_(std::move(tls)),
      linger_(socket_.get_executor()),
      callbacks_(std::move(callbacks)),
      write_bytes_(kLeastWrite) {
  SetOptions();
  if (tls_.security) stream_.emplace(socket_, tls_.security->context());
  asio::error_code gone;
  remote_ = socket_.remote_endpoint(gone);
  if (gone) return;
  // A socket of [::] names IPv4 addresses as ::ffff:10.9.0.1.
  const auto ip = remote_.address();
  const bool mapped = ip.is_v6() && ip.to_v6().is_v4_mapped();
  remote_ip_ = mapped ? asio::ip::make_address_v4(asio::ip::v4_mapped, ip.to_v6()).to_string() : ip.to_string();
}

// A link works without them, too, only not as well: an error is of no consequence.
void Connection::SetOptions() {
  asio::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
}

Connection::~Connection() = default;

void Connection::Start() {
  if (tls_.plain_too && !tls_.dialed) return AwaitFirstByte();
  if (stream_) return ShakeHands();
  Begin();
}

void Connection::Begin() {
  secured_ = true;
  Read();
  Write();
}

// The end that dialled speaks first: a record of TLS, or a frame of ours, which begins with a zero since the first one
// is shorter than 16 MiB (wire/frame.h). The node ends a connection that says nothing (Liveness).
void Connection::AwaitFirstByte() {
  socket_.async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](asio::error_code error) {
    if (self->closed_) return;
    char first = 0;
    if (!error) self->socket_.non_blocking(true, error);
    if (!error) self->socket_.receive(asio::buffer(&first, 1), asio::socket_base::message_peek, error);
    if (error == asio::error::would_block) return self->AwaitFirstByte();
    if (error) return self->Close(error.message());
    if (first == tls::kFirstByte) return self->ShakeHands();
    self->stream_.reset();
    self->Begin();
  });
}

// The node ends a connection that takes too long over it (Liveness).
void Connection::ShakeHands() {
  const auto role = tls_.dialed ? asio::ssl::stream_base::client : asio::ssl::stream_base::server;
  stream_->async_handshake(role, [self = shared_from_this()](const asio::error_code& error) {
    if (self->closed_) return;
    if (self->hanging_up_) return self->Close("");
    if (error && self->tls_.dialed && self->tls_.plain_too && MaySpeakNoTls(error)) {
      return self->callbacks_.on_plain_text();
    }
    const auto shown = error ? std::nullopt : ShownBy(self->stream_->native_handle());
    if (!shown) return self->callbacks_.on_unproven(error ? error.message() : "its certificate names nobody");
    self->shown_ = shown;
    self->Begin();
  });
}

void Connection::Read() {
  const auto on_read = [self = shared_from_this()](const asio::error_code& error, size_t n) {
    if (self->closed_) return;
    // With TLS 1.3 a dialler's part is done before the acceptor has looked at its certificate.
    const bool unproven = error.category() == asio::error::get_ssl_category() && !self->greeted_ && !self->hanging_up_;
    if (error && unproven) return self->callbacks_.on_unproven(error.message());
    if (error) return self->Close(self->Described(error.message()));
    self->OnRead(n);
  };
  if (stream_) return stream_->async_read_some(asio::buffer(buffer_), on_read);
  socket_.async_read_some(asio::buffer(buffer_), on_read);
}

void Connection::OnRead(size_t bytes) {
  if (hanging_up_) return Read();  // read on, so that queued bytes reach the peer before a reset could
  reader_.Feed({buffer_.data(), bytes});
  bool piece = false;
  while (const auto frame = reader_.Next()) {
    auto message = decoder_.Decode(*frame);
    if (!message.ok()) return OnMalformed(message.status());
    piece = !message->has_value();
    if (piece) continue;
    if (std::holds_alternative<core::Hello>(**message) && !greeted_) {
      greeted_ = true;
      reader_.SetLimit(wire::kMaxFrameBytes);
      std::get<core::Hello>(**message).certified = shown_;
    }
    callbacks_.on_message(*std::move(*message));
    if (closed_) return;
    if (hanging_up_) return Read();
  }
  if (!reader_.status().ok()) return OnMalformed(reader_.status());
  if (piece || reader_.buffered() > kLeastPiece) NotePiece();
  if (!closed_) Read();
}

void Connection::NotePiece() {
  const auto now = std::chrono::steady_clock::now();
  if (!greeted_ || now - piece_told_ < kPieceEvery) return;
  piece_told_ = now;
  callbacks_.on_piece();
}

void Connection::OnMalformed(const absl::Status& status) {
  const std::string why(status.message());
  if (!greeted_) return Close(Described(why));  // a stranger
  broken_ = true;
  callbacks_.on_malformed(why);
}

// The reason why the connection ended, or the protocol at its other end if that is no node.
std::string Connection::Described(const std::string& why) const {
  const std::string guess = greeted_ ? "" : reader_.Guess();
  return guess.empty() ? why : absl::StrCat("the program at that address speaks ", guess);
}

void Connection::Send(const core::Message& message) {
  if (closed_ || hanging_up_) return;
  // Broadcasts are best effort: to a peer that lags they are dropped, before they could cost the link.
  const size_t queued = outbox_.bytes() + writing_bytes_;
  if (queued > kMaxBroadcastQueue && std::holds_alternative<core::Broadcast>(message)) return;
  outbox_.Add(message);
  if (queued > kMaxQueuedBytes) return Close(absl::StrCat("does not read: ", queued, " bytes queued"));
  Write();
}

void Connection::Pump() {
  if (closed_ || hanging_up_) return;
  int pulled = 0;
  while (outbox_.bytes() + writing_bytes_ < kPullBelowBytes) {
    if (pulled++ == kPullsAtOnce) {
      if (!std::exchange(pump_posted_, true)) {
        asio::post(socket_.get_executor(), [self = shared_from_this()] {
          self->pump_posted_ = false;
          self->Pump();
        });
      }
      break;
    }
    const auto message = callbacks_.pull();
    if (!message) break;
    outbox_.AddBulk(*message);
  }
  Write();
}

void Connection::Write() {
  if (closed_ || !secured_ || !writing_.empty()) return;
  if (outbox_.empty()) {
    // Not closed yet: with bytes of the peer unread that would be a reset, which may overtake the last bytes.
    asio::error_code ignored;
    if (hanging_up_) socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    return;
  }
  std::vector<asio::const_buffer> buffers;
  while (!outbox_.empty() && writing_bytes_ < write_bytes_ && buffers.size() < kWriteFrames) {
    writing_.push_back(outbox_.Next());
    writing_bytes_ += writing_.back().size();
    buffers.push_back(asio::buffer(writing_.back()));
  }
  const auto began = std::chrono::steady_clock::now();
  const auto on_written = [self = shared_from_this(), began](const asio::error_code& error, size_t bytes) {
    if (self->closed_) return;
    const auto took = std::chrono::steady_clock::now() - began;
    const bool full = bytes >= self->write_bytes_;
    if (full && took < kQuickWrite) self->write_bytes_ = std::min(2 * self->write_bytes_, kMostWrite);
    if (took > kSlowWrite) self->write_bytes_ = std::max(self->write_bytes_ / 2, kLeastWrite);
    self->writing_.clear();
    self->writing_bytes_ = 0;
    if (error) return self->Close(error.message());
    if (self->hanging_up_) return self->Write();
    self->Pump();
  };
  if (stream_) return asio::async_write(*stream_, buffers, on_written);
  asio::async_write(socket_, buffers, on_written);
}

std::chrono::milliseconds Connection::lasted() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - opened_);
}

// By what the kernel knows of the connection (tcp(7), TCP_INFO).
void Connection::NoteEnd() {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (!greeted_ || getsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;
  const bool hears = info.tcpi_last_data_recv < kNothingMs;
  const bool repeats =
      info.tcpi_retransmits >= kStuckRepeats || (info.tcpi_lost > 0 && info.tcpi_total_retrans >= kStuckRepeatsInAll);
  if (hears && info.tcpi_unacked > 0 && repeats) end_ = LinkEnd::kStuck;
  if (!hears && info.tcpi_unacked == 0 && info.tcpi_last_ack_recv < kNothingMs) end_ = LinkEnd::kSilent;
}

void Connection::HangUp() {
  if (closed_ || hanging_up_) return;
  NoteEnd();
  hanging_up_ = true;
  if (!secured_) return Close("");  // there is nobody to send the queue to
  linger_.expires_after(std::chrono::milliseconds(kLingerMs));
  linger_.async_wait([self = shared_from_this()](const asio::error_code& error) {
    if (!error) self->Close("");
  });
  if (std::exchange(broken_, false)) Read();  // to drain it
  Write();
}

std::shared_ptr<Connection> Connection::InPlainText(asio::ip::tcp::socket socket) {
  auto plain = std::make_shared<Connection>(std::move(socket), Tls{nullptr, true, true}, std::move(callbacks_));
  plain->outbox_ = std::move(outbox_);
  return plain;
}

void Connection::Close(const std::string& why) {
  if (closed_) return;
  if (!hanging_up_) NoteEnd();
  closed_ = true;
  asio::error_code ignored;
  linger_.cancel();
  socket_.close(ignored);
  outbox_.Clear();
  if (!hanging_up_) {
    // The callbacks may hold the last reference to this connection's owner: keep them until this returns.
    const auto on_closed = callbacks_.on_closed;
    on_closed(why);
  }
}

}  // namespace leasemap::net
