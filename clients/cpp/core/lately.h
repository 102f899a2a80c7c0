// The latest things by name, up to a bound.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace leasemap::internal {

template <typename Thing>
class Lately {
 public:
  explicit Lately(size_t most) : most_(most) {}

  // Nothing if it is not remembered. It lasts until the next change.
  const Thing* Get(const std::string& name) const {
    const auto found = named_.find(name);
    return found == named_.end() ? nullptr : &found->second->second;
  }
  // True if the oldest had to go.
  bool Put(const std::string& name, Thing thing) {
    Drop(name);
    order_.emplace_back(name, std::move(thing));
    named_[name] = std::prev(order_.end());
    if (order_.size() <= most_) return false;
    TakeFirst();
    return true;
  }
  void Drop(const std::string& name) {
    const auto found = named_.find(name);
    if (found == named_.end()) return;
    order_.erase(found->second);
    named_.erase(found);
  }
  // Takes the oldest thing out.
  std::optional<Thing> TakeFirst() {
    if (order_.empty()) return std::nullopt;
    Thing first = std::move(order_.front().second);
    named_.erase(order_.front().first);
    order_.pop_front();
    return first;
  }
  bool empty() const { return order_.empty(); }

 private:
  using Order = std::list<std::pair<std::string, Thing>>;  // oldest first
  size_t most_;
  Order order_;
  absl::flat_hash_map<std::string, typename Order::iterator> named_;
};

}  // namespace leasemap::internal
