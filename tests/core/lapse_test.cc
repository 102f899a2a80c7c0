// Ephemeral keys: they vanish at lapse, once, on every node; no older write brings them back; cursors say what was
// told.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

class Lapses : public testing::Test {
 protected:
  static WriteCommand Command(const std::string& key, Change change = Change::kSet) {
    WriteCommand command;
    command.change = change;
    command.key = key;
    command.value = "v";
    command.holder = "h";
    if (change == Change::kSet) command.duration_ms = 2000;
    command.ephemeral = change == Change::kSet;
    return command;
  }
  EntryPtr Do(int node, const WriteCommand& command) {
    auto written = mesh_.Write(node, command);
    mesh_.Settle();
    EXPECT_THAT(written, IsOk());
    return written.ok() ? *written : nullptr;
  }
  std::string Reason(int node, const WriteCommand& command) {
    const auto written = mesh_.Write(node, command);
    return written.ok() ? "OK" : ReasonOf(written.status());
  }
  Watch Start(int node, bool snapshot, const std::string& cursor = "") {
    auto watch = mesh_[node].StartWatch(mesh_.now(node), {}, snapshot, cursor);
    EXPECT_THAT(watch, IsOk());
    return *std::move(watch);
  }
  // The events: +key, -key, or !key for an EXPIRED; "(waits)" if there was nothing to say.
  std::string Read(int node, Watch& watch, std::string* cursor = nullptr) {
    const auto batch = mesh_[node].ReadWatch(mesh_.now(node), watch);
    if (!batch.ok()) return ReasonOf(batch.status());
    if (batch->empty()) return "(waits)";
    std::string out;
    for (const auto& event : batch->events) {
      out += (event.kind == EventKind::kDeleted ? "-" : event.kind == EventKind::kExpired ? "!" : "+");
      out += event.entry->key;
    }
    if (cursor != nullptr && !batch->cursor.empty()) *cursor = batch->cursor;
    return out;
  }
  // A cursor of now: of a watch that starts at the head.
  std::string Cursor(int node) {
    std::string cursor;
    Watch watch = Start(node, false);
    EXPECT_EQ(Read(node, watch, &cursor), "");
    return cursor;
  }

  Mesh mesh_;
};

// After a pause there may be more that lapsed than one tick lets lapse: no read and no admission takes it for living.
TEST_F(Lapses, WhatTheClockSaysHasLapsedIsGoneAtOnce) {
  mesh_.Add("a");
  for (const char* key : {"read", "renewed", "set", "kept"}) Do(0, Command(key));
  mesh_.Skip(2000);  // nobody ticks
  EXPECT_EQ(mesh_[0].Get(mesh_.now(0), "read"), nullptr);
  ASSERT_FALSE(Store::IsDead(*mesh_[0].store().FindSlot("read"))) << "a tick came between";
  EXPECT_TRUE(mesh_[0].IsGone(mesh_.now(0), *mesh_[0].store().FindSlot("read")));
  EXPECT_EQ(Reason(0, Command("renewed", Change::kRenew)), "KEY_NOT_FOUND");
  WriteCommand absent = Command("set");
  absent.if_absent = true;
  EXPECT_EQ(Reason(0, absent), "OK");
}

