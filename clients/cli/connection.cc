#include "clients/cli/connection.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "clients/cli/core/text.h"
#include "clients/cli/terminal.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace leasemap::cli {
namespace {

constexpr char kDomain[] = "leasemap";

// Leasemap's own word of why; empty if there is none.
google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return {};
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == kDomain) return info;
  }
  return {};
}

// Without these a channel whose first attempt was refused waits 5 to 10 s before the next.
constexpr int kFirstBackoffMs = 100;
constexpr int kLargestBackoffMs = 500;
// gRPC names this one for the back-off, but takes it for how long one attempt to connect may last: long enough for a
// far away node and a lost packet, short enough that a black-holed address is reported well within the default timeout.
constexpr int kConnectAttemptMs = 1000;
// How long a write waits for the connection to one of several servers: for one attempt, and some for a name.
constexpr absl::Duration kConnectWait = absl::Milliseconds(2 * kConnectAttemptMs);
// An answer holds at most a page of 1 MiB, or one entry of a node that was started with a larger limit.
constexpr int kLargestAnswer = 256 << 20;

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& server,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                           const Proofs& proofs) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstBackoffMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectAttemptMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLargestBackoffMs);
  arguments.SetMaxReceiveMessageSize(kLargestAnswer);
  // gRPC would go through http_proxy to everything that no_proxy leaves out, 127.0.0.1 and containers' names too: a
  // node is next door, and a proxy for the web does not carry its calls.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetUserAgentPrefix("leasemap/" LEASEMAP_VERSION);
  return grpc::experimental::CreateCustomChannelWithInterceptors(server, credentials, arguments, TokenSenders(proofs));
}

}  // namespace

Connection::Connection(const Options& options, Proofs proofs)
    : options_(options), proofs_(std::move(proofs)), servers_(options.servers.size()) {
  for (size_t i = 0; i < servers_.size(); ++i) servers_[i].address = options.servers[i];
}

const std::shared_ptr<grpc::ChannelCredentials>& Connection::credentials() {
  if (credentials_ == nullptr) credentials_ = ChannelCredentialsOf(proofs_);
  return credentials_;
}

Connection::Server& Connection::Open() {
  Server& server = servers_[current_];
  if (server.channel == nullptr) {
    server.channel = MakeChannel(server.address, credentials(), proofs_);
    server.key_value = v1::KeyValue::NewStub(server.channel);
    server.mesh = v1::Mesh::NewStub(server.channel);
    server.health = grpc::health::v1::Health::NewStub(server.channel);
  }
  return server;
}

bool Connection::Connects() {
  grpc::Channel& channel = *Open().channel;
  const auto deadline = absl::ToChronoTime(absl::Now() + std::min(options_.timeout, kConnectWait));
  for (grpc_connectivity_state state = channel.GetState(true); state != GRPC_CHANNEL_READY;
       state = channel.GetState(true)) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
    if (!channel.WaitForStateChange(state, deadline)) return false;
  }
  return true;
}

bool Connection::Next() {
  const bool more = !IsLast();
  current_ = (current_ + 1) % servers_.size();
  ++asked_;
  return more;
}

void Connection::Settle() {
  if (servers_.size() == 1) return;
  Begin();
  while (!Connects() && Next()) {
  }
}

int Connection::Report(const grpc::Status& status) const {
  if (IsUnreachable(status)) {
    const bool all = !unknown_ && asked_ > servers_.size();
    Complain()
        << "no answer from " << (all ? absl::StrJoin(options_.servers, ", ") : server()) << " ("
        << status.error_message() << "); "
        << (unknown_
                ? "the node may have done the write or not: read the key before you repeat it, or use --request-id\n"
                : "is a node running there? Name another with --server host:port or LEASEMAP_SERVER\n");
    return kUnreachable;
  }
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && ReasonOf(status).empty()) {
    Complain() << server() << " does not answer as a Leasemap node of this version does (" << status.error_message()
               << ")\n";
    return kRefused;
  }
  const google::rpc::ErrorInfo info = InfoOf(status);
  Complain() << status.error_message();
  // The node speaks of the request's fields; here they are options.
  if (info.reason() == "LEASE_HELD") std::cerr << " (--holder " << Escape(info.metadata().at("holder")) << ")";
  std::cerr << "\n";
  return kRefused;
}

std::string ReasonOf(const grpc::Status& status) { return InfoOf(status).reason(); }

bool IsUnreachable(const grpc::Status& status) {
  const bool silent = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                      status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return silent && ReasonOf(status).empty();
}

}  // namespace leasemap::cli
