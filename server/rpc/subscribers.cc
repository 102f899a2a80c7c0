#include "server/rpc/subscribers.h"

#include <deque>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc/support/time.h"
#include "grpcpp/alarm.h"
#include "peer/core/data/error.h"
#include "peer/threads/mutex.h"
#include "server/rpc/gate.h"
#include "server/rpc/limits.h"
#include "server/rpc/refused.h"
#include "server/rpc/status.h"

namespace leasemap::rpc {

class SubscribeStream final : public Subscribers::Reactor {
 public:
  SubscribeStream(Subscribers& owner, Caller caller) : owner_(owner), caller_(std::move(caller)) {}
  const Caller& caller() const { return caller_; }

  void Deliver(const std::string& from_node, const std::string& payload) {
    const MutexLock lock(mutex_);
    if (finished_) return;
    v1::SubscribeResponse message;
    message.set_from_node(from_node);
    message.set_payload(payload);
    bytes_ += payload.size();
    queue_.push_back(std::move(message));
    while (queue_.size() > Subscribers::kMaxMessages || bytes_ > Subscribers::kMaxBytes) {
      bytes_ -= queue_.front().payload().size();
      queue_.pop_front();
      ++skipped_;
    }
    Next();
  }

  void End(const absl::Status& status) {
    const MutexLock lock(mutex_);
    if (!std::exchange(finished_, true)) Finish(ToGrpc(status));
  }

  void EndAfter(std::chrono::milliseconds left, const std::shared_ptr<SubscribeStream>& self) {
    const gpr_timespec at =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(left.count(), GPR_TIMESPAN));
    old_.Set(at, [stream = std::weak_ptr(self)](bool due) {
      if (const auto held = stream.lock(); held && due) held->End(Gate::ConnectionIsOld());
    });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::CancelledError("the client is gone"));
    const MutexLock lock(mutex_);
    writing_ = false;
    if (!finished_) Next();
  }
  void OnCancel() override { End(absl::CancelledError("cancelled")); }
  void OnDone() override { owner_.streams_.Remove(this); }

 private:
  void Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || queue_.empty()) return;
    response_ = std::move(queue_.front());
    queue_.pop_front();
    bytes_ -= response_.payload().size();
    response_.set_skipped(std::exchange(skipped_, 0));
    writing_ = true;
    StartWrite(&response_);
  }

  Subscribers& owner_;
  const Caller caller_;
  grpc::Alarm old_;
  Mutex mutex_;
  std::deque<v1::SubscribeResponse> queue_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;                // of the payloads in queue_
  uint64_t skipped_ ABSL_GUARDED_BY(mutex_) = 0;            // since the last message that was written
  v1::SubscribeResponse response_ ABSL_GUARDED_BY(mutex_);  // gRPC reads it while writing_
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

Subscribers::Reactor* Subscribers::Open(const grpc::CallbackServerContext& context, Caller caller,
                                        std::chrono::milliseconds age) {
  auto stream = std::make_shared<SubscribeStream>(*this, std::move(caller));
  const Added added = streams_.Add(stream, context.peer());
  if (added == Added::kClosed) return Refused<Reactor>(ToGrpc(Gate::Draining()));
  if (added != Added::kYes) {
    return Refused<Reactor>(ToGrpc(core::Refusal(
        absl::StatusCode::kResourceExhausted, "WATCH_LIMIT",
        absl::StrCat("this node serves ", kMaxStreams, " subscribers, and may serve no more; use another node"))));
  }
  stream->StartSendInitialMetadata();
  stream->EndAfter(TimeLeft(connection_age_, age), stream);
  if (stream->caller().has_rights()) LookAtRights(*stream);  // they may have changed meanwhile
  return stream.get();
}

void Subscribers::Deliver(const std::string& from_node, const std::string& payload) {
  for (const auto& stream : streams_.All()) stream->Deliver(from_node, payload);
}

void Subscribers::LookAtRights() {
  for (const auto& stream : streams_.All()) LookAtRights(*stream);
}

void Subscribers::LookAtRights(SubscribeStream& stream) const {
  const auto caller = access_.IdentifyAgain(stream.caller());
  const auto status = caller.ok() ? caller->MayReadAll() : caller.status();
  if (!status.ok()) stream.End(status);
}

void Subscribers::Drain() {
  for (const auto& stream : streams_.Close()) stream->End(Gate::Draining());
}

}  // namespace leasemap::rpc