TEST_F(Lapses, TheKeyVanishesOnEveryNodeWithOneEvent) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b");
  mesh_.Connect(a, b);
  Do(a, Command("k"));
  Watch here = Start(a, true), there = Start(b, true);
  EXPECT_EQ(Read(a, here), "+k");
  EXPECT_EQ(Read(b, there), "+k");
  mesh_.Advance(1999);
  EXPECT_EQ(mesh_.Value(b, "k"), "v");
  mesh_.Advance(1);
  for (const int node : {a, b}) {
    EXPECT_EQ(mesh_.Value(node, "k"), "(none)");
    EXPECT_EQ(mesh_[node].store().live_keys(), 0u);
    EXPECT_EQ(mesh_[node].store().keys(), 1u);
    EXPECT_EQ(mesh_[node].store().hash(), Store().hash());
  }
  EXPECT_EQ(Read(a, here), "!k");
  EXPECT_EQ(Read(b, there), "!k");
  mesh_.Advance(500);
  EXPECT_EQ(Read(a, here), "(waits)");
  EXPECT_EQ(Reason(a, Command("k", Change::kDelete)), "KEY_NOT_FOUND");
  EXPECT_EQ(Reason(b, Command("k", Change::kRenew)), "KEY_NOT_FOUND");
  auto again = Command("k");
  again.if_absent = true;
  again.holder = "other";
  EXPECT_EQ(Reason(b, again), "OK");
  EXPECT_EQ(mesh_[b].store().live_keys(), 1u);
}

TEST_F(Lapses, IsNoDifferenceThatAlarmsOthers) {
  const int a = mesh_.Add(Mesh::Options("a"), 400), b = mesh_.Add("b");
  mesh_.Connect(a, b);
  Do(a, Command("k"));
  mesh_.Advance(3000 + 3 * kHashAlarmMs);
  EXPECT_EQ(mesh_.Value(b, "k"), "(none)");
  for (const int node : {a, b}) EXPECT_EQ(mesh_[node].GetStatus().hash_alarms, 0u);
}

TEST_F(Lapses, AnotherHolderWaitsForTheClockBound) {
  const int a = mesh_.Add("a");
  Do(a, Command("k"));
  mesh_.Advance(2000);
  auto other = Command("k");
  other.holder = "other";
  EXPECT_EQ(Reason(a, other), "LEASE_HELD");  // a node whose clock is behind may still have it
  mesh_.Advance(500);
  EXPECT_EQ(Reason(a, other), "OK");
}

TEST_F(Lapses, ItIsTheNodesTimerThatTells) {
  const int a = mesh_.Add("a");
  Do(a, Command("k"));
  EXPECT_LE(mesh_[a].NextDue(mesh_.now(a)), mesh_.now(a).mono + 2000);
  mesh_.Skip(2000);
  EXPECT_EQ(mesh_[a].NextDue(mesh_.now(a)), mesh_.now(a).mono);
  mesh_[a].Take();
  mesh_[a].Tick(mesh_.now(a));
  EXPECT_TRUE(mesh_[a].Take().changed);
  EXPECT_EQ(mesh_.Value(a, "k"), "(none)");
}

TEST_F(Lapses, RenewKeepsItAndEachSetDecidesAnew) {
  const int a = mesh_.Add("a");
  Do(a, Command("renewed"));
  Do(a, Command("kept"));
  mesh_.Advance(1000);
  EXPECT_TRUE(Do(a, Command("renewed", Change::kRenew))->ephemeral);
  auto keep = Command("kept");
  keep.ephemeral = false;
  EXPECT_FALSE(Do(a, keep)->ephemeral);
  mesh_.Advance(1500);
  EXPECT_EQ(mesh_.Value(a, "renewed"), "v");
  mesh_.Advance(1000);
  EXPECT_EQ(mesh_.Value(a, "renewed"), "(none)");
  EXPECT_EQ(mesh_.Value(a, "kept"), "v");
}

TEST_F(Lapses, ReleaseMakesItLapseAtOnce) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b");
  mesh_.Connect(a, b);
  Do(a, Command("k"));
  Watch watch = Start(a, true);
  EXPECT_EQ(Read(a, watch), "+k");
  Do(a, Command("k", Change::kRelease));
  EXPECT_EQ(mesh_.Value(a, "k"), "(none)");
  EXPECT_EQ(Read(a, watch), "!k");
  mesh_.Advance(10);
  EXPECT_EQ(mesh_.Value(b, "k"), "(none)");
  auto other = Command("k");
  other.holder = "other";
  EXPECT_EQ(Reason(b, other), "OK");  // given up: no need to wait
}

