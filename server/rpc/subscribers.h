// The Subscribe streams of this node: each has a bounded queue of messages, and drops its oldest when it is full.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "grpcpp/support/server_callback.h"
#include "leasemap/v1/mesh.pb.h"

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

  std::mutex mutex_;
  std::map<const SubscribeStream*, std::shared_ptr<SubscribeStream>> streams_;  // guarded by mutex_
  bool draining_ = false;                                                       // guarded by mutex_
};

}  // namespace leasemap::rpc
