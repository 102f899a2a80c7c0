#include "clients/cpp/io/following.h"

#include <utility>

#include "clients/cpp/core/status.h"

namespace leasemap::internal {

Following::~Following() { Stop(); }

void Following::Start() {
  engine_.Add(this);
  Open();
}

void Following::Open() {
  if (!follower_) return;
  if (engine_.closed()) return ClientClosed();
  refused_ = false;
  const std::weak_ptr<Following> self = weak_from_this();
  stream_ = std::make_shared<Stream>(
      engine_, engine_.nodes().Pick(),
      [self](const v1::WatchResponse& message) {
        const auto here = self.lock();
        if (!here || !here->follower_) return;
        here->engine_.nodes().Worked(here->stream_->target());
        here->follower_->Took(message);
      },
      [self](const absl::Status& status) {
        if (const auto here = self.lock()) here->OnEnd(status);
      });
  stream_->Start(follower_->Request());
}

void Following::Next() {
  if (stream_) stream_->Next();
}

void Following::Fail(const absl::Status& status) {
  if (!stream_) return;
  stream_->Forget();
  OnEnd(status);
}

void Following::Reopen() {
  if (!stream_ && !refused_) return;
  if (stream_) stream_->Forget();
  stream_.reset();
  Open();
}

void Following::Stop() {
  if (!follower_) return;
  follower_ = nullptr;
  engine_.Remove(this);
  if (!stream_) return;
  stream_->Forget();
  stream_.reset();
}

void Following::MoveAway() {
  if (stream_) stream_->Cancel();
}

void Following::ClientClosed() {
  const std::shared_ptr<Following> self = shared_from_this();
  Follower* follower = follower_;
  Stop();
  if (follower) follower->Ended();
}

void Following::OnEnd(const absl::Status& status) {
  if (!follower_) return;
  const std::shared_ptr<Following> self = shared_from_this();
  const std::string target = stream_->target();
  stream_.reset();
  if (engine_.closed()) return ClientClosed();
  const absl::Duration pause = PauseAfter(target, status);
  refused_ = IsRefusal(status);
  if (!follower_->Broke(status)) {
    Follower* follower = follower_;
    Stop();
    return follower->Ended();
  }
  if (pause <= absl::ZeroDuration()) return Open();
  engine_.After(pause, [self] {
    if (!self->follower_ || self->stream_) return;
    self->engine_.LookUpAgain();
    self->Open();
  });
}

absl::Duration Following::PauseAfter(const std::string& target, const absl::Status& status) {
  // The node is fine.
  if (IsReason(status, reason::kCursorExpired) || IsReason(status, reason::kCursorInvalid)) return kFirstPause;
  if (IsRefusal(status)) return kRefusedPause;     // of a watch that goes on all the same, since rights may come back
  if (!IsElsewhere(status)) return kLongestPause;  // and so it is here; another would say the same
  if (target == engine_.nodes().Pick()) return engine_.NodeFailed(target);
  return engine_.nodes().Pause();  // it was cut because the client moved
}

}  // namespace leasemap::internal
