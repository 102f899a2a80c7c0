#include "server/rpc/watch_hub.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "server/rpc/convert.h"
#include "server/rpc/gate.h"
#include "server/rpc/status.h"
#include "spdlog/spdlog.h"

namespace leasemap::rpc {

namespace {
// A watch that takes nothing for so long is one that stalls, if there is need for its memory.
constexpr int64_t kStalledMs = 2000;
// A limit that is reached is told in the log so often at most.
constexpr int64_t kTellEveryMs = 60'000;

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
    case core::EventKind::kLease:
      return v1::Event::KIND_LEASE;
  }
  return v1::Event::KIND_UNSPECIFIED;
}
}  // namespace

// Lock order: a stream's mutex, then the hub's or the node's; the hub calls Pump without its own lock.
class WatchStream final : public WatchHub::Reactor {
 public:
  WatchStream(WatchHub& hub, grpc::CallbackServerContext* context, core::Watch watch, bool keys_only)
      : hub_(hub),
        context_(context),
        peer_(context->peer()),
        wants_renewals_(watch.filter.MatchesKind(core::EventKind::kLease)),
        watch_(std::move(watch)),
        keys_only_(keys_only) {}
  ~WatchStream() override { hub_.Hold(-held_); }
  const std::string& peer() const { return peer_; }
  bool wants_renewals() const { return wants_renewals_; }

  // Since when (monotonic milliseconds) its message waits for the client; INT64_MAX if none does.
  int64_t waits_since() {
    const std::lock_guard lock(mutex_);
    return writing_ ? since_ms_ : INT64_MAX;
  }
  // Gives back at once what gRPC holds of it. Its client hears CANCELLED, and resumes.
  void Cut() {
    const std::lock_guard lock(mutex_);
    if (!gone_) context_->TryCancel();
  }

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
    since_ms_ = hub_.host_.now().mono_ms;
    // The message, and what gRPC makes of it.
    hub_.Hold(2 * static_cast<int64_t>(response_.ByteSizeLong()) - std::exchange(held_, 2 * response_.GetCachedSize()));
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
      hub_.Hold(-std::exchange(held_, 0));
      response_.Clear();
      if (!ok) return End(absl::CancelledError("the client is gone"));
    }
    PumpAll();
  }

  void OnCancel() override {
    const std::lock_guard lock(mutex_);
    End(absl::CancelledError("cancelled"));
  }

  void OnDone() override {
    {
      const std::lock_guard lock(mutex_);
      gone_ = true;  // and with it the context
    }
    hub_.Remove(this);
  }

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
    response_.set_lost_skipped(batch.lost_skipped);
  }

  WatchHub& hub_;
  grpc::CallbackServerContext* const context_;
  const std::string peer_;
  const bool wants_renewals_;
  std::mutex mutex_;
  core::Watch watch_;  // guarded by mutex_
  const bool keys_only_;
  v1::WatchResponse response_;  // guarded by mutex_; gRPC reads it while writing_
  int64_t held_ = 0;            // guarded by mutex_; bytes that the hub knows of
  int64_t since_ms_ = 0;        // guarded by mutex_; when the last write began
  bool writing_ = false;        // guarded by mutex_
  bool finished_ = false;       // guarded by mutex_
  bool draining_ = false;       // guarded by mutex_
  bool again_ = false;          // guarded by mutex_
  bool gone_ = false;           // guarded by mutex_
};

WatchHub::WatchHub(const host::NodeHost& host, Bounds bounds)
    : host_(host), bounds_(bounds), thread_([this] { Run(); }) {}

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

WatchHub::Reactor* WatchHub::Open(grpc::CallbackServerContext* context, const v1::WatchRequest& request) {
  auto filter = FromProto(request);
  if (!filter.ok()) return Refuse(filter.status());
  auto watch = host_.StartWatch(*std::move(filter), request.include_snapshot(), request.cursor());
  if (!watch.ok()) return Refuse(watch.status());
  auto stream = std::make_shared<WatchStream>(*this, context, *std::move(watch), request.keys_only());
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return Refuse(Gate::Draining());
    if (auto status = CheckRoom(stream->peer()); !status.ok()) return Refuse(status);
    streams_.emplace(stream.get(), stream);
    ++by_peer_[stream->peer()];
    want_renewals_ += stream->wants_renewals();
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
  want_renewals_ -= last->wants_renewals();
  if (auto of_peer = by_peer_.find(last->peer()); --of_peer->second == 0) by_peer_.erase(of_peer);
}

