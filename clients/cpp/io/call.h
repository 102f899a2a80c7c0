// Calls: one try at one node, and a call that goes on at the next node when one fails. On the loop.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/clock.h"
#include "clients/cpp/io/engine.h"

namespace leasemap::internal {

// How a generated stub begins a call.
template <typename Request, typename Answer, typename Service = v1::KeyValue>
using Method = std::unique_ptr<grpc::ClientAsyncResponseReader<Answer>> (Service::Stub::*)(grpc::ClientContext*,
                                                                                           const Request&,
                                                                                           grpc::CompletionQueue*);

// A deadline for gRPC, which counts by the monotonic clock.
inline gpr_timespec DeadlineIn(absl::Duration left) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_micros(absl::ToInt64Microseconds(left), GPR_TIMESPAN));
}

// One try at one node; deletes itself when it is done.
template <typename Request, typename Answer, typename Service = v1::KeyValue>
class Try final : public Operation {
 public:
  using Outcome = std::function<void(absl::StatusOr<Answer>)>;

  static void Start(Engine& engine, const std::string& target, Method<Request, Answer, Service> method,
                    const Request& request, absl::Duration most, Outcome outcome) {
    if (engine.closed()) return outcome(ClosedStatus());
    auto* made = new Try(engine, target, std::move(outcome));
    made->context_.set_deadline(DeadlineIn(most));
    engine.Add(&made->context_);
    engine.access().Sign(target, made->context_);
    made->reader_ = (engine.nodes().Stub<Service>(target).*method)(&made->context_, request, engine.loop().Begin());
    made->reader_->StartCall();
    made->reader_->Finish(&made->answer_, &made->status_, made);
  }

  void Done(bool) override {
    const std::unique_ptr<Try> self(this);
    engine_.Remove(&context_);
    engine_.Heard(context_);
    if (status_.ok()) return outcome_(std::move(answer_));
    if (engine_.closed()) return outcome_(ClosedStatus());
    outcome_(FromGrpc(status_.error_code(), status_.error_message(), status_.error_details(), target_));
  }

 private:
  Try(Engine& engine, std::string target, Outcome outcome)
      : engine_(engine), target_(std::move(target)), outcome_(std::move(outcome)) {}

  Engine& engine_;
  const std::string target_;
  const Outcome outcome_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Answer>> reader_;
  Answer answer_;
  grpc::Status status_;
};

// A call: asks the client's home node, and the next one when that fails, until `end`.
template <typename Request, typename Answer, typename Service = v1::KeyValue>
class Call : public std::enable_shared_from_this<Call<Request, Answer, Service>> {
 public:
  // The answer, and the node that gave it (or was asked last).
  using Outcome = std::function<void(absl::StatusOr<Answer>, const std::string&)>;

  // Of one node it waits for `most`.
  static void Start(Engine& engine, Method<Request, Answer, Service> method, Request request, absl::Duration most,
                    Moment end, Outcome outcome) {
    std::make_shared<Call>(engine, method, std::move(request), most, end, std::move(outcome))->Ask();
  }

  Call(Engine& engine, Method<Request, Answer, Service> method, Request request, absl::Duration most, Moment end,
       Outcome outcome)
      : engine_(engine),
        method_(method),
        request_(std::move(request)),
        most_(most),
        end_(end),
        outcome_(std::move(outcome)) {}

 private:
  void Ask() {
    if (engine_.closed()) return outcome_(ClosedStatus(), "");
    target_ = engine_.nodes().Pick();
    started_ = BootTime();
    const absl::Duration left = std::max(end_ - started_, absl::Milliseconds(1));
    Try<Request, Answer, Service>::Start(
        engine_, target_, method_, request_, AttemptTime(left, most_),
        [self = this->shared_from_this()](absl::StatusOr<Answer> answer) { self->Answered(std::move(answer)); });
  }

  void Answered(absl::StatusOr<Answer> answer) {
    if (answer.ok() || (!engine_.closed() && !IsElsewhere(answer.status()))) {
      engine_.nodes().Worked(target_);  // an answer, if not always the one that was wanted
      return outcome_(std::move(answer), target_);
    }
    const Moment now = BootTime();
    // A caller that gave the node no time says nothing about the node.
    if (engine_.closed() || (now >= end_ && now - started_ < kAttemptLeast)) {
      return outcome_(std::move(answer), target_);
    }
    const absl::Duration pause = engine_.NodeFailed(target_);
    if (now + pause >= end_) return outcome_(std::move(answer), target_);
    if (pause <= absl::ZeroDuration()) return Ask();
    engine_.After(pause, [self = this->shared_from_this()] {
      if (!self->engine_.closed()) self->engine_.LookUpAgain();
      self->Ask();
    });
  }

  Engine& engine_;
  const Method<Request, Answer, Service> method_;
  const Request request_;
  const absl::Duration most_;
  const Moment end_;
  const Outcome outcome_;
  std::string target_;
  Moment started_;
};

}  // namespace leasemap::internal
