// The Watch streams of this node.
//
// A stream has no queue: it holds a position in the map's revisions (core::Watch) and at most one message that gRPC is
// writing. When gRPC has written the message, the stream moves on, on the same thread. At the head it waits for the
// hub's thread, which wakes at each change and when a cursor is due.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "grpcpp/support/server_callback.h"
#include "leasemap/v1/key_value.pb.h"
#include "peer/core/data/mono_time.h"
#include "peer/threads/mutex.h"
#include "server/host/node_host.h"
#include "server/rpc/access.h"
#include "server/rpc/caller.h"
#include "server/rpc/streams.h"

namespace leasemap::rpc {

class WatchStream;

class WatchHub {
 public:
  using Reactor = grpc::ServerWriteReactor<v1::WatchResponse>;
  struct Bounds {
    size_t streams = 10'000;  // at once: each costs some kilobytes, and a look at each change
    // Bytes of messages that clients have not taken; beyond it the watch that took none for the longest time is ended.
    int64_t untaken_bytes = int64_t{128} << 20;
    // When gRPC closes a connection, give or take a tenth. A watch ends after that, before gRPC's grace is over.
    std::chrono::milliseconds connection_age{3'600'000};
    // One connection may have a tenth of the streams, and all of a hundred: one program that leaks watches takes them
    // from nobody else.
    size_t per_connection() const { return std::max(streams / 10, std::min<size_t>(streams, 100)); }
  };
  WatchHub(const host::NodeHost& host, const Access& access, Bounds bounds);
  ~WatchHub();

  // A reactor for gRPC, which owns itself: a stream, or one that ends at once with an error.
  // `age`: of its connection.
  Reactor* Open(grpc::CallbackServerContext* context, Caller caller, std::chrono::milliseconds age,
                const v1::WatchRequest& request);

  // Something changed: streams at the head look again. Any thread; does not block.
  void Notify();
  // A lease was renewed: the streams that asked for renewals look again.
  void NotifyRenewed();
  // Rights may have changed: ends the streams of callers that may not read on what they watch, those at the head after
  // a cursor.
  void LookAtRights();
  // Ends all streams with DRAINING, those at the head after a cursor. New ones are refused by the gate.
  void Drain();
  StreamUse use() const { return streams_.use(); }
  // Of this principal.
  size_t UseOf(const std::string& principal) const { return streams_.UseOf(principal); }

 private:
  friend class WatchStream;
  void Remove(const WatchStream* stream);
  // Ends the stream if its caller may not read what it watches any more.
  void LookAtRights(WatchStream& stream) const;
  // WATCH_LIMIT, since no stream could be added; also said in the log, now and then.
  absl::Status NoRoom(Added why, const Caller& caller);
  // The messages that clients have not taken grew by this number of bytes (negative: they shrank).
  void Hold(int64_t bytes);
  void EndOneThatStalls();
  // A stream wants to be looked at then (monotonic milliseconds), changes aside.
  void WakeAt(core::MonoTime mono);
  void Run();
  enum class Due { kAll, kRenewals, kStop };
  // Waits until streams have to be looked at, all or those that asked for renewals, or the hub stops.
  Due AwaitDue();

  const host::NodeHost& host_;
  const Access& access_;
  const Bounds bounds_;
  Streams<WatchStream> streams_;
  std::atomic<int64_t> untaken_{0};
  mutable Mutex mutex_;
  Condition wake_;
  std::optional<core::MonoTime> logged_ ABSL_GUARDED_BY(mutex_);  // when the log last named the limit
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
  bool renewed_ ABSL_GUARDED_BY(mutex_) = false;
  size_t want_renewals_ ABSL_GUARDED_BY(mutex_) = 0;  // streams
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  core::MonoTime wake_at_ ABSL_GUARDED_BY(mutex_) = core::MonoTime::Never();
  std::thread thread_;
};

}  // namespace leasemap::rpc
