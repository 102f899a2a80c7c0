// The Subscribe streams of this node: each has a bounded queue of messages, and drops its oldest when it is full.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "grpcpp/support/server_callback.h"
#include "leasemap/v1/mesh.pb.h"
#include "peer/threads/mutex.h"

namespace leasemap::rpc {

class SubscribeStream;

class Subscribers {
 public:
  using Reactor = grpc::ServerWriteReactor<v1::SubscribeResponse>;
  // A subscriber may lag by so much (protos/leasemap/v1/mesh.proto); beyond it the oldest messages are skipped.
  static constexpr size_t kMaxMessages = 256;
  static constexpr size_t kMaxBytes = 4 << 20;
  static constexpr size_t kMaxStreams = 1000;

  Reactor* Open();
  void Deliver(const std::string& from_node, const std::string& payload);
  // Ends all streams with DRAINING.
  void Drain();

 private:
  friend class SubscribeStream;
  void Remove(const SubscribeStream* stream);

  Mutex mutex_;
  std::map<const SubscribeStream*, std::shared_ptr<SubscribeStream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace leasemap::rpc
