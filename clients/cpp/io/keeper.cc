#include "clients/cpp/io/keeper.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/core/entries.h"
#include "clients/cpp/core/requests.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/call.h"
#include "clients/cpp/io/chance.h"
#include "clients/cpp/io/key_watches.h"

namespace leasemap::internal {
namespace {

// Of one BatchRenew: as many as the server takes.
constexpr size_t kBatchMost = 1000;
// The least time for a renewal, however little is left.
constexpr absl::Duration kRenewalLeast = absl::Milliseconds(50);
// Leases that are given up at once when the client is closed. A node does ten thousand a second; more would only wait
// in gRPC.
constexpr size_t kReleasesMost = 64;

bool IsHeld(const LeasePtr& lease) {
  return lease->Ask([](const LeaseState& state) { return state.stage() == Stage::kHeld; });
}

}  // namespace

LeasePtr Keeper::Kept(const std::string& key) const {
  const auto found = leases_.find(key);
  return found != leases_.end() && IsHeld(found->second) ? found->second : nullptr;
}

bool Keeper::Reserve(const LeasePtr& lease) { return leases_.emplace(lease->key(), lease).second; }

void Keeper::Keep(const LeasePtr& lease) {
  engine_.key_watches().Add(lease->key());
  const Moment next = lease->Ask([](const LeaseState& state) { return state.Next(); });
  if (!timer_ || next < timer_->first) Look();
}

void Keeper::Renewed(const LeasePtr& lease, const Entry& entry, const Sending& sent, const std::string& target) {
  if (!lease || entry.deleted) return;
  const bool good = lease->With([&](LeaseState& state) {
    return state.stage() != Stage::kHeld || state.Granted(entry, sent.at, BootTime(), target);
  });
  if (!good) End(lease, Stage::kLost, "it lapsed before the key was written", true);
}

void Keeper::Saw(Kind kind, const Entry& entry) {
  if (kind != Kind::kSet || !entry.leased() || entry.expires <= absl::Now()) engine_.key_watches().Wake(entry.key);
  const LeasePtr lease = Kept(entry.key);
  if (!lease) return;
  const LeaseState::Verdict verdict = lease->Look().Seen(kind, entry);
  if (verdict.stage != Stage::kHeld) End(lease, verdict.stage, verdict.why, true);
}

void Keeper::MakeDue(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (const LeasePtr lease = Kept(key)) lease->With([](LeaseState& state) { state.MakeDue(BootTime()); });
  }
  Look();
}

HeldLease::Run Keeper::Handlers() const {
  return [this](std::function<void()> task) { engine_.handlers().Post(std::move(task)); };
}

void Keeper::End(const LeasePtr& lease, Stage stage, const std::string& why, bool free) {
  const bool was_held = IsHeld(lease);
  if (lease->End(stage, why, Handlers()) && was_held) engine_.key_watches().Remove(lease->key());
  if (free) Free(lease);
}

void Keeper::Free(const LeasePtr& lease) {
  const auto found = leases_.find(lease->key());
  if (found != leases_.end() && found->second == lease) leases_.erase(found);
  // A try that was refused tells nobody, or it would wake itself.
  if (lease->Look().entry()) engine_.key_watches().Wake(lease->key());
}

void Keeper::Release(const LeasePtr& lease, Then then) {
  ++releasing_;
  v1::ReleaseRequest request;
  request.set_key_bytes(lease->key());
  request.set_holder(engine_.holder());
  Call<v1::ReleaseRequest, v1::ReleaseResponse>::Start(
      engine_, &v1::KeyValue::Stub::PrepareAsyncRelease, std::move(request), kAttempt, BootTime() + kReleaseMost,
      [this, lease, then = std::move(then), sent = engine_.BeforeSending(lease->key())](
          const absl::StatusOr<v1::ReleaseResponse>& answer, const std::string&) {
        if (answer.ok()) {
          Entry entry = FromProto(answer->entry());
          entry.deleted = entry.deleted || lease->ephemeral();  // it vanished, on that node at least
          engine_.Answered(entry, sent);
        }
        Free(lease);
        if (then) then();
        --releasing_;
        if (giving_up_) GiveUpSome(giving_up_);
      });
}

void Keeper::GiveUp(const LeasePtr& lease, Then then) {
  if (!IsHeld(lease)) {
    if (then) then();
    return;
  }
  End(lease, Stage::kReleased, "", false);
  Release(lease, std::move(then));
}

struct Keeper::GivingUp {
  std::vector<LeasePtr> left;
  Then then;  // empty once it was called
};

void Keeper::GiveUpAll(Then then) {
  giving_up_ = std::make_shared<GivingUp>();
  const auto all = giving_up_;
  for (const auto& [key, lease] : leases_) {
    if (IsHeld(lease)) all->left.push_back(lease);
  }
  all->then = std::move(then);
  if (!all->left.empty() || releasing_ > 0) {
    engine_.After(kReleaseMost, [all] {
      all->left.clear();  // the rest lapse by themselves
      if (all->then) std::exchange(all->then, nullptr)();
    });
  }
  GiveUpSome(all);
}

// Some may be under way already, of leases that the program has just let go.
void Keeper::GiveUpSome(const std::shared_ptr<GivingUp>& all) {
  while (!all->left.empty() && releasing_ < kReleasesMost) {
    const LeasePtr lease = all->left.back();
    all->left.pop_back();
    GiveUp(lease, nullptr);
  }
  if (all->left.empty() && releasing_ == 0 && all->then) std::exchange(all->then, nullptr)();
}

void Keeper::LoseAll(const std::string& why) {
  const auto all = std::exchange(leases_, {});
  for (const auto& [key, lease] : all) End(lease, Stage::kLost, why, true);
}

