// How a program's thread asks the loop, and waits; and how an asynchronous call gets its outcome.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/engine.h"

namespace leasemap::internal {

// One outcome, which another thread waits for.
template <typename Answer>
class Waiting {
 public:
  void Put(Answer answer) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(answer);
  }
  Answer Take() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Waiting::IsThere));
    return *std::move(answer_);
  }

 private:
  bool IsThere() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return answer_.has_value(); }
  absl::Mutex mutex_;  // guards the answer
  std::optional<Answer> answer_ ABSL_GUARDED_BY(mutex_);
};

// Runs `start` on the loop and waits for its outcome; `failed` makes an answer of a status. Never on the loop.
template <typename Answer, typename Start, typename Failed>
Answer AskAndWait(Engine& engine, Start start, Failed failed) {
  if (!engine.problem().ok()) return failed(engine.problem());
  const auto waiting = std::make_shared<Waiting<Answer>>();
  const bool runs = engine.Post(
      [start = std::move(start), waiting] { start([waiting](Answer answer) { waiting->Put(std::move(answer)); }); });
  return runs ? waiting->Take() : failed(ClosedStatus());
}

// Runs `start` on the loop; its outcome goes to `done`, on the thread for handlers.
template <typename Answer, typename Start, typename Failed>
void AskAsync(Engine& engine, Start start, Failed failed, std::function<void(Answer)> done) {
  if (!engine.problem().ok()) return done(failed(engine.problem()));
  if (!engine.Enter()) {
    return done(failed(MakeStatus(absl::StatusCode::kResourceExhausted, reason::kCallLimit,
                                  "10,000 calls of this client are under way; wait for some of them")));
  }
  // A handler may close the client; those after it still run.
  const auto give = [self = engine.shared_from_this(), done](Answer answer) {
    self->handlers().Post([self, done, answer = std::move(answer)]() mutable {
      self->Leave();
      done(std::move(answer));
    });
  };
  if (engine.Post([start = std::move(start), give] { start(give); })) return;
  engine.Leave();
  done(failed(ClosedStatus()));
}

}  // namespace leasemap::internal
