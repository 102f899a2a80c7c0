// Whether KeyValue calls are served: not before the node is ready, not while it drains.
#pragma once

#include <atomic>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "grpcpp/server_context.h"
#include "peer/core/data/error.h"
#include "server/host/node_host.h"
#include "server/rpc/connections.h"

namespace leasemap::rpc {

class Gate {
 public:
  Gate(const host::NodeHost& host, Connections& connections)
      : host_(host), connections_(connections), node_(absl::CEscape(host.options().node_id)) {}

  void Drain() { draining_.store(true, std::memory_order_release); }
  bool draining() const { return draining_.load(std::memory_order_acquire); }
  // The answer of health checks. A stuck node still takes calls, which may yet be answered, but nobody should send it
  // more.
  bool serving() const {
    return host_.ready() && !draining() && !host_.stuck() && listening_.load(std::memory_order_acquire);
  }
  // Whether the port is alive.
  void SetListening(bool listening) { listening_.store(listening, std::memory_order_release); }
  const Connections& connections() const { return connections_; }

  // A call's request has come whole. Its answer names this node in the trailer `leasemap-node`: behind a load balancer
  // nothing else does.
  void Arrived(grpc::CallbackServerContext& context, const google::protobuf::Message& request) const {
    connections_.Arrived(context.peer(), request.ByteSizeLong());
    context.AddTrailingMetadata("leasemap-node", node_);
  }
  // Some more of a request that comes in pieces.
  void MoreArrived(grpc::CallbackServerContext& context, const google::protobuf::Message& piece) const {
    connections_.Arrived(context.peer(), piece.ByteSizeLong());
  }
  // The same for a KeyValue call. OK, SYNCING or DRAINING.
  absl::Status Check(grpc::CallbackServerContext& context, const google::protobuf::Message& request) const {
    Arrived(context, request);
    if (host_.ready() && !draining()) return absl::OkStatus();
    if (draining()) return Draining();
    const std::string waits_for = host_.WaitsFor();
    return waits_for.empty() ? absl::OkStatus() : Syncing(waits_for);
  }
  static absl::Status Draining() {
    auto status =
        core::Refusal(absl::StatusCode::kUnavailable, "DRAINING", "this node is shutting down; use another node");
    core::SetRetryMs(status, 1000);
    return status;
  }

 private:
  static absl::Status Syncing(const std::string& waits_for) {
    auto status =
        core::Refusal(absl::StatusCode::kUnavailable, "SYNCING",
                      absl::StrCat("this node is not ready: ", waits_for, ". Use another node, or try again"));
    core::SetRetryMs(status, 200);
    return status;
  }

  const host::NodeHost& host_;
  Connections& connections_;
  const std::string node_;  // its ID, in a form for metadata: bytes that are not ASCII are escaped as in C
  std::atomic<bool> draining_{false}, listening_{true};
};

}  // namespace leasemap::rpc
