// The clients' connections: refused beyond their bound, ended when they stall, gone when their client is; and watches
// and health streams, bounded by connection.
#include "server/rpc/connections.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/rpc/descriptors.h"
#include "tests/matchers/status.h"
#include "tests/rpc/one_node.h"
#include "tests/rpc/socket.h"

namespace leasemap::rpc {
namespace {

using std::chrono::milliseconds;
using testing::Eventually;
using testing::Socket;

// Connections with a server in the place of gRPC that reads what comes and answers nothing.
class ConnectionsTest : public ::testing::Test {
 protected:
  void Start(Connections::Bounds bounds) {
    connections_ = std::make_unique<Connections>(
        bounds,
        [this](int listener, int fd, bool plain) {
          listener_ = listener;
          (plain ? plain_ : other_)++;
          readers_.emplace_back([fd] {
            std::string bytes(1 << 16, '\0');
            while (true) {
              const ssize_t n = recv(fd, bytes.data(), bytes.size(), 0);
              if (n < 0 && errno == EAGAIN) {
                std::this_thread::yield();
                continue;
              }
              if (n <= 0) break;
            }
            shutdown(fd, SHUT_RDWR);
            close(fd);
          });
        },
        [this](bool listening) { (listening ? alive_ : dead_)++; });
    ASSERT_THAT(connections_->Start("127.0.0.1", 0), IsOk());
  }
  void TearDown() override {
    connections_->Stop();
    for (auto& reader : readers_) reader.join();
  }
  bool Becomes(size_t connections) {
    return Eventually([&] { return connections_->use().connections == connections; });
  }

