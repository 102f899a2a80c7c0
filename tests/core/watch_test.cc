// Watches: snapshots, cursors and when they come, resuming on another node, and what a cursor is refused for.
#include "peer/core/node/watch.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

class Watches : public testing::Test {
 protected:
  Watch Start(int node, bool snapshot, const std::string& cursor = "", WatchFilter filter = {}) {
    auto watch = mesh_[node].StartWatch(mesh_.now(node), std::move(filter), snapshot, cursor);
    EXPECT_THAT(watch, IsOk());
    return *std::move(watch);
  }
  WatchBatch Read(int node, Watch& watch) {
    auto batch = mesh_[node].ReadWatch(mesh_.now(node), watch);
    EXPECT_THAT(batch, IsOk());
    return batch.ok() ? *std::move(batch) : WatchBatch{};
  }
  std::string Keys(const WatchBatch& batch) {
    std::string out;
    for (const auto& event : batch.events) out += (event.kind == EventKind::kDeleted ? "-" : "+") + event.entry->key;
    return out;
  }
  void Set(int node, const std::string& key) { ASSERT_THAT(mesh_.Set(node, key, "v"), IsOk()); }
  void Delete(int node, const std::string& key) {
    WriteCommand command;
    command.change = Change::kDelete;
    command.key = key;
    command.holder = mesh_[node].self().node;
    ASSERT_THAT(mesh_.Write(node, command), IsOk());
  }
  std::string Reason(int node, Watch& watch) {
    const auto batch = mesh_[node].ReadWatch(mesh_.now(node), watch);
    return batch.ok() ? (batch->empty() ? "WAITS" : "OK") : ReasonOf(batch.status());
  }

  Mesh mesh_;
};

// Renewals wake nobody who did not ask for them, and come to who did, once each.
class Renewals : public Watches {
 protected:
  void SetUp() override {
    a_ = mesh_.Add("a");
    ASSERT_THAT(mesh_.Set(a_, "k", "v"), IsOk());
    filter_.kinds = {EventKind::kSet, EventKind::kDeleted, EventKind::kExpired, EventKind::kLease};
  }
  void Renew(int node, const std::string& holder = "a") {
    WriteCommand command;
    command.change = Change::kRenew;
    command.key = "k";
    command.holder = holder;
    ASSERT_THAT(mesh_.Write(node, command), IsOk());
  }
  std::string Kinds(const WatchBatch& batch) {
    std::string out;
    for (const auto& event : batch.events) out += event.kind == EventKind::kLease ? "~" : "+";
    return out;
  }
  int a_ = 0;
  WatchFilter filter_;
};

TEST_F(Renewals, AreToldToWhoAskedForThem) {
  Watch quiet = Start(a_, true), full = Start(a_, true, "", filter_);
  EXPECT_EQ(Kinds(Read(a_, quiet)), "+");
  EXPECT_EQ(Kinds(Read(a_, full)), "+");
  mesh_[a_].Take();
  Renew(a_);
  Renew(a_);
  const Effects effects = mesh_[a_].Take();
  EXPECT_TRUE(effects.renewed);
  EXPECT_FALSE(effects.changed);
  EXPECT_EQ(Kinds(Read(a_, quiet)), "");
  EXPECT_EQ(Kinds(Read(a_, full)), "~");
  EXPECT_EQ(Kinds(Read(a_, full)), "");
}

TEST_F(Renewals, OfAWriteThatAWatchDoesNotHaveAreSets) {
  Renew(a_);
  Watch late = Start(a_, true, "", filter_);
  EXPECT_EQ(Kinds(Read(a_, late)), "+");
  ASSERT_THAT(mesh_.Set(a_, "k", "w"), IsOk());
  Renew(a_);  // the watch was not at the head in between
  EXPECT_EQ(Kinds(Read(a_, late)), "+");
  EXPECT_EQ(Kinds(Read(a_, late)), "");
}

