// The Watch streams of this node.
//
// A stream has no queue: it holds a position in the map's revisions (core::Watch) and at most one message that gRPC is
// writing. It moves on when its last message was written, on the thread that tells so; when it is at the head it
// waits for the hub's thread, which wakes at each change and when a cursor is due.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "grpcpp/support/server_callback.h"
#include "leasemap/v1/key_value.pb.h"
#include "server/host/node_host.h"

namespace leasemap::rpc {

class WatchStream;

class WatchHub {
 public:
  using Reactor = grpc::ServerWriteReactor<v1::WatchResponse>;
  // Streams at once: each costs some kilobytes, and a look at each change.
  static constexpr size_t kMaxStreams = 10'000;

  explicit WatchHub(const host::NodeHost& host);
  ~WatchHub();

  // A reactor for gRPC, which owns itself: a stream, or one that ends at once with an error.
  Reactor* Open(const v1::WatchRequest& request);
  static Reactor* Refuse(const absl::Status& status);

  // Something changed: streams at the head look again. Any thread; does not block.
  void Notify();
  // Ends all streams with DRAINING, those at the head after a cursor. New ones are refused by the gate.
  void Drain();

 private:
  friend class WatchStream;
  void Remove(const WatchStream* stream);
  // A stream wants to be looked at then (monotonic milliseconds), changes aside.
  void WakeAt(int64_t mono_ms);
  void Run();

  const host::NodeHost& host_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<const WatchStream*, std::shared_ptr<WatchStream>> streams_;  // guarded by mutex_
  bool notified_ = false;                                               // guarded by mutex_
  bool draining_ = false;                                               // guarded by mutex_
  bool stopping_ = false;                                               // guarded by mutex_
  int64_t wake_ms_ = INT64_MAX;                                         // guarded by mutex_
  std::thread thread_;
};

}  // namespace leasemap::rpc