TEST_F(Lapses, WithoutALeaseThereIsNothingThatCouldLapse) {
  const int a = mesh_.Add("a");
  auto none = Command("k");
  none.duration_ms = 0;
  EXPECT_EQ(Reason(a, none), "REQUEST_INVALID");
  Do(a, Command("k"));
  auto give_up = Command("k", Change::kRenew);
  give_up.duration_ms = 0;
  EXPECT_EQ(Reason(a, give_up), "REQUEST_INVALID");
  NodeOptions options = Mesh::Options("off");
  options.rules.leasing = false;
  const int off = mesh_.Add(options);
  auto command = Command("k");
  command.duration_ms.reset();
  EXPECT_EQ(Reason(off, command), "UNSUPPORTED");
}

TEST_F(Lapses, AnOlderWriteDoesNotBringItBack) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b"), c = mesh_.Add("c");
  const LinkId ab = mesh_.Connect(a, b);
  const auto first = Do(a, Command("k"));
  mesh_.Break(ab);
  mesh_.Advance(500);
  Do(a, Command("k", Change::kRenew));
  mesh_.Advance(2500);
  // b had the first version, which lapsed there; a the second. A joiner that gets both has neither as a key.
  mesh_.Connect(b, c);
  mesh_.Advance(2000);
  mesh_.Connect(a, c);
  mesh_.Advance(3000);
  for (const int node : {a, b, c}) EXPECT_EQ(mesh_.Value(node, "k"), "(none)");
  EXPECT_NE((*mesh_[c].store().Find("k"))->dot, first->dot);
  EXPECT_EQ(mesh_[a].store().hashes(), mesh_[c].store().hashes());
}

TEST_F(Lapses, WhatComesAfterItsLapseIsDeadFromTheStart) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b");
  Do(a, Command("k"));
  mesh_.Advance(2500);
  Watch watch = Start(b, false);
  EXPECT_EQ(Read(b, watch), "");
  mesh_.Connect(a, b);
  mesh_.Advance(2000);
  EXPECT_EQ(Read(b, watch), "!k");
  EXPECT_EQ(mesh_[b].store().live_keys(), 0u);
  Watch snapshot = Start(b, true);
  EXPECT_EQ(Read(b, snapshot), "");  // what has lapsed is no part of the map
}

TEST_F(Lapses, ASnapshotTellsWhatLapsesWhileItRuns) {
  NodeOptions options = Mesh::Options("a");
  options.watch_events = 1;
  const int a = mesh_.Add(options);
  Do(a, Command("first"));
  Do(a, Command("k"));
  Watch snapshot = Start(a, true);
  EXPECT_EQ(Read(a, snapshot), "+first");
  mesh_.Advance(2000);
  EXPECT_EQ(Read(a, snapshot), "!first");
  EXPECT_EQ(Read(a, snapshot), "!k");
}

TEST_F(Lapses, AResumedWatchHearsOfEachLapseOnce) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b");
  mesh_.Connect(a, b);
  Do(a, Command("early"));
  auto late = Command("late");
  late.duration_ms = 4000;
  Do(a, late);
  Watch watch = Start(a, true);
  std::string cursor;
  EXPECT_EQ(Read(a, watch, &cursor), "+early+late");
  const std::string before = cursor;
  mesh_.Advance(2000);
  EXPECT_EQ(Read(a, watch, &cursor), "!early");
  ASSERT_NE(cursor, before);
  Watch told = Start(b, false, cursor), untold = Start(b, false, before);
  EXPECT_EQ(Read(b, told), "");
  EXPECT_EQ(Read(b, untold), "!early");
  mesh_.Advance(2000);  // lapses after the watches resumed
  EXPECT_EQ(Read(b, told), "!late");
  EXPECT_EQ(Read(b, untold), "!late");
}

