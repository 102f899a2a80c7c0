// What a watch shows, and when its cursor comes, read from a map made by hand.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/core/reader_alone.h"

namespace leasemap::core {
namespace {

// --- snapshots

TEST_F(ReaderAlone, ASnapshotWaitsForWhatHasToLapse) {
  SetEphemeral("e", kWallMs + 1);
  Watch watch = Start(true);
  EXPECT_EQ(Shown(Read(watch)), "+e");
  horizon_ms_ = now_.wall_ms = kWallMs + 1;
  Watch waits = Start(true);
  const WatchBatch waiting = Read(waits);
  EXPECT_TRUE(waiting.empty());
  EXPECT_EQ(waiting.wake, now_.mono + kSnapshotLookMs);
  EXPECT_EQ(waits.snapshot_from, UINT64_MAX);
  Set("new");
  map_.store.Lapse(kWallMs + 1);
  const WatchBatch all = Read(waits);
  EXPECT_EQ(Shown(all), "+new");
  EXPECT_TRUE(all.snapshot_end);
  EXPECT_EQ(waits.snapshot_from, map_.store.head());
}

TEST_F(ReaderAlone, ASnapshotDoesNotWaitForLongNorForAClockThatIsNotTrusted) {
  SetEphemeral("e", kWallMs);
  Watch watch = Start(true);
  now_.mono += kSnapshotWaitMs - 1;
  EXPECT_EQ(Reason(watch), "WAITS");
  now_.mono += 1;
  EXPECT_EQ(Shown(Read(watch)), "+e");
  trusted_ = false;
  Watch other = Start(true);
  EXPECT_EQ(Shown(Read(other)), "+e");
}

TEST_F(ReaderAlone, ASnapshotLeavesOutWhatWasDeadWhenItBeganAndTellsWhatDiedSince) {
  options_.watch_events = 1;
  Set("k1");
  Set("k2");
  Set("k3");
  Delete("k1");
  Watch watch = Start(true);
  WatchBatch batch = Read(watch);
  EXPECT_EQ(Shown(batch), "+k2");
  EXPECT_TRUE(batch.more);
  EXPECT_FALSE(batch.snapshot_end || batch.first);
  EXPECT_EQ(batch.cursor, "");
  Delete("k2");
  EXPECT_EQ(Shown(Read(watch)), "+k3");
  batch = Read(watch);
  EXPECT_EQ(Shown(batch), "-k2");
  EXPECT_TRUE(batch.snapshot_end);
  EXPECT_FALSE(batch.more);
  EXPECT_NE(batch.cursor, "");
  Delete("k3");
  EXPECT_EQ(Shown(Read(watch)), "-k3");
}

// --- what it shows

TEST_F(ReaderAlone, EachKindAsItIs) {
  const WatchFilter kinds = Of({EventKind::kSet, EventKind::kDeleted, EventKind::kExpired, EventKind::kLease});
  Set("k");
  SetEphemeral("e", kWallMs + 5);
  Watch watch = Start(true, kinds);
  EXPECT_EQ(Shown(Read(watch)), "+k+e");
  EXPECT_EQ(watch.had, 2u);
  Renew("k");
  EXPECT_EQ(Shown(Read(watch)), "~k");
  map_.store.Lapse(kWallMs + 5);
  Delete("k");
  EXPECT_EQ(Shown(Read(watch)), "xe-k");
  // Each kind alone.
  Watch sets = Start(false, Of({EventKind::kSet})), leases = Start(false, Of({EventKind::kLease}));
  Set("k");
  EXPECT_EQ(Shown(Read(leases)), "");
  Renew("k");
  EXPECT_EQ(Shown(Read(sets)), "+k");
  EXPECT_EQ(Shown(Read(leases)), "~k");  // it asked for nothing else
}

TEST_F(ReaderAlone, ALapseAfterTheCursorsTimeIsNews) {
  SetEphemeral("early", kWallMs + 1);
  SetEphemeral("late", kWallMs + 2);
  const VersionVector vector = map_.vector;
  map_.store.Lapse(kWallMs + 2);
  horizon_ms_ = now_.wall_ms = kWallMs + 2;
  Watch watch = Resume(vector, kWallMs + 1);
  EXPECT_EQ(Shown(Read(watch)), "xlate");
}

TEST_F(ReaderAlone, AMessageHasItsBounds) {
  options_.watch_events = 2;
  for (const char* key : {"k1", "k2", "k3"}) Set(key);
  Watch watch = Start(true);
  WatchBatch batch = Read(watch);
  EXPECT_EQ(Shown(batch), "+k1+k2");
  EXPECT_TRUE(batch.more);
  EXPECT_EQ(Shown(Read(watch)), "+k3");
  // In bytes: two that just fit, and two that do not by one byte.
  options_.watch_events = 100;
  for (const size_t more : {0, 1}) {
    for (const char* key : {"b1", "b2"}) {
      auto entry = Draft(key);
      entry->value = std::string(kWatchBatchBytes / 2 - 202 + (key[1] == '2' ? more : 0), 'v');
      ASSERT_EQ(Weight(*entry), kWatchBatchBytes / 2 + (key[1] == '2' ? more : 0));
      Put(entry);
    }
    batch = Read(watch);
    EXPECT_EQ(Shown(batch), more == 0 ? "+b1+b2" : "+b1");
    EXPECT_EQ(batch.more, more == 1);
    Read(watch);
  }
  auto huge = Draft("huge");  // a single one travels alone
  huge->value = std::string(2 * kWatchBatchBytes, 'v');
  Put(huge);
  EXPECT_EQ(Shown(Read(watch)), "+huge");
}

TEST_F(ReaderAlone, LooksAtSoManyRevisionsAtOnce) {
  WatchFilter filter;
  filter.keys = {"wanted"};
  Watch watch = Start(false, filter);
  for (size_t n = 0; n < kWatchScan; ++n) Set(absl::StrCat("k", n));
  EXPECT_FALSE(Read(watch).more);
  for (size_t n = 0; n < kWatchScan; ++n) Set(absl::StrCat("k", n));
  Set("wanted");
  const WatchBatch first = Read(watch);
  EXPECT_TRUE(first.more && first.events.empty());
  EXPECT_EQ(Shown(Read(watch)), "+wanted");
}

// --- cursors

TEST_F(ReaderAlone, CursorsComeAtOnceThenASecondAfterNewsAndEveryFifteenWithout) {
  Set("k");
  Watch watch = Start();
  WatchBatch batch = Read(watch);
  EXPECT_TRUE(batch.first);
  EXPECT_NE(batch.cursor, "");
  EXPECT_EQ(batch.wake, now_.mono + kCursorIdleMs);
  const MonoTime at = now_.mono;
  now_.mono += 1;
  batch = Read(watch);
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.wake, at + kCursorIdleMs);
  Set("k");
  batch = Read(watch);
  EXPECT_EQ(Shown(batch), "+k");
  EXPECT_EQ(batch.cursor, "");
  EXPECT_FALSE(batch.first);
  EXPECT_EQ(batch.wake, at + kCursorEveryMs);
  EXPECT_EQ(watch.behind, 1u);
  now_.mono = at + kCursorEveryMs - 1;
  EXPECT_EQ(Read(watch).cursor, "");
  now_.mono += 1;
  batch = Read(watch);
  const auto cursor = DecodeCursor(batch.cursor);
  ASSERT_TRUE(cursor.has_value());
  EXPECT_EQ(cursor->vector, map_.vector);
  EXPECT_EQ(cursor->wall_ms, horizon_ms_);
  EXPECT_EQ(watch.behind, 0u);
  now_.mono += kCursorIdleMs - 1;
  EXPECT_EQ(Read(watch).cursor, "");
  now_.mono += 1;
  EXPECT_NE(Read(watch).cursor, "");
}

TEST_F(ReaderAlone, NoCursorWithMoreGapsThanItMayName) {
  for (size_t n = 0; n < kCursorExceptions; ++n) map_.vector.Add({{"q", 1}, 2 * n + 2});
  Watch watch = Start();
  EXPECT_NE(Read(watch).cursor, "");
  map_.vector.Add({{"q", 1}, 2 * kCursorExceptions + 2});
  now_.mono += kCursorIdleMs;
  const WatchBatch batch = Read(watch);
  EXPECT_EQ(batch.cursor, "");
  EXPECT_EQ(batch.wake, now_.mono + options_.timing.report_every);
}

// --- passes

class ReaderPass : public ReaderAlone {
 protected:
  static constexpr int kKeys = 24;

