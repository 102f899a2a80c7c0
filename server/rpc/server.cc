#include "server/rpc/server.h"

#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc/support/time.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server_builder.h"

namespace leasemap::rpc {
namespace {
// Calls that were sent before the client heard of the drain come within a round trip or two.
constexpr std::chrono::milliseconds kGrace{200};
}  // namespace

Server::Server(core::NodeOptions options, std::string listen, std::string mesh_listen, Limits limits)
    : listen_(std::move(listen)),
      limits_(limits),
      host_(std::move(options), std::move(mesh_listen), limits.memory),
      gate_(host_),
      watches_(host_),
      key_value_(host_, gate_, watches_),
      mesh_(host_, gate_, subscribers_),
      health_(gate_) {
  host::NodeHost::Listeners listeners;
  listeners.changed = [this] {
    watches_.Notify();
    const bool serving = gate_.serving();
    if (was_serving_.load(std::memory_order_relaxed) != serving && was_serving_.exchange(serving) != serving) {
      health_.Notify();
    }
  };
  listeners.heard = [this](const core::Effects::Heard& heard) { subscribers_.Deliver(heard.from_node, heard.payload); };
  host_.SetListeners(std::move(listeners));
}

Server::~Server() { Drain(); }

absl::Status Server::Start() {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.AddListeningPort(listen_, grpc::InsecureServerCredentials(), &port_);
  // All requests under way together: gRPC reads messages whole before any limit of ours.
  builder.SetResourceQuota(grpc::ResourceQuota("leasemap").Resize(host::CallBytes(limits_.memory)));
  // Two servers on one port would share its calls by chance; the second has to fail.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A client that vanished without a word gives its streams back; one that pings often is not turned away.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.RegisterService(&key_value_);
  builder.RegisterService(&mesh_);
  builder.RegisterService(&health_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port_ == 0) {
    server_.reset();
    return absl::UnavailableError(absl::StrCat("cannot listen on ", listen_, "; is the port taken? Change --listen"));
  }
  if (auto status = host_.Start(); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(std::string(status.message()), "; change --mesh-listen"));
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
  host_.EndWaits();  // those who wait for others hear how far it came
  health_.EndStreams();
  server_->Shutdown(deadline);
  server_->Wait();
  // The gRPC server itself is left to the destructor: the last of a process makes gRPC join its threads, and one that
  // polls lets it wait for up to ten seconds.
  host_.Stop();
}

}  // namespace leasemap::rpc
