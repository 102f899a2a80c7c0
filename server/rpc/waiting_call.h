// A unary call whose answer waits in the node: for acks, for a version, for the others' views of a key.
//
// No thread waits. The handler begins one or several waits and gives gRPC the call. The thread that brings the last
// answer finishes the call. When its client is gone the waits are freed.
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
  // `finish` makes the call's status when every wait has its answer.
  WaitingCall(host::NodeHost& host, std::function<absl::Status()> finish) : host_(host), finish_(std::move(finish)) {}

  // Returns the `done` for the node. `take` gets the answers, one at a time.
  host::NodeHost::Done Expect(std::function<void(const core::Effects::Answered&)> take);
  // Of that wait: this is its name, or, with 0, it is none after all.
  void Began(core::WaitId wait);
  // The handler has begun all waits. The call is not to be touched after it, but to be returned to gRPC.
  void Ready() { Arrive(); }

  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  void Arrive();

  host::NodeHost& host_;
  const std::function<absl::Status()> finish_;
  Mutex mutex_;
  std::vector<core::WaitId> waits_ ABSL_GUARDED_BY(mutex_);
  size_t left_ ABSL_GUARDED_BY(mutex_) = 1;  // waits without an answer, and the handler until Ready
};

}  // namespace leasemap::rpc
