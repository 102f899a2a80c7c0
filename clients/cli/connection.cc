#include "clients/cli/connection.h"

#include <iostream>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "clients/cli/terminal.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace leasemap::cli {
namespace {

// Without these a channel whose first attempt was refused waits 5 to 10 s before the next.
constexpr int kFirstBackoffMs = 100;
constexpr int kLargestBackoffMs = 500;
// gRPC names this one for the back-off, but takes it for how long one attempt to connect may last: long enough for a
// far away node and a lost packet, short enough that a black-holed address is told well within the default timeout.
constexpr int kConnectAttemptMs = 1000;
// An answer holds at most a page of 1 MiB, or one entry of a node that was started with a larger limit.
constexpr int kLargestAnswer = 256 << 20;

constexpr char kDomain[] = "leasemap";

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstBackoffMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectAttemptMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLargestBackoffMs);
  arguments.SetMaxReceiveMessageSize(kLargestAnswer);
  // gRPC would go through http_proxy to everything that no_proxy leaves out, 127.0.0.1 and containers' names too: a
  // node is next door, and a proxy for the web does not carry its calls.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetUserAgentPrefix("leasemap/" LEASEMAP_VERSION);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

Connection::Connection(const Options& options)
    : options_(options),
      channel_(MakeChannel(options.server)),
      key_value_(v1::KeyValue::NewStub(channel_)),
      mesh_(v1::Mesh::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)) {}

int Connection::Report(const grpc::Status& status) const {
  if (IsUnreachable(status)) {
    Complain() << "no answer from " << options_.server << " (" << status.error_message()
               << "); is a node running there? Name another with --server host:port or LEASEMAP_SERVER\n";
    return kUnreachable;
  }
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && ReasonOf(status).empty()) {
    Complain() << options_.server << " does not answer as a Leasemap node of this version does ("
               << status.error_message() << ")\n";
    return kRefused;
  }
  Complain() << status.error_message() << "\n";
  return kRefused;
}

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return "";
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == kDomain) return info.reason();
  }
  return "";
}

bool IsUnreachable(const grpc::Status& status) {
  const bool silent = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                      status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return silent && ReasonOf(status).empty();
}

}  // namespace leasemap::cli