  void SetUp() override {
    options_.watch_events = 2;
    options_.pass_after = 3;
    for (int n = 0; n < kKeys; ++n) Set(Key(n));
  }
  static std::string Key(int n) { return absl::StrCat("k", n / 10, n % 10); }
  static std::string Keys(int from, int to) {
    std::string out;
    for (int n = from; n < to; ++n) absl::StrAppend(&out, "+", Key(n));
    return out;
  }
  // Reads until a pass is over; all that came.
  std::string ReadToTheEnd(Watch& watch, WatchBatch& last) {
    std::string out;
    do {
      last = Read(watch);
      out += Shown(last);
    } while (!last.pass && out.size() < 1000);
    return out;
  }
};

TEST_F(ReaderPass, BeginsAfterSoManyEventsAndAnEighthOfTheKeys) {
  Watch watch = Start(true);
  Read(watch);
  Read(watch);
  EXPECT_FALSE(watch.pass.has_value());
  EXPECT_EQ(watch.behind, 4u);
  Read(watch);
  ASSERT_TRUE(watch.pass.has_value());
  EXPECT_EQ(watch.pass->head, static_cast<uint64_t>(kKeys));
  EXPECT_EQ(watch.pass->vector, map_.vector);
  // Not while the vector has more gaps than a cursor may name.
  for (size_t n = 0; n < kCursorExceptions; ++n) map_.vector.Add({{"q", 1}, 2 * n + 2});
  Watch edge = Start(true);
  for (int n = 0; n < 3; ++n) Read(edge);
  EXPECT_TRUE(edge.pass.has_value());
  map_.vector.Add({{"q", 1}, 2 * kCursorExceptions + 2});
  Watch beyond = Start(true);
  for (int n = 0; n < 3; ++n) Read(beyond);
  EXPECT_FALSE(beyond.pass.has_value());
}

TEST_F(ReaderPass, TellsEachKeyAsItIsByNowAndGoesOnFromWhereItBegan) {
  Watch watch = Start(true);
  for (int n = 0; n < 3; ++n) Read(watch);
  Set(Key(20));
  Set(Key(0));
  EXPECT_EQ(Shown(Read(watch)), "+k00+k06");
  Set(Key(2));  // behind the walk: told after it
  WatchBatch last;
  EXPECT_EQ(ReadToTheEnd(watch, last), Keys(7, kKeys));
  EXPECT_TRUE(last.more && last.snapshot_end);
  EXPECT_FALSE(last.first);
  const auto cursor = DecodeCursor(last.cursor);
  ASSERT_TRUE(cursor.has_value());
  EXPECT_TRUE(cursor->vector.Covers(Dot{{"p", 1}, kKeys + 2}));
  EXPECT_FALSE(cursor->vector.Covers(Dot{{"p", 1}, kKeys + 3}));
  EXPECT_EQ(watch.phase, Phase::kFollowing);
  EXPECT_EQ(watch.position, static_cast<uint64_t>(kKeys));
  EXPECT_EQ(watch.had, static_cast<uint64_t>(kKeys));
  EXPECT_EQ(watch.behind, 0u);
  EXPECT_FALSE(watch.pass.has_value() || watch.news);
  EXPECT_EQ(watch.cursor_at, now_.mono);
  const WatchBatch after = Read(watch);
  EXPECT_EQ(Shown(after), "+k02");
  EXPECT_FALSE(after.snapshot_end || after.more);
}

TEST_F(ReaderPass, TellsAtItsEndWhatLapsedMeanwhileOnce) {
  for (int n = 1; n <= 3; ++n) SetEphemeral(absl::StrCat("e", n), kWallMs + n);
  SetEphemeral("e9", kWallMs + 9);
  map_.store.Lapse(kWallMs);
  Watch watch = Start(true);
  for (int n = 0; n < 3; ++n) Read(watch);
  ASSERT_TRUE(watch.pass.has_value());
  map_.store.Lapse(kWallMs + 3);
  horizon_ms_ = now_.wall_ms = kWallMs + 3;
  std::string walked;
  while (!watch.pass->walked && walked.size() < 1000) walked += Shown(Read(watch));
  EXPECT_EQ(walked.substr(0, 3), "+e9");
  EXPECT_EQ(watch.pass->told_ms, kWallMs + 3);
  map_.store.Lapse(kWallMs + 9);  // after the walk: told after the pass
  WatchBatch last;
  walked += ReadToTheEnd(watch, last);
  EXPECT_EQ(walked, "+e9" + Keys(6, kKeys) + "xe1xe2xe3");
  const auto cursor = DecodeCursor(last.cursor);
  ASSERT_TRUE(cursor.has_value());
  EXPECT_EQ(cursor->wall_ms, kWallMs + 3);
  EXPECT_EQ(Shown(Read(watch)), "xe9");
  EXPECT_EQ(Shown(Read(watch)), "");
}

// What it did not ask for it was not sent, and so its cursor does not claim it.
TEST_F(ReaderPass, ItsCursorClaimsOfWhatIsLaterOnlyWhatWasSent) {
  WatchFilter filter;
  filter.prefixes = {"k"};
  Watch watch = Start(true, filter);
  for (int n = 0; n < 3; ++n) Read(watch);
  Set("k99");
  Set("z");
  WatchBatch last;
  EXPECT_EQ(ReadToTheEnd(watch, last), Keys(6, kKeys) + "+k99");
  const auto cursor = DecodeCursor(last.cursor);
  ASSERT_TRUE(cursor.has_value());
  EXPECT_TRUE(cursor->vector.Covers(Dot{{"p", 1}, kKeys + 1}));
  EXPECT_FALSE(cursor->vector.Covers(Dot{{"p", 1}, kKeys + 2}));
}

TEST_F(ReaderPass, ItsFirstMessageMayBeItsLast) {
  WatchFilter filter;
  filter.keys = {"none"};
  Watch watch = Start(true, filter);
  watch.behind = 100;
  watch.pass.emplace();
  watch.pass->vector = map_.vector;
  watch.pass->head = map_.store.head();
  const WatchBatch batch = Read(watch);
  EXPECT_TRUE(batch.pass && batch.first && batch.snapshot_end && batch.more);
  EXPECT_FALSE(watch.first_due);
  EXPECT_EQ(watch.position, map_.store.head());
}

// --- conflicts

TEST_F(ReaderAlone, ConflictsComeToWhoAskedFromWhereItWas) {
  const auto lose = [&](const std::string& key) { conflicts_.Add({Draft(key), Draft(key), kWallMs}); };
  lose("before");
  WatchFilter filter = Of({EventKind::kLost});
  filter.prefixes = {"k"};
  Watch watch = Start(false, filter), usual = Start();
  Read(watch);
  lose("k1");
  lose("other");
  lose("k2");
  options_.watch_events = 1;
  WatchBatch batch = Read(watch);
  EXPECT_EQ(Shown(batch), "!k1");
  EXPECT_TRUE(batch.more);
  EXPECT_NE(batch.events[0].winner, nullptr);
  batch = Read(watch);
  EXPECT_EQ(Shown(batch), "!k2");
  EXPECT_FALSE(batch.more);
  EXPECT_EQ(batch.lost_skipped, 0u);
  EXPECT_EQ(Shown(Read(usual)), "");
  EXPECT_EQ(usual.next_lost, conflicts_.end());
}

TEST_F(ReaderAlone, ConflictsFillAMessageToTheByte) {
  Watch watch = Start(false, Of({EventKind::kLost}));
  Read(watch);
  const auto lose = [&](const std::string& key, size_t more) {
    auto loser = Draft(key);
    loser->value = std::string(kWatchBatchBytes / 2 - 2 * 201 - key.size() + more, 'v');
    conflicts_.Add({loser, Draft("w"), kWallMs});
    const Conflict& added = conflicts_.at(conflicts_.end() - 1);
    ASSERT_EQ(Weight(*added.loser) + Weight(*added.winner), kWatchBatchBytes / 2 + more);
  };
  lose("k1", 0);
  lose("k2", 0);
  EXPECT_EQ(Shown(Read(watch)), "!k1!k2");
  lose("k3", 0);
  lose("k4", 1);
  const WatchBatch batch = Read(watch);
  EXPECT_EQ(Shown(batch), "!k3");
  EXPECT_TRUE(batch.more);
  EXPECT_EQ(Shown(Read(watch)), "!k4");
}

TEST_F(ReaderAlone, WhoIsBehindIsToldHowManyConflictsWent) {
  Watch watch = Start(false, Of({EventKind::kLost}));
  Read(watch);
  Conflicts few(1);  // room for the latest alone
  for (const char* key : {"k1", "k2", "k3"}) few.Add({Draft(key), Draft(key), kWallMs});
  conflicts_ = few;
  const WatchBatch batch = Read(watch);
  EXPECT_EQ(batch.lost_skipped, 2u);
  EXPECT_EQ(Shown(batch), "!k3");
  EXPECT_EQ(Read(watch).lost_skipped, 0u);
}

}  // namespace
}  // namespace leasemap::core
