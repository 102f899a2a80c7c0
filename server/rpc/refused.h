// A stream that ends at once with a status, for a call that is refused before it has a stream of its own.
#pragma once

#include "grpcpp/support/server_callback.h"

namespace leasemap::rpc {

// `Reactor` is one of gRPC's kinds of streams. It owns itself: gRPC's OnDone deletes it.
template <typename Reactor>
Reactor* Refused(const grpc::Status& status) {
  class Ended final : public Reactor {
   public:
    explicit Ended(const grpc::Status& status) { this->Finish(status); }
    void OnDone() override { delete this; }
  };
  return new Ended(status);
}

}  // namespace leasemap::rpc
