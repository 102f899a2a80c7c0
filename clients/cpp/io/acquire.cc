#include "clients/cpp/io/acquire.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/core/entries.h"
#include "clients/cpp/core/requests.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/call.h"
#include "clients/cpp/io/chance.h"
#include "clients/cpp/io/keeper.h"
#include "clients/cpp/io/key_watches.h"
#include "clients/cpp/io/principal.h"

namespace leasemap::internal {
namespace {

// A program that waits for a key looks at it again after this time at the latest: a lease that lapses makes no event,
// and a watch may lag.
constexpr absl::Duration kLookMost = absl::Seconds(1);
// A holder's lease may end a little before the server's hint says, never much later; chance spreads those who wait.
constexpr absl::Duration kSpreadMost = absl::Milliseconds(50);
// After acks that were slow, since a member was, the rest are no slower.
constexpr absl::Duration kSettleMost = absl::Milliseconds(200);

bool EndsByWaiting(const absl::Status& status) {
  return IsReason(status, reason::kLeaseHeld) || IsReason(status, reason::kAckIncomplete) ||
         absl::IsUnavailable(status);
}

}  // namespace

void Acquiring::Start(Engine& engine, const std::string& key, const LeaseOptions& options, Done done) {
  if (options.duration <= absl::ZeroDuration() || options.duration > kDurationMost) {
    return done(
        absl::InvalidArgumentError(absl::StrCat("a lease of ", absl::FormatDuration(options.duration),
                                                " cannot be kept; give 2 s or more (four times the clock bound)")));
  }
  std::make_shared<Acquiring>(engine, key, options, std::move(done))->Take();
}

Acquiring::Acquiring(Engine& engine, std::string key, const LeaseOptions& options, Done done)
    : engine_(engine),
      key_(std::move(key)),
      options_(options),
      done_(std::move(done)),
      end_(BootTime() + std::max(options.wait, absl::ZeroDuration())) {}

absl::Duration Acquiring::CallTime() const {
  return std::min(engine_.options().timeout, options_.duration * kUsedPart);
}

void Acquiring::Take() {
  if (engine_.closing()) return Finish(ClosedStatus());
  if (engine_.unnamed()) {
    return AskHolder(
        engine_, EndOf(engine_, CallTime()),
        [self = shared_from_this()](const absl::Status& status) { self->Refused(status); },
        [self = shared_from_this()] { self->Take(); });
  }
  lease_ = std::make_shared<HeldLease>(key_, options_);
  if (!engine_.keeper().Reserve(lease_)) {
    return Refused(HeldStatus(
        absl::StrCat("this client holds the lease on ", ShowKey(key_), " already; release that one first, or wait"),
        engine_.holder()));
  }
  sent_ = engine_.BeforeSending(key_);
  AskForGrant();
}

void Acquiring::AskForGrant() {
  if (options_.value || options_.holder_as_value) return SetOwn(true);
  if (ack().IsLocal()) return RenewAsItIs();
  // Renew waits for no acks: the same value is written again.
  DoGet(engine_, key_, {.timeout = CallTime()},
        [self = shared_from_this()](const absl::StatusOr<Entry>& found) { self->SetAsItIs(found); });
}

// The lease of a key that exists, whose value stays.
void Acquiring::RenewAsItIs() {
  Call<v1::RenewRequest, v1::RenewResponse>::Start(
      engine_, &v1::KeyValue::Stub::PrepareAsyncRenew, MakeRenew(key_, engine_.holder(), options_.duration, false, ""),
      kAttempt, EndOf(engine_, CallTime()),
      [self = shared_from_this()](const absl::StatusOr<v1::RenewResponse>& answer, const std::string& target) {
        if (answer.ok()) return self->Granted({.entry = FromProto(answer->entry()), .target = target});
        if (IsReason(answer.status(), reason::kKeyNotFound)) return self->SetOwn(false);
        self->NotGranted(answer.status());
      });
}

void Acquiring::SetAsItIs(const absl::StatusOr<Entry>& found) {
  if (IsReason(found.status(), reason::kKeyNotFound)) return SetOwn(false);
  if (!found.ok()) return NotGranted(found.status());
  SendSet(found->value,
          {.ephemeral = found->ephemeral, .if_version = found->version, .binary = found->binary, .ack = ack()}, false);
}

void Acquiring::SetOwn(bool overwrite) {
  SendSet(options_.value.value_or(engine_.holder()),
          {.ephemeral = !options_.persistent, .if_absent = !overwrite, .ack = ack()}, true);
}

void Acquiring::SendSet(const std::string& value, const SetOptions& options, bool made) {
  SetOptions with_lease = options;
  with_lease.lease = options_.duration;
  auto prepared = PrepareSet(engine_, key_, value, with_lease);
  if (!prepared.ok()) return NotGranted(prepared.status());
  Call<v1::SetRequest, v1::SetResponse>::Start(
      engine_, &v1::KeyValue::Stub::PrepareAsyncSet, std::move(prepared->request), AttemptFor(options.ack),
      EndOf(engine_, CallTime()),
      [self = shared_from_this(), value, binary = GoesAsBytes(value, options), made](
          const absl::StatusOr<v1::SetResponse>& answer, const std::string& target) {
        if (!answer.ok()) return self->NotGranted(answer.status());
        Grant grant{.entry = FromProto(answer->entry()), .target = target, .made = made};
        PutValue(value, binary, grant.entry);
        self->Granted(grant);
      });
}

void Acquiring::Granted(const Grant& grant) {
  engine_.Answered(grant.entry, sent_);
  const bool held = lease_->With([&](LeaseState& state) {
    if (!grant.made) state.KeepsKey();
    state.Granted(grant.entry, sent_.at, BootTime(), grant.target);
    return state.Held(BootTime());
  });
  if (!held || engine_.closing()) {
    engine_.keeper().End(lease_, Stage::kReleased, "", false);
    engine_.keeper().Release(lease_, nullptr);
    if (engine_.closing()) return Finish(ClosedStatus());
    return Finish(absl::UnavailableError(
        absl::StrCat("the lease on ", ShowKey(key_), " was granted too late; give it a longer duration")));
  }
  engine_.keeper().Keep(lease_);
  if (ack().IsLocal() || ack().IsAll()) return Finish(lease_);
  Settle();
}

// After some but not all nodes acked: waits once more for as long as that took, and looks at the key. A rival that a
// node of the minority granted the key to, before it heard of this lease, is known here by then.
void Acquiring::Settle() {
  engine_.After(std::min(BootTime() - sent_.at, kSettleMost), [self = shared_from_this()] {
    DoGet(self->engine_, self->key_, {.timeout = self->CallTime()},
          [self](const absl::StatusOr<Entry>& now) { self->Settled(now); });
  });
}

void Acquiring::Settled(const absl::StatusOr<Entry>& now) {
  if (engine_.closing()) {
    engine_.keeper().GiveUp(lease_, nullptr);
    return Finish(ClosedStatus());
  }
  if (now.ok()) {
    engine_.keeper().Saw(Kind::kSet, *now);
  } else if (IsReason(now.status(), reason::kKeyNotFound) && lease_->Held()) {
    engine_.keeper().End(lease_, Stage::kLost, "the key is gone", true);
  }
  const absl::Status status = lease_->status();
  if (status.ok()) return Finish(lease_);
  Refused(HeldStatus(absl::StrCat("the lease on ", ShowKey(key_), " was granted and is gone again: ", status.message()),
                     now.ok() ? now->holder : ""));
}

// A try was refused, or its outcome is not known.
void Acquiring::NotGranted(const absl::Status& status) {
  engine_.keeper().End(lease_, Stage::kReleased, "", false);
  if (IsReason(status, reason::kVersionMismatch) || IsReason(status, reason::kSuperseded)) {
    engine_.keeper().Free(lease_);
    return Refused(HeldStatus(absl::StrCat("another holder took ", ShowKey(key_), " just now; wait"),
                              FactOf(status, "winner_holder")));
  }
  if (InDoubt(status)) {
    engine_.keeper().Release(lease_, nullptr);  // the cluster may have granted it all the same
  } else {
    engine_.keeper().Free(lease_);
  }
  Refused(status);
}

void Acquiring::Refused(const absl::Status& status) {
  const absl::Duration left = end_ - BootTime();
  if (engine_.closing()) return Finish(ClosedStatus());
  if (left <= absl::ZeroDuration() || !EndsByWaiting(status)) return Finish(status);
  if (!listening_) {
    listening_ = engine_.key_watches().Listen(key_, [self = shared_from_this()] { self->Woken(); });
  }
  absl::Duration hint = kLookMost;
  const absl::Duration after = RetryAfterOf(status);
  if (after > absl::ZeroDuration()) hint = std::min(hint, after + kSpreadMost * Chance());
  Pause(std::min(hint, left));
}

void Acquiring::Pause(absl::Duration pause) {
  if (std::exchange(woken_, false)) pause = absl::ZeroDuration();
  timer_ = engine_.loop().At(BootTime() + pause, [self = shared_from_this()] {
    self->timer_.reset();
    self->Take();
  });
}

void Acquiring::Woken() {
  if (!timer_) {
    woken_ = true;
    return;
  }
  engine_.loop().Cancel(*std::exchange(timer_, std::nullopt));
  Pause(absl::ZeroDuration());
}

void Acquiring::Finish(absl::StatusOr<LeasePtr> outcome) {
  if (listening_) engine_.key_watches().Unlisten(key_, *std::exchange(listening_, std::nullopt));
  done_(std::move(outcome));
}

}  // namespace leasemap::internal
