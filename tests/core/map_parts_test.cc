// The store against its slots, step by step at random; what a clock does to a map, and when values go.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/lease.h"
#include "peer/core/data/limits.h"
#include "peer/core/sync/map_state.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

constexpr int64_t kWallMs = 1'700'000'000'000;
constexpr Now kNow{MonoTime(1000), kWallMs};

// --- the store

class StoreModel : public testing::Test {
 protected:
  uint64_t Below(uint64_t n) { return random_() % n; }
  std::string AnyKey() { return absl::StrCat("k", Below(5)); }
  std::shared_ptr<Entry> AnyEntry() {
    auto entry = std::make_shared<Entry>();
    entry->key = AnyKey();
    entry->value = std::string(Below(20), 'v');
    entry->tombstone = Below(4) == 0;
    entry->ephemeral = Below(2) == 0;
    entry->value_gone = entry->ephemeral && !entry->tombstone && Below(8) == 0;
    entry->dot = {{"n", 1}, ++seq_};
    entry->stamp = StampAt(static_cast<int64_t>(Below(50)));
    entry->lease = {"h", 1 + Below(20), 1, 10, static_cast<int64_t>(1 + Below(40)), false};
    return entry;
  }
  void Merge(const std::shared_ptr<Entry>& entry) {
    const EntryPtr before = model_.contains(entry->key) ? model_[entry->key] : nullptr;
    const bool wins = before == nullptr || Outranks(*entry, *before);
    EntryPtr loser;
    ASSERT_EQ(store_.Merge(entry, &loser), wins);
    ASSERT_EQ(loser, wins ? before : EntryPtr(entry));
    if (wins) model_[entry->key] = entry;
  }
  void Renew() {
    const EntryPtr* present = store_.Find(AnyKey());
    if (present == nullptr || (*present)->value_gone) return;
    auto entry = std::make_shared<Entry>(**present);
    entry->value_dot = ValueDot(**present);
    entry->value_stamp = ValueStamp(**present);
    entry->dot = {{"n", 1}, ++seq_};
    entry->stamp += 1;
    entry->lease.expire_ms += static_cast<int64_t>(Below(20)) - 8;  // as a node may do whose clock is behind
    Merge(entry);
  }
  void AnyStep() {
    const int64_t horizon_ms = store_.horizon_ms(), some_ms = static_cast<int64_t>(Below(8));
    switch (Below(9)) {
      case 0:
      case 1:
      case 2:
        return Merge(AnyEntry());
      case 3:
      case 4:
        return Renew();
      case 5:
        store_.Lapse(horizon_ms + some_ms);
        ASSERT_EQ(store_.horizon_ms(), horizon_ms + some_ms);
        return;
      case 6:
        if (Below(3) > 0) return;
        store_.Rewind(horizon_ms - some_ms);
        ASSERT_EQ(store_.horizon_ms(), horizon_ms - some_ms);
        return;
      case 7: {
        const std::string key = AnyKey();
        const Store::Slot* slot = store_.FindSlot(key);
        if (slot == nullptr || !Store::IsDead(*slot)) return;
        const uint64_t collected = store_.collected(), upto = std::max(store_.collected_up_to(), slot->revision);
        store_.Collect(key);
        model_.erase(key);
        ASSERT_EQ(store_.collected(), collected + 1);
        ASSERT_EQ(store_.collected_up_to(), upto);
        return;
      }
      default:
        store_ = Store(std::as_const(store_));  // a copy goes on as the store would
    }
  }
  void Check() {
    uint64_t bytes = 0, held = 0, live = 0, hash = 0;
    std::array<uint64_t, Store::kBuckets> hashes{};
    std::optional<int64_t> next;
    std::set<Store::Dead> dead;
    std::set<uint64_t> changes, places;
    for (const auto& [key, slot] : store_.by_key()) {
      const Entry& entry = *slot.entry;
      ASSERT_EQ(slot.entry, model_.at(key));
      bytes += Weight(entry);
      held += Footprint(entry);
      const bool lapses = entry.ephemeral && !entry.tombstone;
      ASSERT_EQ(slot.lapsed, lapses && (entry.value_gone || entry.lease.expire_ms <= store_.horizon_ms()));
      if (Store::IsDead(slot)) {
        dead.insert({entry.tombstone ? StampMs(entry.stamp) : entry.lease.expire_ms, key});
      } else {
        ++live;
        hash ^= HashOf(entry);
        hashes[BucketOf(key)] ^= HashOf(entry);
        if (lapses) next = std::min(next.value_or(INT64_MAX), entry.lease.expire_ms);
      }
      ASSERT_TRUE(changes.insert(slot.revision).second && places.insert(slot.revision).second);
      if (slot.renewed == 0) continue;
      ASSERT_GT(slot.renewed, slot.revision);
      ASSERT_TRUE(places.insert(slot.renewed).second);
    }
    ASSERT_EQ(store_.by_key().size(), model_.size());
    ASSERT_EQ(store_.bytes(), bytes);
    ASSERT_EQ(store_.held(), held);
    ASSERT_EQ(store_.live_keys(), live);
    ASSERT_EQ(store_.hash(), hash);
    ASSERT_EQ(store_.hashes(), hashes);
    ASSERT_EQ(store_.NextLapse(), next);
    ASSERT_EQ(store_.dead(), dead);
    std::set<uint64_t> walked;
    for (uint64_t at = 0; const Store::Slot* slot = store_.NextAfter(at); at = slot->revision) {
      walked.insert(slot->revision);
    }
    ASSERT_EQ(walked, changes);
    walked.clear();
    uint64_t place = 0;
    while (const Store::Slot* slot = store_.NextWithRenewals(place, &place)) {
      ASSERT_TRUE(place == slot->revision || place == slot->renewed);
      ASSERT_TRUE(walked.empty() || *walked.rbegin() < place);
      walked.insert(place);
    }
    ASSERT_EQ(walked, places);
    ASSERT_TRUE(places.empty() || *places.rbegin() <= store_.head());
  }

