#include "server/rpc/health_service.h"

#include <memory>
#include <utility>

#include "server/rpc/refused.h"

namespace leasemap::rpc {

namespace {
constexpr char kEnding[] = "this node is shutting down";
constexpr char kNoMoreWatches[] = "this node takes no more health watches; call Check instead";
}  // namespace

class HealthStream final : public grpc::ServerWriteReactor<HealthService::Response> {
 public:
  HealthStream(HealthService& owner, std::string service) : owner_(owner), service_(std::move(service)) {}

  void Pump() {
    const MutexLock lock(mutex_);
    if (writing_ || finished_) return;
    const auto state = owner_.StateOf(service_);
    if (state == told_) {
      if (ending_) End();
      return;
    }
    told_ = state;
    response_.set_status(state);
    writing_ = true;
    StartWrite(&response_);
  }

  void EndAfterState() {
    {
      const MutexLock lock(mutex_);
      ending_ = true;
    }
    Pump();
  }

  void OnWriteDone(bool ok) override {
    {
      const MutexLock lock(mutex_);
      writing_ = false;
      if (!ok) return End();
    }
    Pump();
  }
  void OnCancel() override {
    const MutexLock lock(mutex_);
    End();
  }
  void OnDone() override { owner_.streams_.Remove(this); }

 private:
  void End() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!std::exchange(finished_, true)) Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, kEnding));
  }

  HealthService& owner_;
  const std::string service_;
  Mutex mutex_;
  HealthService::Response response_ ABSL_GUARDED_BY(mutex_);  // gRPC reads it while writing_
  int told_ ABSL_GUARDED_BY(mutex_) = -1;                     // the state that was written last; −1: none
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

HealthService::Response::ServingStatus HealthService::StateOf(const std::string& service) const {
  if (service == "liveness") return Response::SERVING;
  if (service.empty() || service == "leasemap.v1.KeyValue" || service == "leasemap.v1.Mesh") {
    return gate_.serving() ? Response::SERVING : Response::NOT_SERVING;
  }
  return Response::SERVICE_UNKNOWN;
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const Request* request,
                                               Response* response) {
  auto* reactor = context->DefaultReactor();
  response->set_status(StateOf(request->service()));
  reactor->Finish(
      response->status() == Response::SERVICE_UNKNOWN
          ? grpc::Status(grpc::StatusCode::NOT_FOUND,
                         "unknown service; ask for \"\", leasemap.v1.KeyValue, leasemap.v1.Mesh or liveness")
          : grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthService::Response>* HealthService::Watch(grpc::CallbackServerContext* context,
                                                                        const Request* request) {
  using Reactor = grpc::ServerWriteReactor<Response>;
  auto stream = std::make_shared<HealthStream>(*this, request->service());
  const Added added = streams_.Add(stream, context->peer());
  if (added == Added::kClosed) return Refused<Reactor>({grpc::StatusCode::UNAVAILABLE, kEnding});
  // Clients take UNIMPLEMENTED for healthy, and anything else for a node that cannot be called.
  if (added != Added::kYes) return Refused<Reactor>({grpc::StatusCode::UNIMPLEMENTED, kNoMoreWatches});
  stream->Pump();
  return stream.get();
}

void HealthService::Notify() {
  for (const auto& stream : streams_.All()) stream->Pump();
}

void HealthService::EndStreams() {
  for (const auto& stream : streams_.Close()) stream->EndAfterState();
}

}  // namespace leasemap::rpc
