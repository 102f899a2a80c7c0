#include "peer/net/connection.h"

#include "absl/strings/str_cat.h"
#include "asio/buffer.hpp"
#include "asio/post.hpp"
#include "asio/write.hpp"

namespace leasemap::net {
namespace {
// One write hands the kernel at most so much: a heartbeat waits behind no more than this.
constexpr size_t kWriteBytes = 128 << 10;
constexpr size_t kWriteFrames = 32;
// A session over keys that the peer has gives small messages for much walking: other links get their turn in between.
constexpr int kPullsAtOnce = 8;
}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Callbacks callbacks)
    : socket_(std::move(socket)), linger_(socket_.get_executor()), callbacks_(std::move(callbacks)) {
  asio::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

Connection::~Connection() = default;

void Connection::Start() { Read(); }

void Connection::Read() {
  socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](const asio::error_code& error, size_t n) {
    if (self->closed_) return;
    if (error) return self->Close(self->Described(error.message()));
    self->OnRead(n);
  });
}

void Connection::OnRead(size_t bytes) {
  if (hanging_up_) return Read();  // drain, so that what was queued still reaches the peer before a reset would
  reader_.Feed({buffer_.data(), bytes});
  while (const auto frame = reader_.Next()) {
    auto message = decoder_.Decode(*frame);
    if (!message.ok()) return OnMalformed(message.status());
    if (!message->has_value()) continue;
    if (const auto* hello = std::get_if<core::Hello>(&**message); hello != nullptr && !greeted_) {
      greeted_ = true;
      encoder_.Heard(*hello);
      reader_.SetLimit(wire::kMaxFrameBytes);
    }
    callbacks_.on_message(*std::move(*message));
    if (closed_) return;
    if (hanging_up_) return Read();
  }
  if (!reader_.status().ok()) return OnMalformed(reader_.status());
  Read();
}

void Connection::OnMalformed(const absl::Status& status) {
  const std::string why(status.message());
  if (!greeted_) return Close(Described(why));  // a stranger
  broken_ = true;
  callbacks_.on_malformed(why);
}

// What ended the connection, or what speaks there if it is no node.
std::string Connection::Described(const std::string& why) const {
  const std::string guess = greeted_ ? "" : reader_.Guess();
  return guess.empty() ? why : absl::StrCat("what answers there speaks ", guess);
}

void Connection::Send(const core::Message& message) {
  if (closed_ || hanging_up_) return;
  // Broadcasts are best effort: to a peer that lags they are dropped, before they could cost the link.
  if (queued_bytes_ > kMaxBroadcastQueue && std::holds_alternative<core::Broadcast>(message)) return;
  const bool urgent = std::holds_alternative<core::Ping>(message) || std::holds_alternative<core::Pong>(message);
  Queue(message, urgent);
  if (queued_bytes_ > kMaxQueuedBytes) return Close(absl::StrCat("does not read: ", queued_bytes_, " bytes queued"));
  Write();
}

void Connection::Queue(const core::Message& message, bool first) {
  for (auto& frame : encoder_.Encode(message)) {
    queued_bytes_ += frame.size();
    if (first) {
      queue_.push_front(std::move(frame));
    } else {
      queue_.push_back(std::move(frame));
    }
  }
}

void Connection::Pump() {
  if (closed_ || hanging_up_) return;
  int pulled = 0;
  while (queued_bytes_ < kPullBelowBytes) {
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
    Queue(*message, false);
  }
  Write();
}

void Connection::Write() {
  if (closed_ || !writing_.empty()) return;
  if (queue_.empty()) {
    // Not closed yet: with bytes of the peer unread that would be a reset, which may overtake what was just written.
    asio::error_code ignored;
    if (hanging_up_) socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    return;
  }
  std::vector<asio::const_buffer> buffers;
  for (size_t bytes = 0; !queue_.empty() && bytes < kWriteBytes && buffers.size() < kWriteFrames;) {
    bytes += queue_.front().size();
    writing_.push_back(std::move(queue_.front()));
    queue_.pop_front();
    buffers.push_back(asio::buffer(writing_.back()));
  }
  asio::async_write(socket_, buffers, [self = shared_from_this()](const asio::error_code& error, size_t) {
    if (self->closed_) return;
    for (const auto& frame : self->writing_) self->queued_bytes_ -= frame.size();
    self->writing_.clear();
    if (error) return self->Close(error.message());
    if (self->hanging_up_) return self->Write();
    self->Pump();
  });
}

void Connection::HangUp() {
  if (closed_ || hanging_up_) return;
  hanging_up_ = true;
  linger_.expires_after(std::chrono::milliseconds(kLingerMs));
  linger_.async_wait([self = shared_from_this()](const asio::error_code& error) {
    if (!error) self->Close("");
  });
  if (std::exchange(broken_, false)) Read();  // to drain it
  Write();
}

void Connection::Close(const std::string& why) {
  if (closed_) return;
  closed_ = true;
  asio::error_code ignored;
  linger_.cancel();
  socket_.close(ignored);
  queue_.clear();
  if (!hanging_up_) {
    // The callbacks may hold the last reference to this connection's owner: keep them until this returns.
    const auto on_closed = callbacks_.on_closed;
    on_closed(why);
  }
}

}  // namespace leasemap::net
