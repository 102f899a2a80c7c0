// Large requests that stall, among small ones of the same connection that do not: the connection is ended in time. One
// whose client broke a large request off is not.
#include <thread>

#include "server/rpc/channelz.h"
#include "tests/matchers/status.h"
#include "tests/rpc/one_node.h"
#include "tests/rpc/socket.h"

namespace leasemap::rpc {
namespace {

using std::chrono::milliseconds;
using testing::Eventually;

// HTTP/2 by hand: calls whose requests are sent in parts. That the connection has ended shows where an answer is read.
// (RFC 9113; header fields as literals, RFC 7541, 6.2.2)
class HandMadeClient {
 public:
  explicit HandMadeClient(uint16_t port) : socket_(port) {
    // Answers are never held back: each stream's window (setting 4), and the connection's.
    EXPECT_TRUE(socket_.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, 0, 0, Big(4, 2) + Big(1 << 30, 4)) +
                             Frame(kWindow, 0, 0, Big(1 << 30, 4))));
  }
  // Begins a call with the first `bytes` of a request of `size`.
  uint32_t Begin(const std::string& path, uint32_t size, const std::string& bytes) {
    const uint32_t stream = std::exchange(next_stream_, next_stream_ + 2);
    const std::string headers = Field(":method", "POST") + Field(":scheme", "http") + Field(":path", path) +
                                Field(":authority", "here") + Field("te", "trailers") +
                                Field("content-type", "application/grpc");
    socket_.Send(Frame(kHeaders, kEndHeaders, stream, headers));
    SendData(stream, std::string(1, '\0') + Big(size, 4) + bytes, bytes.size() == size);
    return stream;
  }
  // Sends as flow control lets it.
  void SendData(uint32_t stream, std::string bytes, bool last) {
    while (!bytes.empty()) {
      const std::string part = bytes.substr(0, 16'384);
      while (window_ < static_cast<int64_t>(part.size())) {
        if (!ReadFrame()) return;
      }
      window_ -= static_cast<int64_t>(part.size());
      bytes.erase(0, part.size());
      socket_.Send(Frame(kData, last && bytes.empty() ? kEndStream : 0, stream, part));
    }
  }
  void BreakOff(uint32_t stream) { EXPECT_TRUE(socket_.Send(Frame(kReset, 0, stream, Big(8, 4)))); }
  // A small request and its answer; false once the connection has ended.
  bool Get() {
    const uint32_t stream = Begin("/leasemap.v1.KeyValue/Get", 3, "\x0a\x01k");
    while (ended_ != stream) {
      if (!ReadFrame()) return false;
    }
    return true;
  }

 private:
  enum Type { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kWindow = 8 };
  static constexpr int kEndStream = 1, kEndHeaders = 4, kAck = 1;

  static std::string Big(uint32_t number, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(number >> (8 * i)));
    return out;
  }
  static std::string Frame(int type, int flags, uint32_t stream, const std::string& payload) {
    return Big(static_cast<uint32_t>(payload.size()), 3) + Big(type, 1) + Big(flags, 1) + Big(stream, 4) + payload;
  }
  static std::string Field(const std::string& name, const std::string& value) {
    return std::string(1, '\0') + Big(static_cast<uint32_t>(name.size()), 1) + name +
           Big(static_cast<uint32_t>(value.size()), 1) + value;
  }
  static uint32_t Number(std::string_view bytes) {
    uint32_t out = 0;
    for (const char byte : bytes) out = out << 8 | static_cast<uint8_t>(byte);
    return out;
  }

  bool ReadFrame() {
    const std::string head = socket_.Read(9);
    if (head.size() < 9) return false;
    const std::string payload = socket_.Read(Number(head.substr(0, 3)));
    const auto type = static_cast<Type>(head[3]);
    const uint32_t stream = Number(head.substr(5));
    if (type == kWindow && stream == 0) window_ += Number(payload);
    if (type == kSettings && head[4] != kAck) return socket_.Send(Frame(kSettings, kAck, 0, ""));
    if (type == kPing && head[4] != kAck) return socket_.Send(Frame(kPing, kAck, 0, payload));
    if ((type == kData || type == kHeaders) && (head[4] & kEndStream) != 0) ended_ = stream;
    return true;
  }

  testing::Socket socket_;
  uint32_t next_stream_ = 1, ended_ = 0;
  int64_t window_ = 65'535;  // of the connection; a stream's is at least as large with gRPC
};

constexpr char kSet[] = "/leasemap.v1.KeyValue/Set";

Limits ShortArrival() {
  Limits limits;
  limits.arrive = milliseconds(500);
  return limits;
}

TEST(StalledUploads, SmallRequestsDoNotHideALargeOneThatStalls) {
  OneNode node("node-1", {}, true, ShortArrival());
  ASSERT_THAT(node.Set("k", "v"), IsOk());
  HandMadeClient client(node.server->port());
  client.Begin(kSet, 1 << 20, std::string(200'000, 'x'));
  EXPECT_TRUE(Eventually([&] { return !client.Get(); }));
  EXPECT_EQ(node.Status().ended_connections(), 1u);
}

TEST(StalledUploads, OneThatItsClientBrokeOffEndsNothing) {
  OneNode node("node-1", {}, true, ShortArrival());
  ASSERT_THAT(node.Set("k", "v"), IsOk());
  HandMadeClient client(node.server->port());
  client.BreakOff(client.Begin(kSet, 1 << 20, std::string(200'000, 'x')));
  // Another one, for the clock: when it is ended, the first had the same time.
  HandMadeClient stalled(node.server->port());
  stalled.Begin(kSet, 1 << 20, std::string(200'000, 'x'));
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(client.Get());
    return node.Status().ended_connections() == 1;
  }));
  EXPECT_TRUE(client.Get());
}

TEST(StalledUploads, LargeRequestsThatComeWholeLeaveNothingBehind) {
  OneNode node("node-1", {}, true, ShortArrival());
  HandMadeClient client(node.server->port()), stalled(node.server->port());
  stalled.Begin(kSet, 1 << 20, std::string(200'000, 'x'));
  v1::SetRequest set;
  set.set_key("k");
  set.set_value(std::string(100'000, 'v'));
  const std::string request = set.SerializeAsString();
  while (node.Status().ended_connections() == 0) {
    client.Begin(kSet, static_cast<uint32_t>(request.size()), request);
    ASSERT_TRUE(client.Get());
  }
  EXPECT_THAT(node.Get("k"), IsOk());
  EXPECT_EQ(node.Status().ended_connections(), 1u);
}

TEST(Channelz, TellsUnfinishedRequests) {
  OneNode node;
  ASSERT_THAT(node.Set("k", "v"), IsOk());
  const auto known = SocketIds();
  HandMadeClient client(node.server->port());
  ASSERT_TRUE(client.Get());
  int64_t id = 0;
  for (const auto& [peer, socket] : SocketIds()) {
    if (known.count(peer) == 0) id = socket;
  }
  EXPECT_EQ(UnfinishedRequests(id), 0);
  const uint32_t stream = client.Begin(kSet, 1 << 20, std::string(200'000, 'x'));
  EXPECT_TRUE(Eventually([&] { return UnfinishedRequests(id) == 1; }));
  client.BreakOff(stream);
  EXPECT_TRUE(Eventually([&] { return UnfinishedRequests(id) == 0; }));
  EXPECT_EQ(UnfinishedRequests(1 << 30), std::nullopt);
}

}  // namespace
}  // namespace leasemap::rpc