TEST_F(Lapses, AWatchWaitsForAClockThatIsBehindItsCursor) {
  const int fast = mesh_.Add(Mesh::Options("fast"), 400), slow = mesh_.Add("slow");
  mesh_.Connect(fast, slow);
  Do(slow, Command("k"));
  Watch watch = Start(fast, true);
  EXPECT_EQ(Read(fast, watch), "+k");
  mesh_.Advance(1600);  // two seconds later by the fast clock
  std::string cursor;
  EXPECT_EQ(Read(fast, watch, &cursor), "!k");
  EXPECT_EQ(mesh_.Value(slow, "k"), "v");
  Watch resumed = Start(slow, false, cursor);
  EXPECT_EQ(Read(slow, resumed), "(waits)");
  Do(slow, Command("new"));
  mesh_.Advance(400);
  EXPECT_EQ(Read(slow, resumed), "+new");
  EXPECT_EQ(mesh_.Value(slow, "k"), "(none)");
  mesh_.Advance(2000);
  EXPECT_EQ(Read(slow, resumed), "!new");
}

TEST_F(Lapses, ACursorOfAClockThatWasWrongIsExpired) {
  const int wrong = mesh_.Add(Mesh::Options("wrong"), 7'200'000), right = mesh_.Add("right");
  const std::string cursor = Cursor(wrong);
  Watch resumed = Start(right, false, cursor);
  EXPECT_EQ(Read(right, resumed), "CURSOR_EXPIRED");
}

TEST(StoreLapse, GoesByWholeMillisecondsAndStopsAfterABatch) {
  Store store;
  const auto add = [&](const std::string& key, int64_t expire_ms) {
    auto entry = std::make_shared<Entry>();
    entry->key = key;
    entry->ephemeral = true;
    entry->lease.expire_ms = expire_ms;
    entry->dot = {{"n", 1}, store.head() + 1};
    store.Merge(entry);
  };
  for (size_t i = 0; i < kLapseBatch + 10; ++i) add(absl::StrCat("k", i), 10);
  add("next", 11);
  add("far", 20);
  EXPECT_EQ(store.NextLapse(), 10);
  EXPECT_EQ(store.Lapse(9), 0u);
  EXPECT_EQ(store.horizon_ms(), 9);
  EXPECT_EQ(store.Lapse(15), kLapseBatch + 10);  // never half a millisecond
  EXPECT_EQ(store.horizon_ms(), 10);
  EXPECT_EQ(store.NextLapse(), 11);
  EXPECT_EQ(store.Lapse(15), 1u);
  EXPECT_EQ(store.horizon_ms(), 15);
  EXPECT_EQ(store.Lapse(12), 0u);  // never back
  EXPECT_EQ(store.horizon_ms(), 15);
  EXPECT_EQ(store.live_keys(), 1u);
  add("late", 15);
  EXPECT_TRUE(store.FindSlot("late")->lapsed);
  EXPECT_EQ(store.NextLapse(), 20);
  EXPECT_EQ(store.Lapse(20), 1u);
  EXPECT_EQ(store.NextLapse(), std::nullopt);
  EXPECT_EQ(store.hash(), Store().hash());
}

TEST(StoreLapse, ACopyGoesOnByItself) {
  Store store;
  auto entry = std::make_shared<Entry>();
  entry->key = "a key that is too long to be kept within the string itself";
  entry->ephemeral = true;
  entry->lease.expire_ms = 10;
  store.Merge(entry);
  Store copy = store;
  EXPECT_EQ(copy.Lapse(10), 1u);
  EXPECT_EQ(copy.live_keys(), 0u);
  EXPECT_EQ(store.live_keys(), 1u);
  EXPECT_EQ(Store(copy).horizon_ms(), 10);
  EXPECT_EQ(store.Lapse(10), 1u);
}

TEST_F(Lapses, ASnapshotShowsNothingThatHasLapsedByTheClock) {
  const int a = mesh_.Add("a");
  for (int i = 0; i < 10; ++i) Do(a, Command(absl::StrCat("k", i)));
  WriteCommand stays = Command("stays");
  stays.ephemeral = false;
  Do(a, stays);
  mesh_.Skip(2000);  // and no tick has come yet
  Watch watch = Start(a, true);
  EXPECT_EQ(Read(a, watch), "(waits)");
  mesh_.Advance(1000);
  EXPECT_EQ(Read(a, watch), "+stays");
}