TEST_F(Renewals, AfterACursorTheyMayComeAsSets) {
  Watch quiet = Start(a_, true);
  const std::string cursor = Read(a_, quiet).cursor;
  ASSERT_NE(cursor, "");
  Renew(a_);
  Watch resumed = Start(a_, false, cursor);
  EXPECT_EQ(Kinds(Read(a_, resumed)), "+");
}

TEST_F(Renewals, ReleasesAndAcquisitionsAreSets) {
  Watch quiet = Start(a_, true);
  Read(a_, quiet);
  WriteCommand release;
  release.change = Change::kRelease;
  release.key = "k";
  release.holder = "a";
  ASSERT_THAT(mesh_.Write(a_, release), IsOk());
  EXPECT_EQ(Kinds(Read(a_, quiet)), "+");
  Renew(a_, "b");
  EXPECT_EQ(Kinds(Read(a_, quiet)), "+");
}

// A reader that is slower than the writes never comes to the head. It gets its cursors all the same, and loses nothing.
class SlowWatch : public Watches {
 protected:
  static constexpr int kKeys = 300;

  void SetUp() override {
    NodeOptions options = Mesh::Options("a");
    options.watch_events = 4;
    options.pass_after = 10;
    a_ = mesh_.Add(options);
    b_ = mesh_.Add("b");
    mesh_.Connect(a_, b_);
    for (int key = 0; key < kKeys; ++key) Write();
  }
  // To the keys in a scattered order.
  void Write() {
    const std::string key = absl::StrCat("k", writes_ * 7919 % kKeys);
    ASSERT_THAT(mesh_.Set(a_, key, absl::StrCat(writes_++), "h"), IsOk());
  }
  void Fold(const WatchBatch& batch) {
    for (const auto& event : batch.events) {
      EntryPtr& held = fold_[event.entry->key];
      EXPECT_TRUE(held == nullptr || (held->dot != event.entry->dot && Outranks(*event.entry, *held)))
          << event.entry->key << " came twice, or an older one after a newer";
      held = event.entry;
    }
  }
  // One message, then as many writes as it has events, and one more: until a cursor has come.
  std::string ReadOn(Watch& watch, bool* snapshot_end = nullptr) {
    for (int events = 0; events < 3 * kKeys;) {
      const WatchBatch batch = Read(a_, watch);
      EXPECT_TRUE(batch.more);
      Fold(batch);
      if (snapshot_end != nullptr) *snapshot_end |= batch.snapshot_end;
      if (!batch.cursor.empty()) return batch.cursor;
      events += static_cast<int>(batch.events.size());
      for (size_t n = 0; n <= batch.events.size(); ++n) Write();
    }
    ADD_FAILURE() << "no cursor";
    return "";
  }
  void ExpectSame(int node) {
    for (const auto& [key, slot] : mesh_[node].store().by_key()) {
      ASSERT_TRUE(fold_.contains(key)) << key;
      EXPECT_EQ(fold_[key]->dot, slot.entry->dot) << key;
    }
  }

  int a_ = 0, b_ = 0, writes_ = 0;
  std::map<std::string, EntryPtr> fold_;
};

TEST_F(SlowWatch, GetsTheEndOfTheSnapshotAndCursors) {
  Watch watch = Start(a_, true);
  bool snapshot_end = false;
  ReadOn(watch, &snapshot_end);
  EXPECT_TRUE(snapshot_end);
  for (int n = 0; n < 5; ++n) ReadOn(watch);
  // Once the writes stop it comes to the head, without a repetition.
  for (WatchBatch batch = Read(a_, watch); batch.more; batch = Read(a_, watch)) Fold(batch);
  Fold(Read(a_, watch));
  ExpectSame(a_);
}

TEST_F(SlowWatch, ResumesElsewhereWithACursorOfAPass) {
  Watch watch = Start(a_, true);
  std::string cursor;
  for (int n = 0; n < 3; ++n) cursor = ReadOn(watch);
  mesh_.Settle();
  ASSERT_TRUE(mesh_[b_].vector().Covers(mesh_[a_].vector()));
  Watch there = Start(b_, false, cursor);
  WatchBatch batch;
  do {
    batch = Read(b_, there);
    Fold(batch);
  } while (batch.more);
  ExpectSame(b_);
}

