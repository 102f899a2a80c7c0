// Virtual time: what is to happen, ordered by when, and at one time by who asked first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace leasemap::sim {

class Queue {
 public:
  using Action = std::function<void()>;

  int64_t now_us() const { return now_us_; }
  void After(int64_t us, Action action) {
    items_.push_back({now_us_ + std::max<int64_t>(us, 0), next_++, std::move(action)});
    std::push_heap(items_.begin(), items_.end(), Later);
  }
  // Carries out what comes next; false if there is nothing up to `until_us`, which it is then.
  bool RunOne(int64_t until_us) {
    if (items_.empty() || items_.front().at_us > until_us) {
      now_us_ = std::max(now_us_, until_us);
      return false;
    }
    std::pop_heap(items_.begin(), items_.end(), Later);
    Item item = std::move(items_.back());
    items_.pop_back();
    now_us_ = item.at_us;
    item.action();
    return true;
  }

 private:
  struct Item {
    int64_t at_us;
    uint64_t number;
    Action action;
  };
  static bool Later(const Item& a, const Item& b) {
    return std::pair(a.at_us, a.number) > std::pair(b.at_us, b.number);
  }

  std::vector<Item> items_;  // a heap, the next first
  uint64_t next_ = 0;
  int64_t now_us_ = 0;
};

}  // namespace leasemap::sim