// The memory of a value is worth more than a value that nobody can read.
class Given : public Lapses {
 protected:
  void SetUp() override {
    a_ = mesh_.Add("a");
    b_ = mesh_.Add("b");
    link_ = mesh_.Connect(a_, b_);
    mesh_.Advance(4000);
    WriteCommand command = Command("k");
    command.value = std::string(100'000, 'v');
    Do(a_, command);
  }
  const Entry& Held(int node) { return **mesh_[node].store().Find("k"); }
  void Wait(int64_t ms) {
    mesh_.Skip(ms);
    mesh_.Advance(2000);
  }
  int a_ = 0, b_ = 0;
  LinkId link_{};
};

TEST_F(Given, TheValueGoesSomeTimeAfterTheLapse) {
  Watch away = Start(a_, true);
  std::string cursor;
  EXPECT_EQ(Read(a_, away, &cursor), "+k");
  const size_t before = mesh_[a_].store().bytes();
  mesh_.Advance(2000);
  EXPECT_EQ(mesh_.Value(a_, "k"), "(none)");
  EXPECT_FALSE(Held(a_).value_gone);
  mesh_.Advance(1000);
  mesh_.Break(link_);  // both have the lapse; nothing else is needed of one another
  Wait(kKeepLapsedMs);
  for (const int node : {a_, b_}) {
    EXPECT_TRUE(Held(node).value_gone);
    EXPECT_TRUE(Held(node).value.empty());
  }
  EXPECT_EQ(mesh_[a_].store().bytes(), before - 100'000);
  Watch resumed = Start(a_, false, cursor);
  EXPECT_EQ(Read(a_, resumed), "!k");  // its end is told all the same
  EXPECT_EQ(Reason(a_, Command("k", Change::kRenew)), "KEY_NOT_FOUND");
}

TEST_F(Given, NotBeforeItHasBeenDeadHereForSoLong) {
  mesh_.Break(link_);
  mesh_.peer(a_).offset_ms += 2 * kKeepLapsedMs;  // its clock jumps on, and nobody objects
  mesh_.Advance(5000);
  EXPECT_FALSE(Held(a_).value_gone);
}

TEST(ValueGone, ItsCopyStands) {
  Entry entry;
  entry.key = "k";
  entry.value = "v";
  entry.ephemeral = true;
  entry.dot = {{"n", 1}, 1};
  entry.lease.duration_ms = 1000;
  entry.lease.expire_ms = 5000;
  const EntryPtr gone = WithValueGone(entry);
  EXPECT_TRUE(Outranks(*gone, entry));
  Store store;
  store.Merge(gone);
  EXPECT_FALSE(store.Merge(std::make_shared<Entry>(entry)));
  EXPECT_TRUE(Store::IsDead(*store.FindSlot("k")));  // though no horizon has come to it
  Store late;
  late.Lapse(10'000);
  late.GiveUpValues(10'000, MonoTime(0));
  late.NoteTime(MonoTime(1));
  late.Merge(std::make_shared<Entry>(entry));
  late.GiveUpValues(10'000, MonoTime(0));
  EXPECT_FALSE((*late.Find("k"))->value_gone);  // it came a moment ago
  late.GiveUpValues(10'000, MonoTime(1));
  EXPECT_TRUE((*late.Find("k"))->value_gone);
  EXPECT_FALSE(IsRenewal(entry, *gone));
  Store live;
  live.Merge(std::make_shared<Entry>(entry));
  EXPECT_TRUE(live.Merge(gone));  // in place of the living one
  EXPECT_TRUE(Store::IsDead(*live.FindSlot("k")));
  late.Rewind(0);
  EXPECT_TRUE(Store::IsDead(*late.FindSlot("k")));
}

}  // namespace
}  // namespace leasemap::core
