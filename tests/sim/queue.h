// Virtual time: what is to happen, ordered by when, and at one time by who asked first.
//
// Most of what happens is one of a few kinds with two numbers, which costs no allocation; anything else is an action.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace leasemap::sim {

class Queue {
 public:
  enum Kind : uint32_t { kAction, kDeliver, kTick, kKinds };
  using Action = std::function<void()>;
  using Handler = std::function<void(uint32_t a, uint64_t b)>;

  int64_t now_us() const { return now_us_; }
  // Who carries out a kind.
  void Handle(Kind kind, Handler handler) { handlers_[kind] = std::move(handler); }
  void Post(int64_t after_us, Kind kind, uint32_t a, uint64_t b) {
    items_.push_back({now_us_ + std::max<int64_t>(after_us, 0), next_++, b, kind, a});
    std::push_heap(items_.begin(), items_.end(), Later);
  }
  void After(int64_t us, Action action) {
    uint32_t slot = static_cast<uint32_t>(actions_.size());
    if (free_.empty()) {
      actions_.push_back(std::move(action));
    } else {
      slot = free_.back();
      free_.pop_back();
      actions_[slot] = std::move(action);
    }
    Post(us, kAction, slot, 0);
  }
  // Carries out what comes next; false if there is nothing up to `until_us`, which it is then.
  bool RunOne(int64_t until_us) {
    if (items_.empty() || items_.front().at_us > until_us) {
      now_us_ = std::max(now_us_, until_us);
      return false;
    }
    std::pop_heap(items_.begin(), items_.end(), Later);
    const Item item = items_.back();
    items_.pop_back();
    now_us_ = item.at_us;
    if (item.kind != kAction) {
      handlers_[item.kind](item.a, item.b);
      return true;
    }
    const Action action = std::exchange(actions_[item.a], nullptr);
    free_.push_back(item.a);
    action();
    return true;
  }

 private:
  struct Item {
    int64_t at_us;
    uint64_t number;
    uint64_t b;
    Kind kind;
    uint32_t a;
  };
  static bool Later(const Item& x, const Item& y) {
    return x.at_us != y.at_us ? x.at_us > y.at_us : x.number > y.number;
  }

  std::vector<Item> items_;  // a heap, the next first
  std::vector<Action> actions_;
  std::vector<uint32_t> free_;  // slots of actions_ that were carried out
  std::array<Handler, kKinds> handlers_;
  uint64_t next_ = 0;
  int64_t now_us_ = 0;
};

}  // namespace leasemap::sim