TEST_F(SlowWatch, TellsWhatLapsedDuringThePassOnce) {
  for (int n = 0; n < 20; ++n) {
    WriteCommand command = mesh_.Command(a_, absl::StrCat("e", n % 10 < 5 ? "a" : "z", n));
    command.ephemeral = true;
    command.duration_ms = 5000;
    ASSERT_THAT(mesh_.Write(a_, command), IsOk());
  }
  Watch watch = Start(a_, true);
  std::map<std::string, int> ends;
  const auto note = [&](const WatchBatch& batch) {
    for (const auto& event : batch.events) ends[event.entry->key] += event.kind == EventKind::kExpired;
  };
  bool lapsed = false;
  for (int n = 0; n < 2000; ++n) {
    const WatchBatch batch = Read(a_, watch);
    note(batch);
    if (watch.pass && !std::exchange(lapsed, true)) mesh_.Advance(6000);
    if (n < 500) Write();
  }
  ASSERT_TRUE(lapsed);
  for (int n = 0; n < 20; ++n) EXPECT_EQ(ends[absl::StrCat("e", n % 10 < 5 ? "a" : "z", n)], 1) << n;
}

TEST_F(Watches, ASnapshotEndsOnceAndLeavesOldDeletesOut) {
  const int a = mesh_.Add("a");
  Set(a, "x");
  Set(a, "y");
  Delete(a, "x");
  Watch watch = Start(a, true);
  Set(a, "z");
  Delete(a, "y");  // after the beginning: told
  const auto batch = Read(a, watch);
  EXPECT_EQ(Keys(batch), "+z-y");
  EXPECT_TRUE(batch.first);
  EXPECT_TRUE(batch.snapshot_end);
  EXPECT_FALSE(batch.cursor.empty());
  mesh_.Advance(1000);
  Set(a, "w");
  const auto more = Read(a, watch);
  EXPECT_EQ(Keys(more), "+w");
  EXPECT_FALSE(more.snapshot_end);
  EXPECT_FALSE(more.first);
}

TEST_F(Watches, WithoutASnapshotItStartsAtTheHeadWithACursor) {
  const int a = mesh_.Add("a");
  Set(a, "old");
  Watch watch = Start(a, false);
  const auto first = Read(a, watch);
  EXPECT_TRUE(first.first);
  EXPECT_FALSE(first.snapshot_end);
  EXPECT_EQ(Keys(first), "");
  EXPECT_FALSE(first.cursor.empty());
  Set(a, "new");
  EXPECT_EQ(Keys(Read(a, watch)), "+new");
}

TEST_F(Watches, CursorsComeOnceASecondWithNewsAndEachFifteenWithout) {
  const int a = mesh_.Add("a");
  Watch watch = Start(a, true);
  EXPECT_FALSE(Read(a, watch).cursor.empty());
  Set(a, "k");
  auto batch = Read(a, watch);
  EXPECT_EQ(Keys(batch), "+k");
  EXPECT_TRUE(batch.cursor.empty());
  EXPECT_EQ(batch.wake, mesh_.now(a).mono + kCursorEveryMs);
  mesh_.Skip(kCursorEveryMs - 1);
  EXPECT_TRUE(Read(a, watch).empty());
  mesh_.Skip(1);
  batch = Read(a, watch);
  EXPECT_FALSE(batch.cursor.empty());
  EXPECT_EQ(batch.wake, mesh_.now(a).mono + kCursorIdleMs);
  mesh_.Skip(kCursorIdleMs - 1);
  EXPECT_TRUE(Read(a, watch).empty());
  mesh_.Skip(1);
  EXPECT_FALSE(Read(a, watch).cursor.empty());
}

