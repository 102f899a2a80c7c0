#include "server/rpc/watch_hub.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "peer/core/error.h"
#include "server/rpc/convert.h"
#include "server/rpc/gate.h"
#include "server/rpc/status.h"

namespace leasemap::rpc {

namespace {
v1::Event::Kind KindOf(core::EventKind kind) {
  switch (kind) {
    case core::EventKind::kSet:
      return v1::Event::KIND_SET;
    case core::EventKind::kDeleted:
      return v1::Event::KIND_DELETED;
    case core::EventKind::kExpired:
      return v1::Event::KIND_EXPIRED;
    case core::EventKind::kLost:
      return v1::Event::KIND_LOST;
  }
  return v1::Event::KIND_UNSPECIFIED;
}
}  // namespace

// Lock order: a stream's mutex, then the hub's or the node's; the hub calls Pump without its own lock.
class WatchStream final : public WatchHub::Reactor {
 public:
  WatchStream(WatchHub& hub, core::Watch watch, bool keys_only)
      : hub_(hub), watch_(std::move(watch)), keys_only_(keys_only) {}

  // Reads on and writes, unless a write is under way. Any thread.
  void Pump() {
    const std::lock_guard lock(mutex_);
    if (writing_ || finished_) return;
    if (draining_) watch_.first_due = true;  // at the head a cursor is due now, whatever came before
    auto batch = hub_.host_.ReadWatch(watch_);
    if (!batch.ok()) return End(batch.status());
    // A stream that is far from the head or still waits for its cursor ends where it is.
    const bool last = draining_ && (batch->more || batch->cursor.empty());
    if (last && batch->empty()) return End(Gate::Draining());
    if (batch->empty() && !batch->more) {
      hub_.WakeAt(batch->wake_ms);
      return;
    }
    if (!batch->more) hub_.WakeAt(batch->wake_ms);
    Fill(*batch);
    writing_ = true;
    if (draining_) {
      finished_ = true;
      StartWriteAndFinish(&response_, grpc::WriteOptions(), ToGrpc(Gate::Draining()));
    } else if (batch->empty()) {
      writing_ = false;
      again_ = true;
    } else {
      StartWrite(&response_);
    }
  }

  // True if the last Pump read much and found nothing: it wants to be called again, without the lock in between.
  bool TakeAgain() {
    const std::lock_guard lock(mutex_);
    return std::exchange(again_, false);
  }

  void Drain() {
    {
      const std::lock_guard lock(mutex_);
      draining_ = true;
    }
    Pump();
  }

  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      if (!ok) return End(absl::CancelledError("the client is gone"));
    }
    PumpAll();
  }

  void OnCancel() override {
    const std::lock_guard lock(mutex_);
    End(absl::CancelledError("cancelled"));
  }

  void OnDone() override { hub_.Remove(this); }

  void PumpAll() {
    do {
      Pump();
    } while (TakeAgain());
  }

 private:
  void End(const absl::Status& status) {
    if (std::exchange(finished_, true)) return;
    Finish(ToGrpc(status));
  }

  void Fill(const core::WatchBatch& batch) {
    response_.Clear();
    for (const auto& event : batch.events) {
      auto* out = response_.add_events();
      out->set_kind(KindOf(event.kind));
      ToProto(*event.entry, !keys_only_, out->mutable_entry());
      if (event.winner) ToProto(*event.winner, !keys_only_, out->mutable_winner());
    }
    response_.set_cursor(batch.cursor);
    response_.set_snapshot_end(batch.snapshot_end);
  }

  WatchHub& hub_;
  std::mutex mutex_;
  core::Watch watch_;  // guarded by mutex_
  const bool keys_only_;
  v1::WatchResponse response_;  // guarded by mutex_; gRPC reads it while writing_
  bool writing_ = false;        // guarded by mutex_
  bool finished_ = false;       // guarded by mutex_
  bool draining_ = false;       // guarded by mutex_
  bool again_ = false;          // guarded by mutex_
};

WatchHub::WatchHub(const host::NodeHost& host) : host_(host), thread_([this] { Run(); }) {}

WatchHub::~WatchHub() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

WatchHub::Reactor* WatchHub::Refuse(const absl::Status& status) {
  class Refused final : public Reactor {
   public:
    explicit Refused(const absl::Status& status) { Finish(ToGrpc(status)); }
    void OnDone() override { delete this; }
  };
  return new Refused(status);
}

WatchHub::Reactor* WatchHub::Open(const v1::WatchRequest& request) {
  auto filter = FromProto(request);
  if (!filter.ok()) return Refuse(filter.status());
  auto watch = host_.StartWatch(*std::move(filter), request.include_snapshot(), request.cursor());
  if (!watch.ok()) return Refuse(watch.status());
  auto stream = std::make_shared<WatchStream>(*this, *std::move(watch), request.keys_only());
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return Refuse(Gate::Draining());
    if (streams_.size() >= kMaxStreams) {
      return Refuse(core::Refusal(absl::StatusCode::kResourceExhausted, "WATCH_LIMIT",
                                  "this node serves as many watches as it can; use another node"));
    }
    streams_.emplace(stream.get(), stream);
  }
  stream->StartSendInitialMetadata();
  stream->PumpAll();
  return stream.get();
}

void WatchHub::Remove(const WatchStream* stream) {
  std::shared_ptr<WatchStream> last;  // freed after the lock
  const std::lock_guard lock(mutex_);
  auto it = streams_.find(stream);
  last = std::move(it->second);
  streams_.erase(it);
}

void WatchHub::Notify() {
  {
    const std::lock_guard lock(mutex_);
    // Nobody to tell: a stream that opens later reads after it is in the list.
    if (streams_.empty() || std::exchange(notified_, true)) return;
  }
  wake_.notify_one();
}

void WatchHub::WakeAt(int64_t mono_ms) {
  {
    const std::lock_guard lock(mutex_);
    if (mono_ms >= wake_ms_) return;
    wake_ms_ = mono_ms;
  }
  wake_.notify_one();
}

void WatchHub::Drain() {
  std::vector<std::shared_ptr<WatchStream>> all;
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    for (const auto& [key, stream] : streams_) all.push_back(stream);
  }
  for (const auto& stream : all) stream->Drain();
}

void WatchHub::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!notified_ && wake_ms_ > host_.now().mono_ms) {
      // Any notification ends the wait, since it may be for an earlier time.
      if (wake_ms_ == INT64_MAX) {
        wake_.wait(lock);
      } else {
        wake_.wait_for(lock, std::chrono::milliseconds(wake_ms_ - host_.now().mono_ms));
      }
      continue;
    }
    notified_ = false;
    wake_ms_ = INT64_MAX;  // the streams say anew when they are due
    std::vector<std::shared_ptr<WatchStream>> all;
    all.reserve(streams_.size());
    for (const auto& [key, stream] : streams_) all.push_back(stream);
    lock.unlock();
    // One step each: a stream that scans a large map must not keep the others waiting.
    for (const auto& stream : all) {
      stream->Pump();
      if (stream->TakeAgain()) WakeAt(host_.now().mono_ms);
    }
    all.clear();
    lock.lock();
  }
}

}  // namespace leasemap::rpc
