// The watchdog over the node's lock: what is stuck, what only waited, and what is neither.
#include "server/host/watchdog.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/eventually.h"

namespace leasemap::host {
namespace {

using testing::Eventually;
constexpr std::chrono::milliseconds kOften{1};

TEST(Watchdog, SaysWhoHoldsTheLockForLong) {
  WatchedMutex mutex;
  std::atomic<int> changes{0};
  Watchdog dog(
      mutex, [&] { ++changes; }, kOften);
  EXPECT_EQ(dog.Describe(), "");
  {
    const Hold lock(mutex, "Tick");
    ASSERT_TRUE(Eventually([&] { return dog.stuck(); }));
    ASSERT_TRUE(Eventually([&] { return changes == 1; }));
    EXPECT_NE(dog.Describe().find("held by Tick"), std::string::npos) << dog.Describe();
    EXPECT_NE(dog.Describe().find("still is"), std::string::npos) << dog.Describe();
  }
  ASSERT_TRUE(Eventually([&] { return !dog.stuck() && changes == 2; }));
  EXPECT_NE(dog.Describe().find("Tick"), std::string::npos);  // shown for some time
}

TEST(Watchdog, ManyShortCallsAreNoLongOne) {
  WatchedMutex mutex;
  std::atomic<int> changes{0};
  std::atomic<bool> stop{false};
  Watchdog dog(
      mutex, [&] { ++changes; }, std::chrono::milliseconds(100));
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) const Hold lock(mutex, "Get");
    });
  }
  const uint64_t first = mutex.Look().turn;
  EXPECT_TRUE(Eventually([&] { return mutex.Look().turn > first + 1'000'000; }));
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(changes, 0);
  EXPECT_FALSE(dog.stuck());
}

TEST(Watchdog, SaysWhoWaitedForLong) {
  WatchedMutex mutex;
  Watchdog dog(
      mutex, [] {}, kOften);
  mutex.Lock("Holder");
  std::thread waiter([&] { const Hold lock(mutex, "Waiter"); });
  // Long enough for the waiter, who counts by the clock.
  const auto since = std::chrono::steady_clock::now();
  EXPECT_TRUE(Eventually([&] {
    return std::chrono::steady_clock::now() - since > WatchedMutex::kLongWait + std::chrono::milliseconds(500);
  }));
  mutex.Unlock();
  waiter.join();
  EXPECT_TRUE(Eventually([&] { return dog.Describe().find("Waiter waited") == 0; })) << dog.Describe();
}

TEST(Watchdog, ALockThatNobodyHoldsIsFree) {
  WatchedMutex mutex;
  EXPECT_EQ(mutex.Look().call, nullptr);
  {
    const Hold lock(mutex, "a call");
    EXPECT_STREQ(mutex.Look().call, "a call");
    EXPECT_EQ(mutex.Look().turn, 1u);
  }
  EXPECT_EQ(mutex.Look().call, nullptr);
  EXPECT_EQ(mutex.TakeLongest().call, nullptr);
}

}  // namespace
}  // namespace leasemap::host
