#include "clients/cpp/io/subscribed.h"

#include "leasemap/subscription.h"

namespace leasemap {

namespace internal {

void Subscribed::Stop() {
  if (stopped_.exchange(true)) return;
  if (!engine_->handlers().OnThread()) {
    absl::MutexLock lock(&running_);  // until the handler that runs has ended
  }
  engine_->Post([self = shared_from_this()] { self->OnStopped(); });
}

}  // namespace internal

Subscription::Subscription() = default;
Subscription::Subscription(std::shared_ptr<internal::Subscribed> subscribed) : subscribed_(std::move(subscribed)) {}
Subscription::~Subscription() { Stop(); }
Subscription::Subscription(Subscription&&) noexcept = default;

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  Subscription moved(std::move(other));
  std::swap(subscribed_, moved.subscribed_);
  return *this;
}

void Subscription::Stop() {
  if (subscribed_) subscribed_->Stop();
}

}  // namespace leasemap
