#include "server/rpc/server.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server_builder.h"

namespace leasemap::rpc {

Server::Server(core::NodeOptions options, std::string listen, std::string mesh_listen)
    : listen_(std::move(listen)),
      host_(std::move(options), std::move(mesh_listen)),
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
  builder.SetResourceQuota(grpc::ResourceQuota("leasemap").Resize(kQuotaBytes));
  // Two servers on one port would share its calls by chance; the second has to fail.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
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
  if (server_ == nullptr) return;
  gate_.Drain();
  health_.Notify();
  watches_.Drain();
  subscribers_.Drain();
  health_.EndStreams();
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(kDrainSeconds));
  server_->Wait();
  server_.reset();
  host_.Stop();
}

}  // namespace leasemap::rpc
