// The store's two orders, its counts and its fingerprint; the own log's bound.
#include "peer/core/sync/store.h"

#include <gtest/gtest.h>

#include "peer/core/data/limits.h"
#include "peer/core/sync/own_log.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

EntryPtr Make(const std::string& key, uint64_t seq, uint64_t epoch, bool tombstone = false) {
  auto entry = std::make_shared<Entry>();
  entry->key = key;
  entry->value = tombstone ? "" : "value";
  entry->tombstone = tombstone;
  entry->dot = {{"n", 1}, seq};
  entry->lease.epoch = epoch;
  return entry;
}

std::string ByRevision(const Store& store) {
  std::string out;
  uint64_t last = 0;
  for (uint64_t at = 0; const Store::Slot* slot = store.NextAfter(at); at = slot->revision) {
    EXPECT_GT(slot->revision, last);
    last = slot->revision;
    out += slot->entry->key;
  }
  return out;
}

TEST(Store, AKeyMovesToTheEndOfTheRevisionsWhenItChanges) {
  Store store;
  EXPECT_EQ(store.NextAfter(0), nullptr);
  EXPECT_TRUE(store.Merge(Make("b", 1, 1)));
  EXPECT_TRUE(store.Merge(Make("a", 2, 2)));
  EXPECT_TRUE(store.Merge(Make("c", 3, 3)));
  EXPECT_EQ(ByRevision(store), "bac");
  EXPECT_EQ(store.head(), 3u);
  EXPECT_TRUE(store.Merge(Make("b", 4, 4)));
  EXPECT_EQ(ByRevision(store), "acb");
  EXPECT_EQ(store.by_key().begin()->first, "a");
  EXPECT_EQ(store.NextAfter(store.head()), nullptr);
}

TEST(Store, WhatDoesNotStandChangesNothing) {
  Store store;
  store.Merge(Make("k", 2, 2));
  const auto hashes = store.hashes();
  EXPECT_FALSE(store.Merge(Make("k", 1, 1)));
  EXPECT_FALSE(store.Merge(Make("k", 2, 2)));
  EXPECT_EQ(store.head(), 1u);
  EXPECT_EQ(store.hashes(), hashes);
  EXPECT_EQ((*store.Find("k"))->dot.seq, 2u);
  EXPECT_EQ(store.Find("other"), nullptr);
}

TEST(Store, CountsKeysAndBytes) {
  Store store;
  store.Merge(Make("a", 1, 1));
  store.Merge(Make("b", 2, 1));
  EXPECT_EQ(store.live_keys(), 2u);
  EXPECT_EQ(store.bytes(), 2 * (200 + 1 + 5u));
  store.Merge(Make("a", 3, 2, true));
  EXPECT_EQ(store.live_keys(), 1u);
  EXPECT_EQ(store.keys(), 2u);
  EXPECT_EQ(store.bytes(), 2 * (200 + 1u) + 5);
  store.Merge(Make("a", 4, 3));
  EXPECT_EQ(store.live_keys(), 2u);
}

TEST(Store, TheHashIsOfTheMapAndNotOfItsHistory) {
  Store direct, roundabout;
  direct.Merge(Make("a", 3, 3));
  direct.Merge(Make("b", 2, 2));
  roundabout.Merge(Make("a", 1, 1));
  roundabout.Merge(Make("b", 2, 2));
  EXPECT_NE(direct.hash(), roundabout.hash());
  roundabout.Merge(Make("a", 3, 3));
  EXPECT_EQ(direct.hash(), roundabout.hash());
  EXPECT_EQ(direct.hashes(), roundabout.hashes());
}

TEST(Store, ACopyStandsForItself) {
  Store copy;
  {
    Store original;
    original.Merge(Make("a", 1, 1));
    original.Merge(Make("b", 2, 1));
    copy = Store(original);
    original.Merge(Make("c", 3, 1));
  }
  EXPECT_EQ(copy.keys(), 2u);
  ASSERT_NE(copy.NextAfter(1), nullptr);
  EXPECT_EQ(copy.NextAfter(1)->entry->key, "b");
  EXPECT_EQ(copy.NextAfter(2), nullptr);
  copy.Merge(Make("a", 3, 2));
  EXPECT_EQ(copy.NextAfter(2)->entry->key, "a");
}

