#include "server/rpc/watch_hub.h"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "server/rpc/convert.h"
#include "server/rpc/gate.h"
#include "server/rpc/limits.h"
#include "server/rpc/refused.h"
#include "server/rpc/status.h"
#include "spdlog/spdlog.h"

namespace leasemap::rpc {

namespace {
// A watch stalls if its client took no message for this time. It is ended if there is need for its memory.
constexpr int64_t kStalledMs = 2000;
// The log names a limit that is reached once in this time.
constexpr int64_t kLogEveryMs = 60'000;

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

WatchScope ScopeOf(const v1::WatchRequest& request) {
  WatchScope scope;
  const auto add = [](const auto& from, std::vector<std::string>& to) {
    to.insert(to.end(), from.begin(), from.end());
  };
  add(request.prefixes(), scope.prefixes);
  add(request.prefixes_bytes(), scope.prefixes);
  add(request.keys(), scope.keys);
  add(request.keys_bytes(), scope.keys);
  return scope;
}
}  // namespace

// Lock order: a stream's mutex, then the hub's or the node's; the hub calls Pump without its own lock.
class WatchStream final : public WatchHub::Reactor {
 public:
  WatchStream(WatchHub& hub, grpc::CallbackServerContext* context, Caller caller, WatchScope scope, core::Watch watch,
              core::MonoTime old_at, bool keys_only)
      : hub_(hub),
        context_(context),
        peer_(context->peer()),
        caller_(std::move(caller)),
        scope_(std::move(scope)),
        wants_renewals_(watch.filter.MatchesKind(core::EventKind::kLease)),
        old_at_(old_at),
        watch_(std::move(watch)),
        keys_only_(keys_only) {}
  ~WatchStream() override { hub_.Hold(-held_); }
  const std::string& peer() const { return peer_; }
  const Caller& caller() const { return caller_; }
  const WatchScope& scope() const { return scope_; }
  bool wants_renewals() const { return wants_renewals_; }

  // Since when its message waits for the client; Never() if none does.
  core::MonoTime waits_since() {
    const MutexLock lock(mutex_);
    return writing_ ? since_ : core::MonoTime::Never();
  }
  // Gives back at once what gRPC holds of it. Its client hears CANCELLED, and resumes.
  void Cut() {
    const MutexLock lock(mutex_);
    if (!gone_) context_->TryCancel();
  }

  // Reads on and writes, unless a write is under way. Any thread.
  void Pump() {
    const MutexLock lock(mutex_);
    if (writing_ || finished_) return;
    if (!ending_ && hub_.host_.now().mono >= old_at_) ending_ = Gate::ConnectionIsOld();
    if (ending_) watch_.first_due = true;  // at the head a cursor is due now, also soon after another
    auto batch = hub_.host_.ReadWatch(watch_);
    if (!batch.ok()) return End(batch.status());
    // A stream that is far from the head or still waits for its cursor ends where it is.
    const bool last = ending_ && (batch->more || batch->cursor.empty());
    if (last && batch->empty()) return End(*ending_);
    if (!batch->more) hub_.WakeAt(std::min(batch->wake, old_at_));
    if (batch->empty() && !batch->more) return;
    Fill(*batch);
    writing_ = true;
    since_ = hub_.host_.now().mono;
    // The message, and what gRPC makes of it.
    hub_.Hold(2 * static_cast<int64_t>(response_.ByteSizeLong()) - std::exchange(held_, 2 * response_.GetCachedSize()));
    if (ending_) {
      finished_ = true;
      StartWriteAndFinish(&response_, grpc::WriteOptions(), ToGrpc(*ending_));
    } else if (batch->empty()) {
      writing_ = false;
      again_ = true;
    } else {
      StartWrite(&response_);
    }
  }

  // True if the last Pump read much and found nothing: it wants to be called again, without the lock in between.
  bool TakeAgain() {
    const MutexLock lock(mutex_);
    return std::exchange(again_, false);
  }

  // Ends it with this status: at the head after a cursor, else where it is.
  void EndSoon(const absl::Status& why) {
    {
      const MutexLock lock(mutex_);
      if (!ending_) ending_ = why;
    }
    Pump();
  }