  std::mt19937_64 random_{815};
  Store store_;
  std::map<std::string, EntryPtr> model_;
  uint64_t seq_ = 0;
};

TEST_F(StoreModel, OrdersAndCountsAreThoseOfItsSlots) {
  for (int step = 0; step < 5000; ++step) {
    SCOPED_TRACE(step);
    ASSERT_NO_FATAL_FAILURE(AnyStep());
    ASSERT_NO_FATAL_FAILURE(Check());
  }
}

EntryPtr Ephemeral(const std::string& key, uint64_t seq, int64_t expire_ms) {
  auto entry = std::make_shared<Entry>();
  entry->key = key;
  entry->value = "value";
  entry->ephemeral = true;
  entry->dot = {{"n", 1}, seq};
  entry->lease = {"h", seq, 1, 10, expire_ms, false};
  return entry;
}
bool HasValue(const Store& store, const std::string& key) { return !(*store.Find(key))->value_gone; }

TEST(StoreValues, GoInTheOrderOfTheirLapse) {
  Store store;
  store.NoteTime(MonoTime(100));
  for (uint64_t n = 1; n <= 4; ++n) store.Merge(Ephemeral(absl::StrCat("k", n), n, static_cast<int64_t>(10 * n)));
  store.Lapse(30);
  store.GiveUpValues(20, MonoTime(99));  // dead here for too short a time
  EXPECT_TRUE(HasValue(store, "k1"));
  const uint64_t head = store.head();
  store.GiveUpValues(20, MonoTime(100));
  EXPECT_FALSE(HasValue(store, "k1") || HasValue(store, "k2"));
  EXPECT_TRUE(HasValue(store, "k3"));
  EXPECT_EQ(store.head(), head);
  EXPECT_EQ(store.Rewind(15), 1u);  // the third alone lives again
  EXPECT_EQ(store.live_keys(), 2u);
  EXPECT_TRUE(store.gone_ahead());
  store.ForgetGoneAhead();
  // One that comes late, with a lapse before what was given up already, gives its value up, too.
  store.Lapse(40);
  store.GiveUpValues(35, MonoTime(100));
  store.Merge(Ephemeral("late", 9, 12));
  EXPECT_TRUE(HasValue(store, "late"));
  store.GiveUpValues(35, MonoTime(100));
  EXPECT_FALSE(HasValue(store, "late"));
  EXPECT_FALSE(store.gone_ahead());
  auto gone = std::make_shared<Entry>(*Ephemeral("ahead", 10, 41));
  gone->value_gone = true;
  store.Merge(gone);
  EXPECT_TRUE(store.gone_ahead());
}