// Renews the leases that are due, tells those that are lost, and plans when to look again.
void Keeper::Look() {
  if (timer_) engine_.loop().Cancel(*std::exchange(timer_, std::nullopt));
  if (engine_.closed()) return;
  const Moment now = BootTime();
  std::vector<LeasePtr> overdue;
  for (const auto& [key, lease] : leases_) {
    if (lease->Ask([now](const LeaseState& state) { return state.Overdue(now); })) overdue.push_back(lease);
  }
  for (const LeasePtr& lease : overdue) End(lease, Stage::kLost, "it could not be renewed in time", true);
  RenewDue(now);
  Moment next = absl::InfiniteDuration();
  for (const auto& [key, lease] : leases_) {
    lease->Ask([&next](const LeaseState& state) {
      if (state.stage() == Stage::kHeld) next = std::min(next, state.Next());
    });
  }
  if (next == absl::InfiniteDuration()) return;
  if (timer_) engine_.loop().Cancel(*timer_);  // a renewal that failed at once looked, too
  timer_ = engine_.loop().At(std::max(next, now + absl::Milliseconds(1)), [this] {
    timer_.reset();
    Look();
  });
}

void Keeper::RenewDue(Moment now) {
  const bool any = std::any_of(leases_.begin(), leases_.end(), [now](const auto& each) {
    return each.second->Ask([now](const LeaseState& state) { return state.Due(now); });
  });
  if (!any) return;
  const std::string target = engine_.nodes().Pick();
  // A node waits for the versions of all items before it renews any. So leases that another node granted, of which it
  // may wait for some, go by themselves, and so do those that the node before lacked: they may have died with their
  // node.
  std::array<std::vector<LeasePtr>, 3> calls;
  const auto send = [&](size_t kind) {
    if (!calls[kind].empty()) RenewAt(target, std::exchange(calls[kind], {}), kind > 0);
  };
  std::vector<LeasePtr> due;
  for (const auto& [key, lease] : leases_) {
    if (lease->Ask([now](const LeaseState& state) { return state.GoesAlong(now); })) due.push_back(lease);
  }
  for (const LeasePtr& lease : due) {
    const LeaseState state = lease->Look();
    const size_t kind = state.target() == target ? 0 : state.lacked() ? 2 : 1;
    calls[kind].push_back(lease);
    lease->With([](LeaseState& changed) { changed.Renewing(true); });
    if (calls[kind].size() == kBatchMost) send(kind);
  }
  for (size_t kind = 0; kind < calls.size(); ++kind) send(kind);
}

// One try. A renewal that fails is repeated, at the node that is home then.
void Keeper::RenewAt(const std::string& target, std::vector<LeasePtr> some, bool moved) {
  v1::BatchRenewRequest request;
  std::vector<Sending> sent;
  absl::Duration left = absl::InfiniteDuration();
  for (const LeasePtr& lease : some) {
    sent.push_back(engine_.BeforeSending(lease->key()));
    const LeaseState state = lease->Look();
    left = std::min(left, state.Left(sent.back().at));
    *request.add_requests() = MakeRenew(lease->key(), engine_.holder(), state.duration(), true,
                                        moved && state.entry() ? state.entry()->version : "");
  }
  // Two tries at least fit into what is left.
  const absl::Duration most = std::min(kAttempt, std::max(kRenewalLeast, left / 2));
  Try<v1::BatchRenewRequest, v1::BatchRenewResponse>::Start(
      engine_, target, &v1::KeyValue::Stub::PrepareAsyncBatchRenew, request, most,
      [this, target, some = std::move(some), sent = std::move(sent)](
          const absl::StatusOr<v1::BatchRenewResponse>& answer) { RenewalsEnded(target, some, sent, answer); });
}

void Keeper::RenewalsEnded(const std::string& target, const std::vector<LeasePtr>& some,
                           const std::vector<Sending>& sent, const absl::StatusOr<v1::BatchRenewResponse>& answer) {
  if (engine_.closed()) return;
  bool elsewhere = !answer.ok() && IsElsewhere(answer.status());
  for (size_t i = 0; i < some.size(); ++i) {
    absl::Status problem = answer.status();
    if (answer.ok()) {
      problem = static_cast<int>(i) < answer->results_size()
                    ? RenewalEnded(some[i], answer->results(static_cast<int>(i)), sent[i], target)
                    : absl::UnavailableError("the answer was cut short");
      elsewhere = elsewhere || IsElsewhere(problem);
    }
    some[i]->With([&](LeaseState& state) {
      state.Renewing(false);
      if (!problem.ok()) state.Failed(BootTime(), Chance(), answer.ok() && IsElsewhere(problem));
    });
  }
  if (elsewhere) {
    engine_.NodeFailed(target);
  } else if (answer.ok()) {
    engine_.nodes().Worked(target);
  }
  Look();
}

absl::Status Keeper::RenewalEnded(const LeasePtr& lease, const v1::BatchResult& result, const Sending& sent,
                                  const std::string& target) {
  absl::Status problem = FromItem(result.status());
  std::string why;
  if (problem.ok()) {
    const Entry entry = FromProto(result.entry());
    const bool same = lease->With([&](LeaseState& state) { return state.Granted(entry, sent.at, BootTime(), target); });
    if (same) {
      engine_.Answered(entry, sent);
      return problem;
    }
    why = "it lapsed before it was renewed";
  } else if (IsReason(problem, reason::kKeyNotFound)) {
    why = "the key is gone";
  } else if (IsReason(problem, reason::kLeaseHeld) || IsReason(problem, reason::kLeaseNotHeld)) {
    why = std::string(problem.message());
  } else {
    return problem;  // it is tried again
  }
  if (IsHeld(lease)) End(lease, Stage::kLost, why, true);
  return absl::OkStatus();
}

}  // namespace leasemap::internal
