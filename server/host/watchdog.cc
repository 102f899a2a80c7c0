#include "server/host/watchdog.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace leasemap::host {
namespace {

// A fault is shown for this time after its end: people who are called look at the status first.
constexpr std::chrono::minutes kShown{10};

int64_t Ms(auto span) { return std::chrono::duration_cast<std::chrono::milliseconds>(span).count(); }

}  // namespace

void WatchedMutex::WaitFor(const char* call) {
  const auto since = std::chrono::steady_clock::now();
  mutex_.Lock();
  const auto waited = std::chrono::steady_clock::now() - since;
  if (waited < kLongWait) return;
  const MutexLock lock(waits_mutex_);
  if (Ms(waited) > longest_.ms) longest_ = {call, Ms(waited)};
}

WatchedMutex::Waited WatchedMutex::TakeLongest() {
  const MutexLock lock(waits_mutex_);
  return std::exchange(longest_, {nullptr, 0});
}

Watchdog::Watchdog(WatchedMutex& mutex, std::function<void()> changed, std::chrono::milliseconds every)
    : mutex_(mutex), changed_(std::move(changed)), every_(every), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() { Stop(); }

void Watchdog::Stop() {
  {
    const MutexLock lock(state_mutex_);
    stopping_ = true;
  }
  wake_.NotifyOne();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::Run() {
  while (!StopsWithin(every_)) Look();
}

bool Watchdog::StopsWithin(std::chrono::milliseconds time) {
  const auto end = Condition::Clock::now() + time;
  const MutexLock lock(state_mutex_);
  while (!stopping_ && wake_.WaitUntil(state_mutex_, end)) {
  }
  return stopping_;
}

void Watchdog::Look() {
  const WatchedMutex::Seen now = mutex_.Look();
  const bool same = now.call != nullptr && now.call == seen_.call && now.turn == seen_.turn;
  if (stuck_ && !same) {
    spdlog::warn("the node's lock is free again: {} held it for about {} ms", seen_.call, looks_ * every_.count());
    stuck_.store(false, std::memory_order_release);
    changed_();
  }
  looks_ = same ? looks_ + 1 : 0;
  seen_ = now;
  std::string text;
  if (looks_ == kLooks) {
    text = absl::StrCat("the node's lock was held by ", now.call, " for more than ", looks_ * every_.count(), " ms");
    stuck_.store(true, std::memory_order_release);
  } else if (const auto waited = mutex_.TakeLongest(); waited.call != nullptr) {
    text = absl::StrCat(waited.call, " waited for the node's lock for ", waited.ms, " ms");
  }
  if (text.empty()) return;
  spdlog::error("{}", text);
  {
    const MutexLock lock(state_mutex_);
    last_ = text;
    last_at_ = std::chrono::steady_clock::now();
  }
  if (looks_ == kLooks) changed_();
}

std::string Watchdog::Describe() const {
  const MutexLock lock(state_mutex_);
  const auto ago = std::chrono::steady_clock::now() - last_at_;
  if (last_.empty() || (!stuck() && ago > kShown)) return "";
  return absl::StrCat(last_, stuck() ? ", and still is" : absl::StrCat(", ", Ms(ago) / 1000, " s ago"));
}

}  // namespace leasemap::host
