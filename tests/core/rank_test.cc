// Merge is a join and the rank a total order: random entries from small domains, so that ties happen.
#include <gtest/gtest.h>

#include <vector>

#include "peer/core/data/entry.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/node/node.h"
#include "peer/core/sync/store.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

Entry RandomEntry(Random& random) {
  Entry entry;
  entry.key = "k";
  entry.lease.epoch = static_cast<uint64_t>(random.Below(3));
  entry.lease.start_s = random.Below(3);
  entry.lease.holder = std::string(1, "a\x80z"[random.Below(3)]);
  entry.stamp = static_cast<uint64_t>(random.Below(3));
  entry.dot = {{random.Below(2) == 0 ? "n" : "m", static_cast<uint64_t>(1 + random.Below(2))},
               static_cast<uint64_t>(1 + random.Below(3))};
  if (random.Below(2) == 0) {  // a renewal
    entry.value_dot = {{"n", 1}, 1};
    entry.value_stamp = static_cast<uint64_t>(random.Below(static_cast<int64_t>(entry.stamp) + 1));
  }
  return entry;
}

const Entry& Merge(const Entry& a, const Entry& b) { return Outranks(b, a) ? b : a; }

TEST(Rank, MergeCommutesAssociatesAndIsIdempotent) {
  Random random(1);
  for (int i = 0; i < 200'000; ++i) {
    const Entry a = RandomEntry(random), b = RandomEntry(random), c = RandomEntry(random);
    EXPECT_EQ(CompareRank(Merge(a, b), Merge(b, a)), std::strong_ordering::equal);
    EXPECT_EQ(CompareRank(Merge(Merge(a, b), c), Merge(a, Merge(b, c))), std::strong_ordering::equal);
    EXPECT_EQ(CompareRank(Merge(a, a), a), std::strong_ordering::equal);
    // Total and antisymmetric, and transitive with the above.
    EXPECT_EQ(CompareRank(a, b) < 0, CompareRank(b, a) > 0);
    if (Outranks(a, b) && Outranks(b, c)) {
      EXPECT_TRUE(Outranks(a, c));
    }
    if (HasFailure()) return;
  }
}

TEST(Rank, EqualRankMeansTheSameDot) {
  Random random(2);
  for (int i = 0; i < 200'000; ++i) {
    const Entry a = RandomEntry(random), b = RandomEntry(random);
    // A dot is made once, so one dot with other fields does not exist: only one direction can be drawn at random.
    if (CompareRank(a, b) == 0) {
      ASSERT_EQ(a.dot, b.dot);
    }
    ASSERT_EQ(CompareRank(a, a), std::strong_ordering::equal);
  }
}

TEST(Rank, FieldsCountInTheOrderOfTheDesign) {
  Entry low;
  low.lease = {"m", 5, 100, 0, 0, false};
  low.stamp = 7;
  low.dot = {{"n", 1}, 5};
  const auto higher = [&](auto change) {
    Entry entry = low;
    change(entry);
    return Outranks(entry, low);
  };
  EXPECT_TRUE(higher([](Entry& e) { e.lease.epoch = 6, e.lease.start_s = 200; }));
  EXPECT_TRUE(higher([](Entry& e) { e.lease.start_s = 99, e.lease.holder = "z"; }));
  EXPECT_TRUE(higher([](Entry& e) { e.lease.holder = "a", e.stamp = 1; }));
  EXPECT_FALSE(higher([](Entry& e) { e.stamp = 9, e.value_dot = {{"n", 1}, 1}, e.value_stamp = 6; }));
  EXPECT_TRUE(higher([](Entry& e) { e.stamp = 9, e.value_dot = {{"n", 1}, 1}, e.value_stamp = 7; }));
  EXPECT_TRUE(higher([](Entry& e) { e.stamp = 8, e.dot.seq = 9; }));
  EXPECT_TRUE(higher([](Entry& e) { e.dot.seq = 4; }));
  EXPECT_FALSE(higher([](Entry& e) { e.lease.holder = "\x80"; }));  // bytes, not signed characters
  EXPECT_FALSE(higher([](Entry& e) { e.lease.expire_ms = 1, e.value = "x"; }));
}

TEST(Rank, EveryOrderOfArrivalEndsAlike) {
  Random random(3);
  for (int run = 0; run < 2000; ++run) {
    std::vector<EntryPtr> entries;
    for (uint64_t seq = 1; seq <= 6; ++seq) {
      Entry entry = RandomEntry(random);
      entry.dot.seq = seq;
      entries.push_back(std::make_shared<Entry>(entry));
    }
    Store forward, shuffled;
    for (const auto& entry : entries) forward.Merge(entry);
    for (size_t i = entries.size(); i > 1; --i) std::swap(entries[i - 1], entries[random.Below(i)]);
    for (const auto& entry : entries) shuffled.Merge(entry);
    ASSERT_EQ((*forward.Find("k"))->dot, (*shuffled.Find("k"))->dot);
    ASSERT_EQ(forward.hashes(), shuffled.hashes());
    ASSERT_EQ(forward.bytes(), shuffled.bytes());
  }
}

// Whatever the clock does within its bound, whoever writes, however.
TEST(Rank, EveryLocalWriteOutranksWhatItReplaces) {
  for (const bool leasing : {true, false}) {
    Random random(leasing ? 4 : 5);
    NodeOptions options;
    options.node_id = "n";
    options.rules.leasing = leasing;
    options.rules.period_ms = 4000;
    int64_t wall_ms = 1'700'000'000'000;
    Node node(options, {MonoTime(1), wall_ms});
    int written = 0;
    for (int i = 0; i < 20'000; ++i) {
      wall_ms += random.Below(700) - 200;
      WriteCommand command;
      command.key = std::string(1, static_cast<char>('a' + random.Below(3)));
      command.holder = std::string(1, static_cast<char>('x' + random.Below(3)));
      command.change = static_cast<Change>(random.Below(leasing ? 4 : 2));
      if (leasing && random.Below(2) == 0) command.duration_ms = random.Below(2) == 0 ? 0 : 2000 + random.Below(2000);
      const EntryPtr* found = node.store().Find(command.key);
      const EntryPtr before = found ? *found : nullptr;
      const auto after = node.Write({MonoTime(i + 1), wall_ms}, command);
      if (!after.ok() || !*after) continue;
      ++written;
      if (before) {
        ASSERT_TRUE(Outranks(**after, *before)) << i;
      }
      ASSERT_EQ(*node.store().Find(command.key), *after);
      if (before) {
        ASSERT_LE(FencingToken(before->lease), FencingToken((*after)->lease));
      }
    }
    EXPECT_GT(written, 2000);
  }
}

TEST(HybridClock, StaysAboveWhatItSawAndFollowsTheWall) {
  HybridClock clock;
  EXPECT_EQ(clock.Peek(1000, 0), StampAt(1000));
  clock.See(StampAt(1000));
  EXPECT_EQ(clock.Peek(1000, 0), StampAt(1000) + 1);
  EXPECT_EQ(clock.Peek(900, 0), StampAt(1000) + 1);
  EXPECT_EQ(clock.Peek(900, StampAt(2000)), StampAt(2000) + 1);
  EXPECT_EQ(clock.Peek(3000, StampAt(2000)), StampAt(3000));
  EXPECT_EQ(StampMs(StampAt(3000) + 5), 3000);
  EXPECT_EQ(StampAt(-5), 0u);
}

}  // namespace
}  // namespace leasemap::core
