// A unary call whose answer waits in the node: for acks, for the disk, for a version, for the others' views of a key.
//
// No thread waits. The handler begins one or several waits and gives gRPC the call. The thread that brings the last
// answer goes on with the call's next step, which may begin waits, too; after the last step the call is finished. When
// its client is gone the waits are freed.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "peer/threads/mutex.h"
#include "server/host/node_host.h"
#include "server/rpc/status.h"

namespace leasemap::rpc {

// Milliseconds that the client still waits for the answer; INT64_MAX without a deadline.
int64_t PatienceMs(const grpc::CallbackServerContext& context);

// Owns itself: gRPC's OnDone deletes it. Its lock is never held while the node or gRPC is called.
class WaitingCall final : public grpc::ServerUnaryReactor {
 public:
  // Runs when all that was waited for before is there. An error ends the call; else that of the last step is the call's
  // status.
  using Step = std::function<absl::Status(WaitingCall& call)>;
  WaitingCall(host::NodeHost& host, std::vector<Step> steps) : host_(host), steps_(std::move(steps)) {}

  // Returns the `done` for the node. `take` gets the answers, one at a time; it calls neither the node nor gRPC.
  host::NodeHost::Done Expect(std::function<void(const core::Effects::Answered&)> take);
  // Of that wait: this is its name, or, with 0, it is none after all.
  void Began(core::WaitId wait);
  // The handler has begun all waits. The call is not to be touched after it, but to be returned to gRPC.
  void Ready() { Arrive(); }

  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  void Arrive();
  // One wait, or step, less. True if nothing is waited for any more.
  bool IsLast();

  host::NodeHost& host_;
  const std::vector<Step> steps_;
  size_t next_ = 0;  // of the steps; of the thread that brings the last answer
  Mutex mutex_;
  std::vector<core::WaitId> waits_ ABSL_GUARDED_BY(mutex_);
  size_t left_ ABSL_GUARDED_BY(mutex_) = 1;  // waits without an answer, and the handler or step that begins them
};

}  // namespace leasemap::rpc