TEST(OwnLog, ForgetsTheOldest) {
  OwnLog log;
  EXPECT_EQ(log.first(), 1u);
  EXPECT_EQ(log.end(), 1u);
  for (uint64_t seq = 1; seq <= kOwnLogEntries + 10; ++seq) log.Append(Make("k", seq, 1));
  EXPECT_EQ(log.first(), 11u);
  EXPECT_EQ(log.end(), kOwnLogEntries + 11);
  EXPECT_EQ(log.at(11)->dot.seq, 11u);
  OwnLog big;
  for (uint64_t seq = 1; seq <= 40; ++seq) {
    auto entry = std::make_shared<Entry>(*Make("k", seq, 1));
    entry->value = std::string(1 << 20, 'v');
    big.Append(entry);
  }
  EXPECT_EQ(big.end(), 41u);
  EXPECT_EQ(big.end() - big.first(), 31u);  // 32 MiB, and each has a little more than one
}

// The key keeps its place among the changes, and has another one for readers of renewals.
TEST(Store, ARenewalIsNoChange) {
  Store store;
  const auto leased = [](const std::string& key, uint64_t seq, int64_t expire_ms, uint64_t value_seq = 0) {
    auto entry = std::make_shared<Entry>(*Make(key, seq, 1));
    entry->ephemeral = true;
    entry->stamp = seq;
    entry->lease.duration_ms = 1000;
    entry->lease.expire_ms = expire_ms;
    if (value_seq != 0) entry->value_dot = {{"n", 1}, entry->value_stamp = value_seq};
    return entry;
  };
  store.Merge(leased("a", 1, 1000));
  store.Merge(Make("b", 2, 1));
  EntryPtr loser;
  EXPECT_TRUE(store.Merge(leased("a", 3, 2000, 1), &loser));
  EXPECT_EQ(loser->dot.seq, 1u);
  EXPECT_EQ(ByRevision(store), "ab");
  EXPECT_EQ(store.last_change(), 2u);
  EXPECT_EQ(store.head(), 3u);
  EXPECT_EQ(store.NextAfter(2), nullptr);
  uint64_t place = 0;
  EXPECT_EQ(store.NextWithRenewals(0, &place), store.FindSlot("a"));
  EXPECT_EQ(place, 1u);
  EXPECT_EQ(store.NextWithRenewals(2, &place), store.FindSlot("a"));
  EXPECT_EQ(place, 3u);
  EXPECT_EQ(store.NextWithRenewals(3, &place), nullptr);
  const Store copy(store);
  EXPECT_EQ(copy.NextWithRenewals(2, &place), copy.FindSlot("a"));

  store.Lapse(1500);  // it lives on
  EXPECT_EQ(store.NextLapse(), 2000);
  EXPECT_FALSE(store.FindSlot("a")->lapsed);
  // A renewal of a renewal, then a change: the place of the renewal goes.
  EXPECT_TRUE(store.Merge(leased("a", 4, 3000, 1)));
  EXPECT_EQ(store.NextWithRenewals(2, &place), store.FindSlot("a"));
  EXPECT_EQ(place, 4u);
  auto released = leased("a", 5, 1500, 1);
  released->lease.released = true;
  EXPECT_TRUE(store.Merge(released));
  EXPECT_EQ(ByRevision(store), "ba");
  EXPECT_EQ(store.NextWithRenewals(2, &place), store.FindSlot("a"));
  EXPECT_EQ(place, store.last_change());
  EXPECT_TRUE(store.FindSlot("a")->lapsed);
  EXPECT_EQ(store.live_keys(), 1u);
}

}  // namespace
}  // namespace leasemap::core
