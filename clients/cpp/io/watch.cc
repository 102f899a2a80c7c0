// Client::Watch: streams that follow each other, as calls of one handler.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "clients/cpp/core/entries.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/core/watch_fold.h"
#include "clients/cpp/io/call.h"
#include "clients/cpp/io/following.h"
#include "clients/cpp/io/subscribed.h"
#include "leasemap/client.h"

namespace leasemap {
namespace internal {
namespace {

// Errors that another node would give, too.
bool IsFinal(const absl::Status& status) {
  return IsReason(status, reason::kCursorExpired) || IsReason(status, reason::kCursorInvalid) ||
         absl::IsInvalidArgument(status) || IsRefusal(status) || absl::IsUnimplemented(status);
}

class Watcher final : public Subscribed, public Follower {
 public:
  using Handler = std::function<void(const Event&)>;
  using OnEnd = std::function<void(const absl::Status&)>;

  Watcher(std::shared_ptr<Engine> engine, const WatchOptions& options, Handler handler, OnEnd on_end)
      : Subscribed(std::move(engine)), fold_(options), handler_(std::move(handler)), on_end_(std::move(on_end)) {}

  std::shared_ptr<Watcher> Self() { return std::static_pointer_cast<Watcher>(shared_from_this()); }

  void Start() {
    self_ = Self();
    if (stopped()) return OnStopped();
    following_ = std::make_shared<Following>(*engine(), *this);
    following_->Start();
  }

  // It ended, or never began: the handler of the end is called.
  void End(const absl::Status& status) {
    engine()->handlers().Post([self = Self(), status] {
      if (self->on_end_) self->RunUnlessStopped([&] { self->on_end_(status); });
    });
  }

  v1::WatchRequest Request() override {
    ++stream_;
    return fold_.Request();
  }

  void Took(const v1::WatchResponse& message) override {
    std::vector<Event> told;
    const std::vector<std::string> unknown = fold_.Take(message, told);
    if (unknown.empty()) return Tell(std::move(told));
    Read(unknown, 0, std::make_shared<Found>(), std::move(told));
  }

  bool Broke(const absl::Status& status) override {
    if (!IsFinal(status)) return true;
    last_ = status;
    return false;
  }

  void Ended() override {
    End(last_);
    self_.reset();
  }

 private:
  using Found = absl::flat_hash_map<std::string, Entry>;

  void OnStopped() override {
    if (following_) following_->Stop();
    self_.reset();
  }

  // What the stream's node has of these keys, in calls of as many as the server takes and answers.
  void Read(const std::vector<std::string>& keys, size_t from, const std::shared_ptr<Found>& found,
            std::vector<Event> told) {
    constexpr size_t kKeysMost = 1000;
    const size_t end = std::min(keys.size(), from + kKeysMost);
    v1::BatchGetRequest request;
    for (size_t i = from; i < end; ++i) request.add_requests()->set_key_bytes(keys[i]);
    Try<v1::BatchGetRequest, v1::BatchGetResponse>::Start(
        *engine(), following_->target(), &v1::KeyValue::Stub::PrepareAsyncBatchGet, request, kAttempt,
        [self = Self(), stream = stream_, keys, from, found,
         told = std::move(told)](const absl::StatusOr<v1::BatchGetResponse>& answer) mutable {
          if (self->stopped() || self->stream_ != stream) return;  // of a stream that is gone
          if (!answer.ok()) return self->following_->Fail(answer.status());
          size_t next = from;
          for (const v1::BatchResult& result : answer->results()) {
            const absl::Status status = FromItem(result.status());
            if (IsReason(status, "BYTES_LIMIT") && next > from) break;  // no room: asked for again
            if (!status.ok() && !IsReason(status, reason::kKeyNotFound)) return self->following_->Fail(status);
            if (status.ok()) (*found)[keys[next]] = FromProto(result.entry());
            ++next;
          }
          if (next == from) return self->following_->Fail(absl::UnavailableError("the answer was cut short"));
          if (next < keys.size()) return self->Read(keys, next, found, std::move(told));
          self->fold_.TakeBack(*found, told);
          self->Tell(std::move(told));
        });
  }

  // The next message is asked for when the handler is through with this one.
  void Tell(std::vector<Event> told) {
    if (told.empty()) return following_->Next();
    engine()->handlers().Post([self = Self(), stream = stream_, told = std::move(told)] {
      for (const Event& event : told) {
        if (!self->RunUnlessStopped([&] { self->handler_(event); })) return;
      }
      self->engine()->Post([self, stream] {
        if (!self->stopped() && self->stream_ == stream) self->following_->Next();
      });
    });
  }

  WatchFold fold_;
  const Handler handler_;
  const OnEnd on_end_;
  std::shared_ptr<Following> following_;
  uint64_t stream_ = 0;  // counts the streams
  absl::Status last_ = ClosedStatus();
  std::shared_ptr<Watcher> self_;  // while it follows
};

absl::Status Check(const WatchOptions& options) {
  if (options.snapshot && !options.cursor.empty()) {
    return absl::InvalidArgumentError("a watch either resumes after a cursor, or begins with a snapshot");
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace internal

Subscription Client::Watch(const WatchOptions& options, std::function<void(const Event&)> handler,
                           std::function<void(const absl::Status&)> ended) {
  const auto watcher = std::make_shared<internal::Watcher>(engine_, options, std::move(handler), std::move(ended));
  absl::Status problem = engine_->problem();
  if (problem.ok()) problem = internal::Check(options);
  if (problem.ok() && !engine_->Post([watcher] { watcher->Start(); })) problem = internal::ClosedStatus();
  if (!problem.ok()) watcher->End(problem);
  return Subscription(watcher);
}

}  // namespace leasemap