  void OnWriteDone(bool ok) override {
    {
      const MutexLock lock(mutex_);
      writing_ = false;
      hub_.Hold(-std::exchange(held_, 0));
      response_.Clear();
      if (!ok) return End(absl::CancelledError("the client is gone"));
    }
    PumpAll();
  }

  void OnCancel() override {
    const MutexLock lock(mutex_);
    End(absl::CancelledError("cancelled"));
  }

  void OnDone() override {
    {
      const MutexLock lock(mutex_);
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
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (std::exchange(finished_, true)) return;
    Finish(ToGrpc(status));
  }

  void Fill(const core::WatchBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
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
  const Caller caller_;
  const WatchScope scope_;
  const bool wants_renewals_;
  const core::MonoTime old_at_;  // its connection has got a GOAWAY by then
  Mutex mutex_;
  core::Watch watch_ ABSL_GUARDED_BY(mutex_);
  const bool keys_only_;
  v1::WatchResponse response_ ABSL_GUARDED_BY(mutex_);  // gRPC reads it while writing_
  int64_t held_ ABSL_GUARDED_BY(mutex_) = 0;            // bytes that the hub knows of
  core::MonoTime since_ ABSL_GUARDED_BY(mutex_);        // when the last write began
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> ending_ ABSL_GUARDED_BY(mutex_);  // it is to end so
  bool again_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
};

WatchHub::WatchHub(const host::NodeHost& host, const Access& access, Bounds bounds)
    : host_(host), access_(access), bounds_(bounds), streams_(bounds.streams, bounds.per_connection()), thread_([this] {
        Run();
      }) {}

WatchHub::~WatchHub() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyOne();
  thread_.join();
}

WatchHub::Reactor* WatchHub::Open(grpc::CallbackServerContext* context, Caller caller, std::chrono::milliseconds age,
                                  const v1::WatchRequest& request) {
  const auto refuse = [](const absl::Status& status) { return Refused<Reactor>(ToGrpc(status)); };
  WatchScope scope;
  if (caller.has_rights()) {
    scope = ScopeOf(request);
    if (auto status = caller.MayWatch(scope); !status.ok()) return refuse(status);
  }
  auto filter = FromProto(request);
  if (!filter.ok()) return refuse(filter.status());
  auto watch = host_.StartWatch(*std::move(filter), request.include_snapshot(), request.cursor());
  if (!watch.ok()) return refuse(watch.status());
  const core::MonoTime old_at = host_.now().mono + TimeLeft(bounds_.connection_age, age).count();
  auto stream = std::make_shared<WatchStream>(*this, context, std::move(caller), std::move(scope), *std::move(watch),
                                              old_at, request.keys_only());
  Streams<WatchStream>::Owner owner;
  if (stream->caller().has_rights()) owner = {stream->caller().principal().name, stream->caller().principal().watches};
  const Added added = streams_.Add(stream, stream->peer(), owner);
  if (added == Added::kClosed) return refuse(Gate::Draining());
  if (added != Added::kYes) return refuse(NoRoom(added, stream->caller()));
  if (stream->wants_renewals()) {
    const MutexLock lock(mutex_);
    ++want_renewals_;
  }
  stream->StartSendInitialMetadata();
  // They may have changed since the caller was asked, and before the stream was in the list.
  if (stream->caller().has_rights()) LookAtRights(*stream);
  stream->PumpAll();
  return stream.get();
}

void WatchHub::Remove(const WatchStream* stream) {
  const auto removed = streams_.Remove(stream);  // freed after the lock
  const MutexLock lock(mutex_);
  want_renewals_ -= removed->wants_renewals();
}

absl::Status WatchHub::NoRoom(Added why, const Caller& caller) {
  if (why == Added::kOwnerFull) {
    return core::Refusal(
        absl::StatusCode::kResourceExhausted, "WATCH_LIMIT",
        absl::StrCat("principal ", core::Shown(caller.principal().name), " has ", caller.principal().watches,
                     " watches open at this node, and may have no more (limits in the --auth-file)"));
  }
  const StreamUse use = streams_.use();
  {
    const MutexLock lock(mutex_);
    if (const core::MonoTime now = host_.now().mono; !logged_ || now >= *logged_ + kLogEveryMs) {
      logged_ = now;
      spdlog::warn("watches are refused (WATCH_LIMIT): {} are open, {} of them on one connection from {}", use.streams,
                   use.of_busiest, use.busiest);
    }
  }
  const std::string message =
      why == Added::kConnectionFull
          ? absl::StrCat("this connection has ", bounds_.per_connection(),
                         " watches open, and one connection may have no more; close some, or watch several prefixes "
                         "with one watch")
          : absl::StrCat("this node serves ", use.streams,
                         " watches, and may serve no more; use another node, or raise --max-watches (most are of ",
                         use.busiest, ": ", use.of_busiest, ")");
  auto status = core::Refusal(absl::StatusCode::kResourceExhausted, "WATCH_LIMIT", message);
  core::AddMetadata(status, "busiest", use.busiest);
  return status;
}

void WatchHub::Hold(int64_t bytes) {
  const int64_t after = untaken_.fetch_add(bytes) + bytes;
  if (bytes > 0 && after > bounds_.untaken_bytes) {  // the hub's thread sees to it
    const MutexLock lock(mutex_);
    notified_ = true;
    wake_.NotifyOne();
  }
}

// On the hub's thread. Others' messages are of the last moments: they go out, or the next turn finds them here.
void WatchHub::EndOneThatStalls() {
  std::shared_ptr<WatchStream> longest;
  core::MonoTime since = host_.now().mono - kStalledMs;
  for (const auto& stream : streams_.All()) {
    if (const core::MonoTime waits = stream->waits_since(); waits <= since) longest = stream, since = waits;
  }
  if (longest == nullptr) return WakeAt(host_.now().mono + kStalledMs / 10);
  spdlog::warn(
      "ending a watch of {}: its client takes no messages, and messages that clients have not taken hold {} MiB",
      longest->peer(), untaken_.load() >> 20);
  longest->Cut();
}

void WatchHub::Notify() {
  // Nobody has to look: a stream that opens later reads after it is in the list.
  if (streams_.empty()) return;
  {
    const MutexLock lock(mutex_);
    if (std::exchange(notified_, true)) return;
  }
  wake_.NotifyOne();
}

void WatchHub::NotifyRenewed() {
  {
    const MutexLock lock(mutex_);
    if (want_renewals_ == 0 || std::exchange(renewed_, true)) return;
  }
  wake_.NotifyOne();
}

void WatchHub::WakeAt(core::MonoTime mono) {
  {
    const MutexLock lock(mutex_);
    if (mono >= wake_at_) return;
    wake_at_ = mono;
  }
  wake_.NotifyOne();
}

void WatchHub::Drain() {
  for (const auto& stream : streams_.Close()) stream->EndSoon(Gate::Draining());
}

void WatchHub::LookAtRights() {
  for (const auto& stream : streams_.All()) LookAtRights(*stream);
}

void WatchHub::LookAtRights(WatchStream& stream) const {
  const auto caller = access_.IdentifyAgain(stream.caller());
  const auto status = caller.ok() ? caller->MayWatch(stream.scope()) : caller.status();
  if (!status.ok()) stream.EndSoon(status);
}

void WatchHub::Run() {
  for (Due due = AwaitDue(); due != Due::kStop; due = AwaitDue()) {
    // One step each: a stream that scans a large map must not keep the others waiting.
    for (const auto& stream : streams_.All()) {
      if (due == Due::kRenewals && !stream->wants_renewals()) continue;
      stream->Pump();
      if (stream->TakeAgain()) WakeAt(host_.now().mono);
    }
    if (untaken_.load() > bounds_.untaken_bytes) EndOneThatStalls();
  }
}

WatchHub::Due WatchHub::AwaitDue() {
  const MutexLock lock(mutex_);
  while (!stopping_) {
    const core::MonoTime now = host_.now().mono;
    const bool all = notified_ || wake_at_ <= now;
    if (all || renewed_) {
      notified_ = renewed_ = false;
      if (all) wake_at_ = core::MonoTime::Never();  // the streams say again when they are due
      return all ? Due::kAll : Due::kRenewals;
    }
    // Any notification ends the wait, since it may be for an earlier time.
    if (wake_at_ == core::MonoTime::Never()) {
      wake_.Wait(mutex_);
    } else {
      wake_.WaitUntil(mutex_, Condition::Clock::now() + std::chrono::milliseconds(wake_at_ - now));
    }
  }
  return Due::kStop;
}

}  // namespace leasemap::rpc
