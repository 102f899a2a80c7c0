#include "tests/e2e/chaos/driver/endpoints.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace leasemap::chaos {
namespace {

// A channel whose first attempt is refused would wait 5 to 10 s before the next.
constexpr int kFirstBackoffMs = 100;
constexpr int kLargestBackoffMs = 500;
constexpr int kConnectAttemptMs = 1000;  // gRPC takes "min reconnect backoff" for how long an attempt may last

std::unique_ptr<v1::KeyValue::Stub> MakeStub(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstBackoffMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectAttemptMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLargestBackoffMs);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::KeyValue::NewStub(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

const char* NameOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::CANCELLED:
      return "cancelled";
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "deadline";
    case grpc::StatusCode::UNAVAILABLE:
      return "unreachable";
    case grpc::StatusCode::UNIMPLEMENTED:
      return "unimplemented";
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return "exhausted";
    case grpc::StatusCode::INTERNAL:
      return "internal";
    default:
      return "other";
  }
}

}  // namespace

std::vector<Endpoint> MakeEndpoints(const std::string& text) {
  std::vector<Endpoint> out;
  for (absl::string_view piece : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(piece, '=');
    if (parts.size() != 2) return {};
    out.push_back({parts[0], MakeStub(parts[1]), MakeStub(parts[1])});
  }
  return out;
}

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& detail : details.details()) {
      google::rpc::ErrorInfo info;
      if (detail.UnpackTo(&info) && info.domain() == "leasemap") return info.reason();
    }
  }
  return NameOf(status.error_code());
}

int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace leasemap::chaos
