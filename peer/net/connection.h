// One TCP connection of the mesh: reads frames into messages, writes messages out of a bounded queue.
//
// All calls and callbacks are on the thread of its io_context. Two kinds of messages are written: small ones that the
// node sends when it likes (Send), and bulk that the connection asks for when its queue has room (pull), so that a slow
// peer is never the reason for a long queue. Small messages leave first (outbox.h). The kernel gets little at a time,
// so that they need not wait behind bytes that it already has.
//
// With TLS (security.h) no message is sent or read before both ends have shown a certificate. The connection puts the
// name in the other end's certificate into its Hello (core::Hello::certified).
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "asio/ip/tcp.hpp"
#include "asio/ssl/stream.hpp"
#include "asio/steady_timer.hpp"
#include "peer/core/data/message.h"
#include "peer/net/outbox.h"
#include "peer/net/paths.h"
#include "peer/net/security.h"
#include "peer/wire/codec.h"
#include "peer/wire/frame.h"

namespace leasemap::net {

// Bulk is asked for while less than this is queued: enough to keep a link busy, little enough to stay fresh.
inline constexpr size_t kPullBelowBytes = 256 << 10;
// A peer that lets this many bytes of small messages pile up does not read: the connection is closed.
inline constexpr size_t kMaxQueuedBytes = 16 << 20;
// Broadcasts are dropped while more than this is queued.
inline constexpr size_t kMaxBroadcastQueue = 4 << 20;
// The shortest time between two reports of pieces of a large message: often enough for a link that is closed after 3 s
// of silence.
inline constexpr std::chrono::milliseconds kPieceEvery{100};
// Messages that were queued before a hang-up have this time to leave.
inline constexpr int kLingerMs = 500;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Callbacks {
    std::function<void(core::Message)> on_message;
    // A piece of a message that is not whole yet came; at most once in kPieceEvery.
    std::function<void()> on_piece;
    // Once, when a peer that had greeted sent bytes that cannot be read. Nothing more is read then, and the owner hangs
    // up.
    std::function<void(const std::string& why)> on_malformed;
    // Once, when TLS failed. Nothing was sent or read then, and the owner hangs up.
    std::function<void(const std::string& why)> on_unproven;
    // Once, when the other end speaks no TLS (Tls::plain_too). The connection then only queues what is sent, until its
    // owner hangs it up, ends it, or has one in plain text take its place.
    std::function<void()> on_plain_text;
    // Once, when the connection ended by itself; never after HangUp.
    std::function<void(const std::string& why)> on_closed;
    std::function<std::optional<core::Message>()> pull;
  };

  // What TLS needs; no `security`: plain text.
  struct Tls {
    std::shared_ptr<Security> security;
    bool dialed = false;  // by this end
    // An accepted connection is plain text if its first byte says so; a dialled one may turn out to need plain text
    // (Callbacks::on_plain_text).
    bool plain_too = false;
  };

  Connection(asio::ip::tcp::socket socket, Tls tls, Callbacks callbacks);
  ~Connection();

  void Start();
  void Send(const core::Message& message);
  // Asks `pull` for as much as there is room for.
  void Pump();
  // Writes the queue, then closes; no callback comes any more.
  void HangUp();
  // After on_plain_text: a connection with this socket and the same queue and callbacks, for the same link. Nothing of
  // this one is used then.
  std::shared_ptr<Connection> InPlainText(asio::ip::tcp::socket socket);
  // After on_plain_text: as if it had ended by itself.
  void End(const std::string& why) { Close(why); }

  // The machine at the other end; empty: it was gone at once.
  const std::string& remote_ip() const { return remote_ip_; }
  // The other end's address as it was dialled; none if it has gone.
  const asio::ip::tcp::endpoint& remote() const { return remote_; }
  // The state of the link when it ended or was hung up.
  LinkEnd end() const { return end_; }
  std::chrono::milliseconds lasted() const;

 private:
  void AwaitFirstByte();
  void ShakeHands();
  void Begin();
  void Read();
  void OnRead(size_t bytes);
  void Write();
  void NotePiece();
  void SetOptions();
  void NoteEnd();
  void OnMalformed(const absl::Status& status);
  std::string Described(const std::string& why) const;
  void Close(const std::string& why);

  asio::ip::tcp::socket socket_;
  const Tls tls_;
  std::optional<asio::ssl::stream<asio::ip::tcp::socket&>> stream_;  // over socket_; none for plain text
  std::optional<core::Certified> shown_;                             // by the other end
  bool secured_ = false;                                             // or plain text: messages may be written
  asio::steady_timer linger_;
  Callbacks callbacks_;
  wire::FrameReader reader_;
  wire::Decoder decoder_;
  std::array<char, 64 << 10> buffer_;
  Outbox outbox_;                    // messages that are not yet being written
  std::deque<std::string> writing_;  // frames that the write under way refers to
  size_t writing_bytes_ = 0;
  size_t write_bytes_;  // bytes of one write (Write)
  std::chrono::steady_clock::time_point piece_told_;
  asio::ip::tcp::endpoint remote_;
  std::string remote_ip_;
  const std::chrono::steady_clock::time_point opened_ = std::chrono::steady_clock::now();
  LinkEnd end_ = LinkEnd::kFine;
  bool greeted_ = false;      // a Hello came: larger frames are taken from now on
  bool pump_posted_ = false;  // a Pump is in the queue of the io_context
  bool broken_ = false;       // the peer sent bytes that cannot be read; nothing more is read
  bool hanging_up_ = false;
  bool closed_ = false;
};

}  // namespace leasemap::net