TEST_F(Watches, ALongSnapshotComesInPartsWithTheCursorLast) {
  const int a = mesh_.Add("a");
  for (size_t i = 0; i < 2 * kWatchBatchEvents + 1; ++i) Set(a, absl::StrCat("k", i));
  Watch watch = Start(a, true);
  size_t events = 0, parts = 0;
  for (bool more = true; more; ++parts) {
    ASSERT_LT(parts, 100u);
    const auto batch = Read(a, watch);
    events += batch.events.size();
    more = batch.more;
    EXPECT_LE(batch.events.size(), kWatchBatchEvents);
    EXPECT_EQ(batch.cursor.empty(), more);
    EXPECT_EQ(batch.snapshot_end, !more);
  }
  EXPECT_GE(parts, 3u);
  EXPECT_EQ(events, 2 * kWatchBatchEvents + 1);
}

TEST_F(Watches, ASlowWatchSkipsWhatWasReplaced) {
  const int a = mesh_.Add("a");
  Watch watch = Start(a, false);
  Read(a, watch);
  for (int i = 0; i < 5; ++i) Set(a, "x");
  Set(a, "y");
  Delete(a, "x");
  EXPECT_EQ(Keys(Read(a, watch)), "+y-x");
}

TEST_F(Watches, FiltersByPrefixKeyAndKind) {
  const int a = mesh_.Add("a");
  WatchFilter filter;
  filter.prefixes = {"p/"};
  filter.keys = {"k"};
  filter.kinds = {EventKind::kSet};
  Watch watch = Start(a, true, "", filter);
  for (const char* key : {"p/1", "p", "k", "kk", "q"}) Set(a, key);
  Delete(a, "p/1");
  EXPECT_EQ(Keys(Read(a, watch)), "+k");
  WatchFilter all;
  WatchFilter named;
  named.kinds = {EventKind::kSet, EventKind::kDeleted, EventKind::kExpired};
  EXPECT_EQ(all.Hash(), named.Hash());
  EXPECT_NE(all.Hash(), filter.Hash());
  WatchFilter swapped;
  swapped.prefixes = {"k"};
  swapped.keys = {"p/"};
  swapped.kinds = filter.kinds;
  EXPECT_NE(swapped.Hash(), filter.Hash());
}

TEST_F(Watches, ResumesOnAnotherNodeWithoutGapOrRepeat) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b");
  const LinkId link = mesh_.Connect(a, b);
  Set(a, "x");
  mesh_.Settle();
  Watch first = Start(a, true);
  const std::string cursor = Read(a, first).cursor;
  Set(b, "y");
  Delete(a, "x");
  mesh_.Settle();
  Watch second = Start(b, false, cursor);
  const auto batch = Read(b, second);
  EXPECT_EQ(Keys(batch), "+y-x");
  EXPECT_FALSE(batch.snapshot_end);
  Watch third = Start(a, false, batch.cursor);
  EXPECT_EQ(Keys(Read(a, third)), "");

  // A node that is behind waits until it covers the cursor.
  mesh_.Break(link);
  Set(a, "z");
  Watch ahead = Start(a, false, batch.cursor);
  const std::string later = Read(a, ahead).cursor;
  Watch waiting = Start(b, false, later);
  EXPECT_EQ(Reason(b, waiting), "WAITS");
  mesh_.Connect(a, b);
  EXPECT_EQ(Keys(Read(b, waiting)), "");  // z is covered by the cursor
  EXPECT_EQ(waiting.phase, Watch::Phase::kFollowing);
}

TEST_F(Watches, CursorsFromElsewhereAreInvalid) {
  const int a = mesh_.Add("a");
  NodeOptions options = Mesh::Options("o");
  options.cluster = "other";
  const int other = mesh_.Add(options);
  Watch watch = Start(a, true);
  const std::string cursor = Read(a, watch).cursor;
  WatchFilter filter;
  filter.keys = {"k"};
  const auto reason = [&](int node, const WatchFilter& wanted, const std::string& text) {
    return ReasonOf(mesh_[node].StartWatch(mesh_.now(node), wanted, false, text).status());
  };
  EXPECT_EQ(reason(other, {}, cursor), "CURSOR_INVALID");
  EXPECT_EQ(reason(a, filter, cursor), "CURSOR_INVALID");
  EXPECT_EQ(reason(a, {}, "nonsense"), "CURSOR_INVALID");
  EXPECT_EQ(reason(a, {}, cursor.substr(1)), "CURSOR_INVALID");
}

