// grpc.health.v1.Health: "" and the two services are SERVING while KeyValue calls are served; "liveness" always is.
#pragma once

#include <string>

#include "grpc/health/v1/health.grpc.pb.h"
#include "peer/threads/mutex.h"
#include "server/rpc/gate.h"
#include "server/rpc/streams.h"

namespace leasemap::rpc {

class HealthStream;

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;

  // `max_streams`: as many as there may be connections, since each client with health checking has one.
  HealthService(const Gate& gate, size_t max_streams) : gate_(gate), streams_(max_streams) {}

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext*, const Request*, Response*) override;
  grpc::ServerWriteReactor<Response>* Watch(grpc::CallbackServerContext*, const Request*) override;

  // The gate may have opened or closed: streams say so. Any thread.
  void Notify();
  // Ends all streams, after their last state.
  void EndStreams();

 private:
  friend class HealthStream;
  Response::ServingStatus StateOf(const std::string& service) const;

  const Gate& gate_;
  Streams<HealthStream> streams_;
};

}  // namespace leasemap::rpc
