// The Watch streams of this node.
//
// A stream has no queue: it holds a position in the map's revisions (core::Watch) and at most one message that gRPC is
// writing. It moves on when its last message was written, on the thread that tells so; when it is at the head it
// waits for the hub's thread, which wakes at each change and when a cursor is due.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grpcpp/support/server_callback.h"
#include "leasemap/v1/key_value.pb.h"
#include "peer/threads/mutex.h"
#include "server/host/node_host.h"

namespace leasemap::rpc {

class WatchStream;

class WatchHub {
 public:
  using Reactor = grpc::ServerWriteReactor<v1::WatchResponse>;
  struct Bounds {
    size_t streams = 10'000;  // at once: each costs some kilobytes, and a look at each change
    // Bytes of messages that clients have not taken; beyond it who takes nothing for the longest is ended.
    int64_t untaken_bytes = int64_t{128} << 20;
    // One connection may have a tenth of the streams, and all of a hundred: one program that leaks watches takes them
    // from nobody else.
    size_t per_connection() const { return std::max(streams / 10, std::min<size_t>(streams, 100)); }
  };
  struct Use {
    size_t streams = 0, most = 0;
    std::string busiest;  // the connection with most of them, as gRPC names it; empty without streams
    size_t of_busiest = 0;
  };

  WatchHub(const host::NodeHost& host, Bounds bounds);
  ~WatchHub();

  // A reactor for gRPC, which owns itself: a stream, or one that ends at once with an error.
  Reactor* Open(grpc::CallbackServerContext* context, const v1::WatchRequest& request);
  static Reactor* Refuse(const absl::Status& status);

  // Something changed: streams at the head look again. Any thread; does not block.
  void Notify();
  // A lease was renewed: the streams that asked for renewals look again.
  void NotifyRenewed();
  // Ends all streams with DRAINING, those at the head after a cursor. New ones are refused by the gate.
  void Drain();
  Use use() const;

 private:
  friend class WatchStream;
  void Remove(const WatchStream* stream);
  // OK if there is room for one more of this connection; else the refusal.
  absl::Status CheckRoom(const std::string& peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::map<std::string, size_t>::const_iterator Busiest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A stream holds so many bytes more (or less) that its client has not taken.
  void Hold(int64_t bytes);
  void EndOneThatStalls();
  // A stream wants to be looked at then (monotonic milliseconds), changes aside.
  void WakeAt(int64_t mono_ms);
  void Run();
  // Waits until streams have to be looked at, and puts them into `due`; false: the hub stops.
  bool AwaitDue(std::vector<std::shared_ptr<WatchStream>>* due);

  const host::NodeHost& host_;
  const Bounds bounds_;
  std::atomic<int64_t> untaken_{0};
  mutable Mutex mutex_;
  Condition wake_;
  std::map<const WatchStream*, std::shared_ptr<WatchStream>> streams_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, size_t> by_peer_ ABSL_GUARDED_BY(mutex_);  // streams of each
  int64_t told_ms_ ABSL_GUARDED_BY(mutex_) = INT64_MIN;            // when a limit was logged
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
  bool renewed_ ABSL_GUARDED_BY(mutex_) = false;
  size_t want_renewals_ ABSL_GUARDED_BY(mutex_) = 0;  // streams
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t wake_ms_ ABSL_GUARDED_BY(mutex_) = INT64_MAX;
  std::thread thread_;
};

}  // namespace leasemap::rpc
