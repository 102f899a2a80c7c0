#include "server/rpc/server.h"

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc/support/time.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server_builder.h"

namespace leasemap::rpc {
namespace {
// Calls that were sent before the client heard of the drain come within a round trip or two.
constexpr std::chrono::milliseconds kGrace{200};
// Twice the size of a BatchSet (key_value_batch.cc), so that a larger one is refused item by item, with a reason.
constexpr int kMaxRequestBytes = 16 << 20;
static_assert(kMaxRequestBytes == kMaxInflatedBytes);
// Clients of Go and Java may ping every 10 s.
constexpr int kLeastPingMs = 5'000;
constexpr int kIdleMs = 600'000;
constexpr int kHandshakeMs = 10'000;
// A connection's watches (a tenth of all), and twice as many calls besides.
constexpr int kMaxCalls = 3'000;

// Unfinished requests may hold a third of the memory that gRPC has for all: between two looks at them twice that may
// arrive, and with its quota used up gRPC ends calls of other clients.
Connections::Bounds BoundsOf(const Limits& limits, const Certificates* certificates) {
  Connections::Bounds bounds;
  bounds.connections = limits.connections;
  bounds.unfinished_bytes = host::CallBytes(limits.memory) / 3;
  bounds.arrive = limits.arrive;
  bounds.tls_and_plain = certificates != nullptr && certificates->plain_too();
  bounds.first_byte = std::chrono::milliseconds(kHandshakeMs);
  return bounds;
}

// Advice for a port that cannot be opened. Both listeners name errors as strerror(3) does.
std::string Advice(absl::string_view error, const std::string& flag) {
  const auto is = [error](int number) { return absl::StrContains(error, std::generic_category().message(number)); };
  if (is(EADDRINUSE)) {
    return absl::StrCat("the port is taken: end the process that listens there (another leasemapd?), or change ", flag);
  }
  if (is(EADDRNOTAVAIL)) {
    return absl::StrCat("this machine has no such address: name one of its own in ", flag,
                        ", or 0.0.0.0 for all of them");
  }
  if (is(EACCES)) {
    return absl::StrCat("ports below 1024 take the capability CAP_NET_BIND_SERVICE: name a higher port in ", flag);
  }
  return absl::StrCat("name an address of this machine in ", flag);
}
}  // namespace

Server::Server(core::NodeOptions options, std::string listen, std::string mesh_listen, Limits limits,
               std::unique_ptr<storage::Disk> disk, std::unique_ptr<Certificates> certificates,
               std::unique_ptr<Access> access)
    : listen_(std::move(listen)),
      limits_(limits),
      certificates_(std::move(certificates)),
      access_(access ? std::move(access) : std::make_unique<Access>()),
      host_(std::move(options), std::move(mesh_listen), limits.memory, std::move(disk)),
      connections_(
          BoundsOf(limits, certificates_.get()),
          [this](int listener, int fd, bool plain) { Take(listener, fd, plain); },
          [this](bool listening) { SetListening(listening); }),
      gate_(host_, connections_, *access_),
      watches_(host_, *access_,
               {limits.watches, static_cast<int64_t>(host::CallBytes(limits.memory) / 2), limits.connection_age}),
      subscribers_(*access_, limits.connection_age),
      key_value_(host_, gate_, watches_),
      mesh_(host_, gate_, subscribers_, watches_, certificates_.get()),
      health_(gate_, limits.connections) {
  host::NodeHost::Listeners listeners;
  listeners.changed = [this] {
    watches_.Notify();
    const bool serving = gate_.serving();
    if (was_serving_.load(std::memory_order_relaxed) != serving && was_serving_.exchange(serving) != serving) {
      health_.Notify();
    }
  };
  listeners.renewed = [this] { watches_.NotifyRenewed(); };
  listeners.heard = [this](const core::Effects::Heard& heard) { subscribers_.Deliver(heard.from_node, heard.payload); };
  host_.SetListeners(std::move(listeners));
}

Server::~Server() {
  Drain();
  connections_.Stop();
}

void Server::Take(int listener, int fd, bool plain) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.listener_fd = listener;
  connection.fd = fd;
  (plain ? plain_acceptor_ : acceptor_)->HandleNewConnection(&connection);
}