TEST_F(Watches, NotCaughtUpAfterTenSeconds) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b"), c = mesh_.Add("c");
  mesh_.Connect(a, b);
  mesh_.Connect(b, c);
  mesh_.Connect(a, c);
  mesh_.Advance(500);
  mesh_.Break(LinkId{2});
  mesh_.Break(LinkId{4});
  mesh_.Break(LinkId{6});
  Set(a, "k");
  Watch watch = Start(a, true);
  const std::string cursor = Read(a, watch).cursor;
  // b hears of neither a nor c: c may hold what the cursor names.
  Watch resumed = Start(b, false, cursor);
  mesh_.Skip(kCursorWaitMs - 1);
  EXPECT_EQ(Reason(b, resumed), "WAITS");
  mesh_.Skip(1);
  EXPECT_EQ(Reason(b, resumed), "NOT_CAUGHT_UP");
}

TEST_F(Watches, WritesThatDiedWithTheirNodeExpireTheCursor) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b"), c = mesh_.Add("c");
  const LinkId ab = mesh_.Connect(a, b), ac = mesh_.Connect(a, c);
  mesh_.Connect(b, c);
  mesh_.Advance(500);
  mesh_.Freeze(ab);
  mesh_.Freeze(ac);
  Set(a, "k");
  Watch watch = Start(a, true);
  const std::string cursor = Read(a, watch).cursor;
  Watch resumed = Start(b, false, cursor);
  EXPECT_EQ(Reason(b, resumed), "WAITS");
  mesh_.Advance(2000);
  EXPECT_EQ(Reason(b, resumed), "WAITS");  // a is not silent for three seconds yet
  mesh_.Advance(4500);
  EXPECT_EQ(Reason(b, resumed), "CURSOR_EXPIRED");
}

TEST_F(Watches, AWriteThatAnotherMemberHoldsIsWaitedFor) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b"), c = mesh_.Add("c");
  const LinkId ab = mesh_.Connect(a, b), ac = mesh_.Connect(a, c);
  mesh_.Connect(b, c);
  mesh_.Advance(500);
  mesh_.Break(ab);
  Set(a, "k");
  mesh_.Settle();
  Watch watch = Start(a, true);
  const std::string cursor = Read(a, watch).cursor;
  Watch resumed = Start(b, false, cursor);
  mesh_.Break(ac);
  EXPECT_EQ(Reason(b, resumed), "WAITS");
  mesh_.Advance(2500);  // c reports it, and b asks for it
  EXPECT_EQ(Reason(b, resumed), "OK");
}

TEST_F(Watches, NoCursorWhileTheVectorHasManyExceptions) {
  const int a = mesh_.Add("a"), b = mesh_.Add("b");
  mesh_.Connect(a, b);
  const auto live = [&](uint64_t seq) {
    auto entry = std::make_shared<Entry>();
    entry->key = absl::StrCat("k", seq);
    entry->dot = {{"x", 1}, seq};
    mesh_[a].OnMessage(mesh_.now(a), LinkId{2}, Live{{entry}});
  };
  for (uint64_t i = 1; i <= kCursorExceptions + 1; ++i) live(2 * i);
  Watch watch = Start(a, true);
  auto batch = Read(a, watch);
  EXPECT_EQ(batch.events.size(), kCursorExceptions + 1);
  EXPECT_TRUE(batch.snapshot_end);
  EXPECT_TRUE(batch.cursor.empty());
  live(3);  // closes a gap
  batch = Read(a, watch);
  EXPECT_EQ(batch.events.size(), 1u);
  EXPECT_FALSE(batch.cursor.empty());
}

}  // namespace
}  // namespace leasemap::core
