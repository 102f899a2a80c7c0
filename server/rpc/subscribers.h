// The Subscribe streams of this node: each has a bounded queue of messages, and drops the oldest one when it is full.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "grpcpp/support/server_callback.h"
#include "leasemap/v1/mesh.pb.h"
#include "server/rpc/access.h"
#include "server/rpc/caller.h"
#include "server/rpc/streams.h"

namespace leasemap::rpc {

class SubscribeStream;

class Subscribers {
 public:
  using Reactor = grpc::ServerWriteReactor<v1::SubscribeResponse>;
  // How far a subscriber may lag (protos/leasemap/v1/mesh.proto). Beyond it the oldest messages are skipped.
  static constexpr size_t kMaxMessages = 256;
  static constexpr size_t kMaxBytes = 4 << 20;
  static constexpr size_t kMaxStreams = 1000;

  // `connection_age`: Limits::connection_age.
  Subscribers(const Access& access, std::chrono::milliseconds connection_age)
      : access_(access), connection_age_(connection_age) {}

  // The caller may read the whole map. `age`: of its connection, which ends the stream with DRAINING when it is old.
  Reactor* Open(const grpc::CallbackServerContext& context, Caller caller, std::chrono::milliseconds age);
  void Deliver(const std::string& from_node, const std::string& payload);
  // Rights may have changed: ends the streams of callers that may not go on.
  void LookAtRights();
  // Ends all streams with DRAINING.
  void Drain();

 private:
  friend class SubscribeStream;
  void LookAtRights(SubscribeStream& stream) const;

  const Access& access_;
  const std::chrono::milliseconds connection_age_;
  Streams<SubscribeStream> streams_{kMaxStreams};
};

}  // namespace leasemap::rpc