absl::Status WatchHub::CheckRoom(const std::string& peer) {
  const auto of_peer = by_peer_.find(peer);
  const bool too_many = of_peer != by_peer_.end() && of_peer->second >= bounds_.per_connection();
  if (!too_many && streams_.size() < bounds_.streams) return absl::OkStatus();
  const auto busiest = Busiest();
  if (const int64_t now_ms = host_.now().mono_ms; now_ms >= told_ms_ + kTellEveryMs) {
    told_ms_ = now_ms;
    spdlog::warn("watches are refused (WATCH_LIMIT): {} are open, {} of them on one connection from {}",
                 streams_.size(), busiest->second, busiest->first);
  }
  auto status = core::Refusal(absl::StatusCode::kResourceExhausted, "WATCH_LIMIT",
                              too_many ? absl::StrCat("this connection has ", of_peer->second,
                                                      " watches open, as many as one may; close some, or "
                                                      "watch several prefixes with one")
                                       : absl::StrCat("this node serves ", streams_.size(),
                                                      " watches, as many as it may; use another node, or "
                                                      "raise --max-watches (most are of ",
                                                      busiest->first, ": ", busiest->second, ")"));
  core::AddMetadata(status, "busiest", busiest->first);
  return status;
}

std::map<std::string, size_t>::const_iterator WatchHub::Busiest() const {
  return std::max_element(by_peer_.begin(), by_peer_.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; });
}

WatchHub::Use WatchHub::use() const {
  const std::lock_guard lock(mutex_);
  Use use{streams_.size(), bounds_.streams, "", 0};
  if (const auto busiest = Busiest(); busiest != by_peer_.end()) {
    use.busiest = busiest->first;
    use.of_busiest = busiest->second;
  }
  return use;
}

void WatchHub::Hold(int64_t bytes) {
  const int64_t after = untaken_.fetch_add(bytes) + bytes;
  if (bytes > 0 && after > bounds_.untaken_bytes) {  // the hub's thread sees to it
    const std::lock_guard lock(mutex_);
    notified_ = true;
    wake_.notify_one();
  }
}

// On the hub's thread. Others' messages are of the last moments: they go out, or the next turn finds them here.
void WatchHub::EndOneThatStalls() {
  std::vector<std::shared_ptr<WatchStream>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, stream] : streams_) all.push_back(stream);
  }
  std::shared_ptr<WatchStream> longest;
  int64_t since_ms = host_.now().mono_ms - kStalledMs;
  for (const auto& stream : all) {
    if (const int64_t waits = stream->waits_since(); waits <= since_ms) longest = stream, since_ms = waits;
  }
  if (longest == nullptr) return WakeAt(host_.now().mono_ms + kStalledMs / 10);
  spdlog::warn("ending a watch of {}: it takes nothing, and what watches have not taken holds {} MiB", longest->peer(),
               untaken_.load() >> 20);
  longest->Cut();
}

void WatchHub::Notify() {
  {
    const std::lock_guard lock(mutex_);
    // Nobody to tell: a stream that opens later reads after it is in the list.
    if (streams_.empty() || std::exchange(notified_, true)) return;
  }
  wake_.notify_one();
}

void WatchHub::NotifyRenewed() {
  {
    const std::lock_guard lock(mutex_);
    if (want_renewals_ == 0 || std::exchange(renewed_, true)) return;
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
    const bool due = notified_ || wake_ms_ <= host_.now().mono_ms;
    if (!due && !renewed_) {
      // Any notification ends the wait, since it may be for an earlier time.
      if (wake_ms_ == INT64_MAX) {
        wake_.wait(lock);
      } else {
        wake_.wait_for(lock, std::chrono::milliseconds(wake_ms_ - host_.now().mono_ms));
      }
      continue;
    }
    notified_ = renewed_ = false;
    if (due) wake_ms_ = INT64_MAX;  // the streams say again when they are due
    std::vector<std::shared_ptr<WatchStream>> all;
    all.reserve(due ? streams_.size() : want_renewals_);
    for (const auto& [key, stream] : streams_) {
      if (due || stream->wants_renewals()) all.push_back(stream);
    }
    lock.unlock();
    // One step each: a stream that scans a large map must not keep the others waiting.
    for (const auto& stream : all) {
      stream->Pump();
      if (stream->TakeAgain()) WakeAt(host_.now().mono_ms);
    }
    all.clear();
    if (untaken_.load() > bounds_.untaken_bytes) EndOneThatStalls();
    lock.lock();
  }
}

}  // namespace leasemap::rpc