  std::unique_ptr<Connections> connections_;
  std::vector<std::thread> readers_;
  std::atomic<int> listener_{-1}, dead_{0}, alive_{0}, plain_{0}, other_{0};
};

TEST_F(ConnectionsTest, BeyondTheBoundAClientIsToldAndRefused) {
  Start({.connections = 2});
  std::vector<Socket> held;
  for (int i = 0; i < 2; ++i) held.emplace_back(connections_->port());
  ASSERT_TRUE(Becomes(2));
  EXPECT_NE(Socket(connections_->port()).ReadToEnd().find("CONNECTION_LIMIT"), std::string::npos);
  EXPECT_TRUE(Eventually([&] { return connections_->use().refused == 1; }));
  held.pop_back();
  ASSERT_TRUE(Becomes(1));
  held.emplace_back(connections_->port());
  ASSERT_TRUE(Becomes(2));
  EXPECT_TRUE(held.back().open());
  held.clear();
  EXPECT_TRUE(Becomes(0));
}

TEST_F(ConnectionsTest, WhoFinishesNothingInTimeIsEnded) {
  Start({.arrive = milliseconds(300)});
  std::vector<Socket> held;
  for (int i = 0; i < 2; ++i) held.emplace_back(connections_->port());
  ASSERT_TRUE(Becomes(2));
  ASSERT_TRUE(held[0].Send(std::string(300'000, 'x')));
  ASSERT_TRUE(held[1].Send(std::string(1'000, 'x')));  // so little counts for nothing
  ASSERT_TRUE(Becomes(1));
  EXPECT_FALSE(held[0].open());
  EXPECT_TRUE(held[1].open());
  EXPECT_EQ(connections_->use().ended, 1u);
  held.clear();
}

TEST_F(ConnectionsTest, WhoStallsLongestPaysForAll) {
  Start({.unfinished_bytes = 1 << 20});
  std::vector<Socket> held;
  for (int i = 0; i < 4; ++i) {
    held.emplace_back(connections_->port());
    ASSERT_TRUE(held.back().Send(std::string(400'000, 'x')));
  }
  ASSERT_TRUE(Eventually([&] { return connections_->use().ended >= 2; }));
  ASSERT_TRUE(Becomes(2));
  EXPECT_FALSE(held[0].open() && held[1].open());
  held.clear();
}

TEST_F(ConnectionsTest, WithTlsAndPlainTextAConnectionIsWhatItsFirstByteSays) {
  Start({.tls_and_plain = true});
  std::vector<Socket> held;
  for (int i = 0; i < 3; ++i) held.emplace_back(connections_->port());
  ASSERT_TRUE(Becomes(3));
  EXPECT_EQ(plain_ + other_, 0);
  ASSERT_TRUE(held[0].Send("\x16\x03\x01"));
  ASSERT_TRUE(held[1].Send("PRI * HTTP/2.0"));
  ASSERT_TRUE(Eventually([&] { return plain_ == 1 && other_ == 1; }));
  EXPECT_EQ(connections_->use().plain, 1u);
  held.clear();
  ASSERT_TRUE(Becomes(0));
  EXPECT_EQ(connections_->use().plain, 0u);
}

TEST_F(ConnectionsTest, AFirstByteThatDoesNotComeInTimeEndsTheConnection) {
  Start({.tls_and_plain = true, .first_byte = milliseconds(300)});
  std::vector<Socket> held;
  for (int i = 0; i < 3; ++i) held.emplace_back(connections_->port());
  ASSERT_TRUE(Becomes(3));
  ASSERT_TRUE(held[0].Send("P"));
  held.pop_back();  // it goes without a word
  ASSERT_TRUE(Becomes(1));
  EXPECT_TRUE(held[0].open());
  EXPECT_FALSE(held[1].open());
  EXPECT_EQ(plain_, 1);
  EXPECT_EQ(other_, 0);
  held.clear();
}

TEST_F(ConnectionsTest, WhoSaidNothingYetIsClosedWhenTheNodeStopsListening) {
  Start({.tls_and_plain = true, .first_byte = milliseconds(600'000)});
  std::vector<Socket> held;
  for (int i = 0; i < 2; ++i) held.emplace_back(connections_->port());
  ASSERT_TRUE(Becomes(2));
  ASSERT_TRUE(held[0].Send("P"));
  ASSERT_TRUE(Eventually([&] { return plain_ == 1; }));
  connections_->StopListening();
  ASSERT_TRUE(Becomes(1));
  EXPECT_TRUE(held[0].open());
  EXPECT_FALSE(held[1].open());
  EXPECT_EQ(other_, 0);
  held.clear();
}

// gRPC may hold the descriptor of a connection that has ended, as this test does: its events are not those of the next
// connection, whose descriptor here has the same number.
TEST_F(ConnectionsTest, AConnectionThatEndedSaysNothingOfTheNextOne) {
  std::vector<int> taken;
  std::atomic<int> taken_count{0};
  const auto take = [&](int, int fd, bool) {
    taken.push_back(fd);
    ++taken_count;
  };
  connections_ = std::make_unique<Connections>(Connections::Bounds{}, take, [](bool) {});
  ASSERT_THAT(connections_->Start("127.0.0.1", 0), IsOk());
  std::vector<Socket> held;
  // Three end, so that three numbers are free: the next client's socket, what gRPC gets of it, and ours take them.
  for (int i = 0; i < 3; ++i) held.emplace_back(connections_->port());
  ASSERT_TRUE(Becomes(3));
  ASSERT_TRUE(Eventually([&] { return taken_count == 3; }));
  for (const int fd : taken) shutdown(fd, SHUT_RDWR);
  ASSERT_TRUE(Becomes(0));
  held.emplace_back(connections_->port());
  ASSERT_TRUE(Becomes(1));
  EXPECT_FALSE(Eventually([&] { return connections_->use().connections != 1; }, milliseconds(300)));
  connections_->Stop();
  for (const int fd : taken) close(fd);
}

TEST_F(ConnectionsTest, ADeadPortIsToldAndOpenedAgain) {
  Start({});
  std::vector<Socket> held;
  held.emplace_back(connections_->port());
  ASSERT_TRUE(Becomes(1));
  const uint16_t port = connections_->port();
  shutdown(listener_, SHUT_RDWR);
  ASSERT_TRUE(Eventually([&] { return dead_ == 1 && alive_ == 1; }));
  EXPECT_EQ(connections_->port(), port);
  held.emplace_back(port);
  EXPECT_TRUE(Becomes(2));
  EXPECT_TRUE(held[0].open());
  held.clear();
}

TEST(Descriptors, APartIsKeptForMembers) {
  EXPECT_EQ(ConnectionsFor(1 << 20, 10'000), 10'000u);
  EXPECT_EQ(ConnectionsFor(4096, 10'000), 1536u);
  EXPECT_EQ(ConnectionsFor(256, 10'000), 64u);
  EXPECT_EQ(ConnectionsFor(2, 10'000), 1u);
}

// A channel of its own, with so many pings.
std::shared_ptr<grpc::Channel> Connect(const OneNode& node, grpc::ChannelArguments arguments = {}) {
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", node.server->port()), grpc::InsecureChannelCredentials(),
                                   arguments);
}

// One server stream, and its first message or its end.
template <typename Request, typename Response>
struct Stream {
  template <typename Stub, typename Method>
  Stream(Stub& stub, Method method, const Request& request) {
    context.set_deadline(std::chrono::system_clock::now() + testing::kBound);
    reader = (stub.*method)(&context, request);
    Response first;
    if (!reader->Read(&first)) status = reader->Finish();
  }
  ~Stream() { context.TryCancel(); }
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<Response>> reader;
  grpc::Status status;
};
using Watching = Stream<v1::WatchRequest, v1::WatchResponse>;
using HealthWatching = Stream<grpc::health::v1::HealthCheckRequest, grpc::health::v1::HealthCheckResponse>;

TEST(WatchBounds, OneConnectionTakesThemFromNobodyElse) {
  OneNode node("node-1", {}, true, {.watches = 1010});
  std::vector<std::unique_ptr<Watching>> held;
  v1::WatchRequest request;
  request.add_keys("k");
  for (int i = 0; i < 101; ++i) {
    held.push_back(std::make_unique<Watching>(*node.kv, &v1::KeyValue::Stub::Watch, request));
    ASSERT_THAT(held.back()->status, IsOk()) << i;
  }
  Watching beyond(*node.kv, &v1::KeyValue::Stub::Watch, request);
  EXPECT_THAT(beyond.status, HasReason("WATCH_LIMIT")) << beyond.status.error_message();
  EXPECT_NE(beyond.status.error_message().find("this connection"), std::string::npos);
  auto other = v1::KeyValue::NewStub(Connect(node));
  Watching fine(*other, &v1::KeyValue::Stub::Watch, request);
  EXPECT_THAT(fine.status, IsOk());

  grpc::ClientContext context;
  v1::GetStatusResponse status;
  ASSERT_THAT(node.mesh->GetStatus(&context, {}, &status), IsOk());
  EXPECT_EQ(status.watches(), 102u);
  EXPECT_EQ(status.max_watches(), 1010u);
  EXPECT_EQ(status.busiest_watches(), 101u);
  EXPECT_EQ(status.busiest_peer().find("ipv4:127.0.0.1:"), 0u) << status.busiest_peer();
  EXPECT_EQ(status.connections(), 2u);
  held.clear();
  EXPECT_TRUE(Eventually([&] {
    grpc::ClientContext again;
    return node.mesh->GetStatus(&again, {}, &status).ok() && status.watches() == 1;
  }));
}

TEST(HealthBounds, BeyondThemClientsTakeTheNodeForHealthy) {
  OneNode node("node-1", {}, true, {.connections = 3});
  auto health = grpc::health::v1::Health::NewStub(node.channel);
  std::vector<std::unique_ptr<HealthWatching>> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(std::make_unique<HealthWatching>(*health, &grpc::health::v1::Health::Stub::Watch,
                                                    grpc::health::v1::HealthCheckRequest()));
    ASSERT_THAT(held.back()->status, IsOk());
  }
  HealthWatching beyond(*health, &grpc::health::v1::Health::Stub::Watch, grpc::health::v1::HealthCheckRequest());
  EXPECT_EQ(beyond.status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

// UNIMPLEMENTED would make clients take the node for healthy, and call it.
TEST(HealthBounds, WhoWatchesDuringADrainHearsThatTheNodeGoes) {
  using Response = grpc::health::v1::HealthCheckResponse;
  OneNode node;
  auto health = grpc::health::v1::Health::NewStub(node.channel);
  HealthWatching before(*health, &grpc::health::v1::Health::Stub::Watch, grpc::health::v1::HealthCheckRequest());
  ASSERT_THAT(before.status, IsOk());
  std::atomic<bool> drained = false;
  std::thread drain([&] {
    node.server->Drain();
    drained = true;
  });
  Response state;
  ASSERT_TRUE(before.reader->Read(&state));
  EXPECT_EQ(state.status(), Response::NOT_SERVING);
  for (bool last = false; !last;) {
    last = drained;
    HealthWatching during(*health, &grpc::health::v1::Health::Stub::Watch, grpc::health::v1::HealthCheckRequest());
    if (during.status.ok()) during.status = during.reader->Finish();
    EXPECT_FALSE(during.status.ok());  // CANCELLED is gRPC's own word, for a call that came as it was shut down
    EXPECT_NE(during.status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << during.status.error_message();
  }
  drain.join();
  EXPECT_EQ(before.reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(ConnectionBounds, AClientHearsOfThem) {
  OneNode node("node-1", {}, true, {.connections = 1});
  ASSERT_THAT(node.Set("k", "v"), IsOk());
  auto other = v1::KeyValue::NewStub(Connect(node));
  const auto get = [&](v1::KeyValue::Stub& stub) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
    v1::GetRequest request;
    request.set_key("k");
    v1::GetResponse response;
    return stub.Get(&context, request, &response);
  };
  EXPECT_EQ(get(*other).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(node.Get("k"), IsOk());  // a client that was there before is served
  node.channel.reset();
  node.kv.reset();
  node.mesh.reset();
  EXPECT_TRUE(Eventually([&] { return get(*other).ok(); }));
}

}  // namespace
}  // namespace leasemap::rpc
