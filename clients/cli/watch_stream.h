// One Watch call, read with a deadline: a node that is stopped or cut off says nothing at all, and a watch must not
// wait for it for ever.
#ifndef LEASEMAP_CLIENTS_CLI_WATCH_STREAM_H_
#define LEASEMAP_CLIENTS_CLI_WATCH_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/time/time.h"
#include "leasemap/v1/key_value.grpc.pb.h"

namespace leasemap::cli {

// Belongs to one thread. At most one operation of the call is under way, and always one that is waited for.
class WatchStream {
 public:
  WatchStream(v1::KeyValue::Stub& stub, const v1::WatchRequest& request);
  WatchStream(const WatchStream&) = delete;
  WatchStream& operator=(const WatchStream&) = delete;

  // The next message, or null once the stream has ended, also because nothing came for `patience`.
  const v1::WatchResponse* Read(absl::Duration patience);

  // Why the stream ended. Call it after Read answered null. A stream given up as silent is DEADLINE_EXCEEDED.
  grpc::Status Finish();

 private:
  // Waits for the operation under way; false if it failed. Cancels the call when `patience` is over.
  bool Wait(absl::Duration patience);

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<v1::WatchResponse>> reader_;
  v1::WatchResponse response_;
  bool started_ = false;
  bool silent_ = false;
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_WATCH_STREAM_H_