void Server::SetListening(bool listening) {
  gate_.SetListening(listening);
  health_.Notify();
}

absl::Status Server::SecureMesh() {
  auto security = net::Security::Make(certificates_->material());
  if (!security.ok()) return security.status();
  host_.SetSecurity(*std::move(security), certificates_->plain_too());
  return absl::OkStatus();
}

absl::Status Server::ReloadCertificates() {
  auto status = certificates_->Reload();
  return status.ok() ? SecureMesh() : status;
}

absl::Status Server::ReloadRights() {
  auto status = access_->Reload();
  if (!status.ok()) return status;
  host_.SetRightsHash(access_->hash());
  watches_.LookAtRights();
  subscribers_.LookAtRights();
  return absl::OkStatus();
}

absl::Status Server::Start() {
  host_.SetRightsHash(access_->hash());
  if (certificates_) {
    if (auto status = SecureMesh(); !status.ok()) return status;
  }
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  constexpr auto kFromFd = grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD;
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      kFromFd, certificates_ ? certificates_->credentials() : grpc::InsecureServerCredentials());
  if (certificates_ && certificates_->plain_too()) {
    plain_acceptor_ = builder.experimental().AddExternalConnectionAcceptor(kFromFd, grpc::InsecureServerCredentials());
  }
  // All requests under way together: gRPC reads messages whole before any limit of ours.
  builder.SetResourceQuota(grpc::ResourceQuota("leasemap").Resize(host::CallBytes(limits_.memory)));
  // The connection of a client that vanished or hangs is closed, with or without calls.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A client may ping, with or without calls: clients in Go and Java ping every 10 s at most.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kLeastPingMs);
  // A connection without calls is closed after this time; a client opens another one when it needs it.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMs);
  // gRPC says GOAWAY at this age, give or take a tenth, and ends what is still open after the grace.
  const auto age = static_cast<int>(limits_.connection_age.count());
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, age);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, age / 2);
  // A client that connects and sends nothing.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  // Calls of one connection at once; the gRPC of the client lets further calls wait.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxCalls);
  // Compressed messages are read by protos/inflate.h, with a bound.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.RegisterService(&key_value_);
  builder.RegisterService(&mesh_);
  builder.RegisterService(&health_);
  server_ = builder.BuildAndStart();
  const auto listen = net::ParseHostPort(listen_);
  auto listening = server_ == nullptr || !listen ? absl::UnavailableError("gRPC does not start")
                                                 : connections_.Start(listen->host, listen->port);
  if (!listening.ok()) {
    server_.reset();
    const std::string error(listening.message());
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", listen_, ": ", error, "; ", Advice(error, "--listen")));
  }
  if (auto status = host_.Start(); !status.ok()) {
    const std::string error(status.message());
    return absl::Status(status.code(), absl::StrCat(error, "; ", Advice(error, "--mesh-listen")));
  }
  return absl::OkStatus();
}

void Server::Drain() {
  if (server_ == nullptr || std::exchange(drained_, true)) return;
  // By a clock that nobody sets meanwhile.
  const gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(kDrainSeconds, GPR_TIMESPAN));
  gate_.Drain();
  health_.Notify();
  watches_.Drain();
  subscribers_.Drain();
  // From Shutdown on gRPC refuses calls itself, without our words: first let those on their way hear DRAINING.
  std::this_thread::sleep_for(kGrace);
  host_.EndWaits();  // calls that wait for other nodes get the present state
  health_.EndStreams();
  connections_.StopListening();
  server_->Shutdown(deadline);
  server_->Wait();
  // The gRPC server itself is left to the destructor: the last of a process makes gRPC join its threads, and one that
  // polls lets it wait for up to ten seconds.
  host_.Stop();
}

}  // namespace leasemap::rpc
