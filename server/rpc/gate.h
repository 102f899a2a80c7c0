// The door of every call: it counts what has come, finds out who calls, and lets KeyValue calls through only while the
// node serves, which is not before it is ready, and not while it drains.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "grpcpp/server_context.h"
#include "peer/core/data/error.h"
#include "server/host/node_host.h"
#include "server/rpc/access.h"
#include "server/rpc/connections.h"

namespace leasemap::rpc {

class Gate {
 public:
  Gate(const host::NodeHost& host, Connections& connections, const Access& access)
      : host_(host), connections_(connections), access_(access), node_(absl::CEscape(host.options().node_id)) {}

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
  const Access& access() const { return access_; }

  // Some more of a request that comes in pieces.
  void MoreArrived(grpc::CallbackServerContext& context, const google::protobuf::Message& piece) const {
    connections_.Arrived(context.peer(), piece.ByteSizeLong());
  }
  // A call's request has come whole: who calls, or UNAUTHENTICATED. The answer names this node in the trailer
  // `leasemap-node`, since behind a load balancer nothing else does, and the principal in `leasemap-principal`.
  absl::StatusOr<Caller> Identify(grpc::CallbackServerContext& context,
                                  const google::protobuf::Message& request) const {
    connections_.Arrived(context.peer(), request.ByteSizeLong());
    context.AddTrailingMetadata("leasemap-node", node_);
    auto caller = access_.Identify(context, CallOf(request), host_.options().node_id);
    if (!caller.ok() || !caller->has_rights()) return caller;
    const rights::Principal& principal = caller->principal();
    context.AddTrailingMetadata("leasemap-principal", absl::CEscape(principal.name));
    if (!connections_.Belongs(context.peer(), principal.name, principal.connections)) return TooMany(principal);
    return caller;
  }
  // OK, SYNCING or DRAINING.
  absl::Status CheckServing() const {
    if (host_.ready() && !draining()) return absl::OkStatus();
    if (draining()) return Draining();
    const std::string waits_for = host_.WaitsFor();
    return waits_for.empty() ? absl::OkStatus() : Syncing(waits_for);
  }
  // Both, for a KeyValue call.
  absl::StatusOr<Caller> Check(grpc::CallbackServerContext& context, const google::protobuf::Message& request) const {
    auto caller = Identify(context, request);
    if (!caller.ok()) return caller;
    auto status = CheckServing();
    return status.ok() ? std::move(caller) : status;
  }
  // A call that the whole map, or this node, is the matter of: for administrators.
  absl::StatusOr<Caller> CheckAdmin(grpc::CallbackServerContext& context, const google::protobuf::Message& request,
                                    std::string_view node = "") const {
    auto caller = Identify(context, request);
    if (!caller.ok()) return caller;
    const auto status = caller->MayAdminister(node);
    return status.ok() ? std::move(caller) : status;
  }
  static absl::Status Draining() {
    auto status =
        core::Refusal(absl::StatusCode::kUnavailable, "DRAINING", "this node is shutting down; use another node");
    core::SetRetryMs(status, 1000);
    return status;
  }
  // Ends a stream whose connection gRPC is about to close (TimeLeft).
  static absl::Status ConnectionIsOld() {
    auto status = core::Refusal(absl::StatusCode::kUnavailable, "DRAINING",
                                "this connection ends because of its age; call again on another one, a watch with its "
                                "last cursor");
    core::SetRetryMs(status, 0);
    return status;
  }
  // Whether an administrator whose call is under way is still one.
  absl::Status StillAdministers(const Caller& caller) const {
    if (!caller.has_rights()) return absl::OkStatus();
    const auto again = access_.IdentifyAgain(caller);
    return again.ok() ? again->MayAdminister() : again.status();
  }

 private:
  // "Set" of a SetRequest.
  static std::string_view CallOf(const google::protobuf::Message& request) {
    std::string_view name = request.GetDescriptor()->name();
    constexpr std::string_view kSuffix = "Request";
    if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
    return name;
  }
  static absl::Status TooMany(const rights::Principal& principal) {
    return core::Refusal(
        absl::StatusCode::kResourceExhausted, "CONNECTION_LIMIT",
        absl::StrCat("principal ", core::Shown(principal.name), " makes calls on ", principal.connections,
                     " connections, and may have no more (limits in the --auth-file); close some"));
  }
  static absl::Status Syncing(const std::string& waits_for) {
    auto status =
        core::Refusal(absl::StatusCode::kUnavailable, "SYNCING",
                      absl::StrCat("this node is not ready: ", waits_for, ". Use another node, or try again"));
    core::SetRetryMs(status, 200);
    return status;
  }

  const host::NodeHost& host_;
  Connections& connections_;
  const Access& access_;
  const std::string node_;  // its ID, in a form for metadata: bytes that are not ASCII are escaped as in C
  std::atomic<bool> draining_{false}, listening_{true};
};

}  // namespace leasemap::rpc
