// What a handler was registered for: a watch, or the events of a map.
#pragma once

#include <memory>

namespace leasemap {

namespace internal {
class Subscribed;
}  // namespace internal

// Ends what its handler was registered for when it goes. Movable, not copyable.
class Subscription {
 public:
  Subscription();
  explicit Subscription(std::shared_ptr<internal::Subscribed> subscribed);
  ~Subscription();
  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;

  // Ends it: when this returns the handler does not run any more, and is not called again. Called by the handler itself
  // it ends after that call. May be called again.
  void Stop();

 private:
  std::shared_ptr<internal::Subscribed> subscribed_;  // null: nothing
};

}  // namespace leasemap
