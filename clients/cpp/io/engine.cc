#include "clients/cpp/io/engine.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "clients/cpp/core/requests.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/chance.h"
#include "clients/cpp/io/clock.h"
#include "clients/cpp/io/following.h"
#include "clients/cpp/io/keeper.h"
#include "clients/cpp/io/key_watches.h"

namespace leasemap::internal {
namespace {

// Asynchronous calls of one client that are under way, or whose handlers wait. A node lets as many wait for acks.
constexpr int kCallsMost = 10'000;
// The trailer of an answer that has the name by which the node knows the caller.
constexpr char kPrincipalTrailer[] = "leasemap-principal";

}  // namespace

Engine::Engine(const std::vector<std::string>& endpoints, ClientOptions options) : options_(std::move(options)) {
  {
    absl::MutexLock lock(&name_mutex_);
    holder_ = options_.holder.empty() ? DefaultHolder() : options_.holder;
  }
  auto split = SplitEndpoints(endpoints);
  problem_ = split.status();
  if (problem_.ok() && options_.timeout <= absl::ZeroDuration()) {
    problem_ = absl::InvalidArgumentError("the timeout must be more than 0");
  }
  auto access = Access::Open(options_);
  if (problem_.ok()) problem_ = access.status();
  if (problem_.ok()) {
    access_ = *std::move(access);
    unnamed_ = options_.holder.empty() && access_->proves();
    nodes_ = std::make_unique<Nodes>(*std::move(split), *access_);
    problem_ = nodes_->Check();
  }
  keeper_ = std::make_unique<Keeper>(*this);
  key_watches_ = std::make_unique<KeyWatches>(*this);
}

Engine::~Engine() { Close(); }

void Engine::Close() {
  if (close_begun_.exchange(true)) {
    if (!handlers_.OnThread()) close_done_.WaitForNotification();
    return;
  }
  absl::Notification given_up;
  if (loop_.Post([this, &given_up] {
        closing_ = true;
        keeper_->GiveUpAll([&given_up] { given_up.Notify(); });
      })) {
    given_up.WaitForNotification();
  }
  loop_.Post([this] { EndAll(); });
  loop_.End();
  handlers_.End();
  close_done_.Notify();
}

void Engine::EndAll() {
  closed_ = true;
  keeper_->LoseAll("the client was closed");
  key_watches_->Stop();
  const auto followings = followings_;
  for (Following* each : followings) each->ClientClosed();
  for (grpc::ClientContext* each : contexts_) each->TryCancel();
  loop_.Hurry();
}

std::string Engine::holder() const {
  absl::MutexLock lock(&name_mutex_);
  return holder_;
}

void Engine::SetPrincipal(std::string_view principal) {
  if (!std::exchange(unnamed_, false) || principal.empty()) return;
  absl::MutexLock lock(&name_mutex_);
  holder_ = HolderOf(principal, holder_);
}

void Engine::Heard(const grpc::ClientContext& context) {
  if (!unnamed_) return;
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(kPrincipalTrailer);
  if (found != trailers.end()) SetPrincipal({found->second.data(), found->second.size()});
}

bool Engine::Enter() {
  if (++entered_ <= kCallsMost) return true;
  --entered_;
  return false;
}

absl::Duration Engine::NodeFailed(const std::string& target) {
  nodes_->Failed(target);
  if (nodes_->Pick() != target) {
    const auto followings = followings_;
    for (Following* each : followings) {
      if (each->target() == target) each->MoveAway();
    }
  }
  return nodes_->Pause();
}

void Engine::LookUpAgain() {
  if (closed_ || !nodes_->WantsLookUp()) return;
  // The system's resolver may take long, and cannot be stopped: nobody waits for this thread.
  std::thread([engine = weak_from_this(), given = nodes_->given()] {
    const Addresses found = LookUp(given);
    if (const auto self = engine.lock()) {
      self->Post([raw = self.get(), found] { raw->nodes_->Found(found); });
    }
  }).detach();
}

void Engine::After(absl::Duration pause, Loop::Task task) {
  if (closed_) {
    loop_.Post(std::move(task));
  } else {
    loop_.At(BootTime() + pause, std::move(task));
  }
}

Sending Engine::BeforeSending(const std::string& key) const {
  Sending sent{.at = BootTime()};
  for (const auto& each : viewers_) {
    if (const auto viewer = each.lock()) sent.shown.emplace_back(each, viewer->Versions(key));
  }
  return sent;
}

void Engine::Answered(const Entry& entry, const Sending& sent) {
  for (const auto& [each, versions] : sent.shown) {
    if (const auto viewer = each.lock()) viewer->Wrote(entry, versions);
  }
  viewers_.erase(std::remove_if(viewers_.begin(), viewers_.end(), [](const auto& viewer) { return viewer.expired(); }),
                 viewers_.end());
}

}  // namespace leasemap::internal