TEST(StoreValues, ABatchAtATime) {
  Store store;
  const size_t all = kLapseBatch + 10;
  for (uint64_t n = 1; n <= all; ++n) store.Merge(Ephemeral(absl::StrCat("k", n), n, static_cast<int64_t>(n)));
  EXPECT_EQ(store.Lapse(100'000), kLapseBatch);
  EXPECT_EQ(store.Lapse(100'000), 10u);
  store.GiveUpValues(100'000, MonoTime(0));
  EXPECT_FALSE(HasValue(store, absl::StrCat("k", kLapseBatch)));
  EXPECT_TRUE(HasValue(store, absl::StrCat("k", kLapseBatch + 1)));
  Store back = store;
  store.GiveUpValues(100'000, MonoTime(0));
  EXPECT_FALSE(HasValue(store, absl::StrCat("k", all)));
  EXPECT_EQ(back.Rewind(1), 10u);
  // The latest live again first.
  Store many;
  for (uint64_t n = 1; n <= all; ++n) many.Merge(Ephemeral(absl::StrCat("k", n), n, static_cast<int64_t>(n)));
  many.Lapse(100'000);
  many.Lapse(100'000);
  EXPECT_EQ(many.Rewind(1), kLapseBatch);
  EXPECT_EQ(many.horizon_ms(), 10);
  EXPECT_EQ(many.Rewind(1), 9u);
  EXPECT_EQ(many.horizon_ms(), 1);
  EXPECT_EQ(many.rewinds(), 2u);
}

TEST(StoreComplete, TakesTheValueThatIsHere) {
  Store store;
  store.Merge(Ephemeral("k", 1, 100));
  auto renewal = std::make_shared<Entry>(**store.Find("k"));
  renewal->value_dot = renewal->dot;
  renewal->dot.seq = 2;
  renewal->stamp = 1;
  EXPECT_EQ(store.Complete(renewal), renewal);  // it has its value
  renewal->value = {};
  renewal->value_left_out = true;
  const EntryPtr whole = store.Complete(renewal);
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(whole->value, "value");
  EXPECT_FALSE(whole->value_left_out);
  auto other = std::make_shared<Entry>(*renewal);
  other->value_dot.seq = 7;
  EXPECT_EQ(store.Complete(other), nullptr);
  other->lease.epoch = 0;  // it loses anyway
  EXPECT_EQ(store.Complete(other), other);
  other->key = "another";
  EXPECT_EQ(store.Complete(other), nullptr);
}

// --- a map and its clock

TEST(MapStateTest, FollowsItsClockAndGoesBackBeyondTheBound) {
  const LeaseRules rules;
  const int64_t bound = rules.clock_bound_ms;
  MapState map(rules);
  map.lapses_gone_ms = kWallMs + 5;
  map.store.Merge(Ephemeral("k", 1, kWallMs));
  EXPECT_EQ(map.LapseDue({MonoTime(70), kWallMs - 30}, rules, true), MonoTime(100));
  EXPECT_EQ(map.LapseDue({MonoTime(70), kWallMs + 30}, rules, true), MonoTime(70));
  EXPECT_EQ(map.LapseDue({MonoTime(70), kWallMs - 30}, rules, false), MonoTime::Never());
  EXPECT_EQ(map.HorizonAt({MonoTime(0), kWallMs - 1}, true), kWallMs - 1);
  EXPECT_EQ(map.HorizonAt({MonoTime(0), kWallMs}, true), 0);  // a lapse is due that was not told
  EXPECT_EQ(map.FollowClock(kNow, rules, 1'000'000), 1u);
  EXPECT_EQ(map.LapseDue(kNow, rules, true), MonoTime::Never());
  EXPECT_EQ(map.HorizonAt({MonoTime(0), kWallMs + 9}, true), kWallMs + 9);
  EXPECT_EQ(map.HorizonAt({MonoTime(0), kWallMs + 9}, false), kWallMs);
  EXPECT_EQ(map.HorizonAt({MonoTime(0), kWallMs - 9}, true), kWallMs);
  const Now back{MonoTime(1000), kWallMs - bound};
  EXPECT_EQ(map.LapseDue(back, rules, true), MonoTime::Never());
  EXPECT_EQ(map.FollowClock(back, rules, 1'000'000), 0u);
  EXPECT_EQ(map.store.horizon_ms(), kWallMs);
  const Now further{MonoTime(1000), kWallMs - bound - 1};
  EXPECT_EQ(map.LapseDue(further, rules, true), MonoTime(1000));
  EXPECT_EQ(map.lapses_gone_ms, kWallMs + 5);
  EXPECT_EQ(map.FollowClock(further, rules, 1'000'000), 1u);
  EXPECT_EQ(map.store.horizon_ms(), further.wall_ms);
  EXPECT_EQ(map.lapses_gone_ms, further.wall_ms);
}

TEST(MapStateTest, ValuesGoSomeTimeAfterTheirLapse) {
  const LeaseRules rules;
  MapState map(rules);
  map.store.NoteTime(MonoTime(1000));
  map.store.Merge(Ephemeral("k", 1, kWallMs));
  map.FollowClock(kNow, rules, 100);
  map.FollowClock({MonoTime(1100), kWallMs + 99}, rules, 100);
  EXPECT_TRUE(HasValue(map.store, "k"));
  map.FollowClock({MonoTime(1099), kWallMs + 100}, rules, 100);
  EXPECT_TRUE(HasValue(map.store, "k"));
  map.FollowClock({MonoTime(1100), kWallMs + 100}, rules, 100);
  EXPECT_FALSE(HasValue(map.store, "k"));
}

TEST(MapStateTest, AFloorThatSaysNothingNewWasNotTaken) {
  MapState map{LeaseRules()};
  VersionVector floor;
  map.JoinFloor(MonoTime(5), floor);
  EXPECT_EQ(map.floor_taken, std::nullopt);
  floor.Add({"p", 1}, 1, 3);
  map.JoinFloor(MonoTime(6), floor);
  map.JoinFloor(MonoTime(7), floor);
  EXPECT_EQ(map.floor_taken, MonoTime(6));
  EXPECT_EQ(map.floor, floor);
}

}  // namespace
}  // namespace leasemap::core
