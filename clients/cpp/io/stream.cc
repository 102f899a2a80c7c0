#include "clients/cpp/io/stream.h"

#include <utility>

#include "clients/cpp/core/status.h"
#include "clients/cpp/io/clock.h"

namespace leasemap::internal {

Stream::Stream(Engine& engine, std::string target, OnMessage on_message, OnEnd on_end)
    : engine_(engine), target_(std::move(target)), on_message_(std::move(on_message)), on_end_(std::move(on_end)) {}

void Stream::Start(const v1::WatchRequest& request) {
  self_ = shared_from_this();
  engine_.Add(&context_);
  Listen();
  grpc::CompletionQueue* queue = engine_.loop().Begin();
  engine_.access().Sign(target_, context_);
  reader_ = engine_.nodes().Stub(target_).PrepareAsyncWatch(&context_, request, queue);
  reader_->StartCall(this);
}

// A node that says nothing for this time is dead, whatever its connection looks like.
void Stream::Listen() {
  silence_ = engine_.loop().At(BootTime() + kSilenceMost, [this] { context_.TryCancel(); });
}

void Stream::Next() {
  if (at_ != At::kIdle) return;
  at_ = At::kReading;
  Listen();
  engine_.loop().Begin();
  reader_->Read(&message_, this);
}

void Stream::Cancel() {
  context_.TryCancel();
  if (at_ == At::kIdle) Finish();
}

void Stream::Forget() {
  on_message_ = nullptr;
  on_end_ = nullptr;
  Cancel();
}

void Stream::Finish() {
  at_ = At::kFinishing;
  engine_.loop().Begin();
  reader_->Finish(&status_, this);
}

void Stream::Done(bool ok) {
  engine_.loop().Cancel(silence_);
  switch (at_) {
    case At::kStarting:
      if (!ok) return Finish();
      at_ = At::kIdle;
      return Next();
    case At::kReading: {
      if (!ok) return Finish();
      at_ = At::kIdle;
      if (!on_message_) return Finish();
      const OnMessage on_message = on_message_;  // which may forget this stream
      return on_message(message_);
    }
    case At::kFinishing:
      break;
    default:
      return;
  }
  at_ = At::kDone;
  engine_.Remove(&context_);
  const std::shared_ptr<Stream> self = std::move(self_);
  if (!on_end_) return;
  const OnEnd on_end = std::move(on_end_);
  on_end(status_.ok() ? absl::UnavailableError(target_ + ": the node ended the watch")
                      : FromGrpc(status_.error_code(), status_.error_message(), status_.error_details(), target_));
}

}  // namespace leasemap::internal
