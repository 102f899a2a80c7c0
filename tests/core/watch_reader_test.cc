// Where a watch starts, what ends it, and what it waits for, read from a map made by hand.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/core/reader_alone.h"

namespace leasemap::core {
namespace {

// --- where it starts

TEST_F(ReaderAlone, StartsAtTheHeadOrWithAllOrAtACursor) {
  Set("k1");
  Set("k2");
  conflicts_.Add({Draft("x"), Draft("x"), kWallMs});
  maps_ = 3;
  const Watch plain = Start();
  EXPECT_EQ(plain.phase, Phase::kFollowing);
  EXPECT_EQ(plain.position, 2u);
  EXPECT_EQ(plain.had, 2u);
  EXPECT_EQ(plain.snapshot_from, 0u);
  EXPECT_EQ(plain.next_lost, conflicts_.end());
  EXPECT_EQ(plain.maps, 3u);
  EXPECT_EQ(plain.started, now_.mono);
  EXPECT_EQ(plain.filter_hash, WatchFilter().Hash());
  const Watch all = Start(true);
  EXPECT_EQ(all.phase, Phase::kSnapshot);
  EXPECT_EQ(all.position, 0u);
  EXPECT_EQ(all.snapshot_from, 2u);
  // A cursor counts for more than the wish for a snapshot.
  const std::string cursor = EncodeCursor({options_.cluster, map_.vector, kWallMs - 5, WatchFilter().Hash()});
  const Watch resumed = Start(true, {}, cursor);
  EXPECT_EQ(resumed.phase, Phase::kWaiting);
  EXPECT_EQ(resumed.skip, map_.vector);
  EXPECT_EQ(resumed.skip_told_ms, kWallMs - 5);
  EXPECT_THAT(Reader().Start({}, false, "nonsense"), HasReason("CURSOR_INVALID"));
  EXPECT_THAT(Reader().Start(Of({EventKind::kSet}), false, cursor), HasReason("CURSOR_INVALID"));
  options_.cluster = "other";
  EXPECT_THAT(Reader().Start({}, false, cursor), HasReason("CURSOR_INVALID"));
}

// --- what ends it

TEST_F(ReaderAlone, EndsOnceAnotherMapIsReadOrTheClockWasSetBack) {
  Set("k");
  Watch watch = Start();
  Read(watch);
  maps_ = 1;
  EXPECT_EQ(Reason(watch), "CURSOR_EXPIRED");
  Watch other = Start();
  EXPECT_EQ(Reason(other), "OK");
  map_.store.Rewind(-1);
  EXPECT_EQ(Reason(other), "CURSOR_EXPIRED");
  EXPECT_EQ(Text(other),
            "cursor: changes after it are no longer known here; drop what you have and start again with "
            "include_snapshot");
}

TEST_F(ReaderAlone, EndsWhenADeleteThatItWasNotToldWasCollected) {
  Set("k");
  Watch behind = Start(), told = Start(), snapshot = Start(true), late_snapshot = Start(true);
  Read(behind);
  Read(told);
  Delete("k");
  EXPECT_EQ(Shown(Read(told)), "-k");
  late_snapshot.snapshot_from = map_.store.head();
  map_.floor.Add({"p", 1}, 1, seq_);
  map_.store.Collect("k");
  EXPECT_EQ(Reason(behind), "CURSOR_EXPIRED");
  EXPECT_EQ(Reason(told), "WAITS");
  EXPECT_EQ(Reason(snapshot), "CURSOR_EXPIRED");  // it may have begun with the key
  EXPECT_EQ(Reason(late_snapshot), "OK");
  // One whose cursor covers the delete misses nothing.
  Watch knows = Start();
  knows.position = 0;
  knows.collected = 0;
  knows.skip = map_.vector;
  EXPECT_EQ(Reason(knows), "OK");
}

TEST_F(ReaderAlone, ACursorBelowWhatWasCollectedIsExpired) {
  Set("k");
  const VersionVector before = map_.vector;
  Delete("k");
  map_.floor.Add({"p", 1}, 1, seq_);
  Watch below = Resume(before);
  EXPECT_EQ(Reason(below), "CURSOR_EXPIRED");
  EXPECT_EQ(Text(below),
            "cursor: deletes or lapses after it were collected; drop what you have and start again with "
            "include_snapshot");
  Watch above = Resume(map_.vector);
  EXPECT_EQ(Reason(above), "OK");
  // Lapses that were collected have a time instead of a dot.
  map_.lapses_gone_ms = kWallMs - 100;
  Watch early = Resume(map_.vector, kWallMs - 101), late = Resume(map_.vector, kWallMs - 100);
  EXPECT_EQ(Reason(early), "CURSOR_EXPIRED");
  EXPECT_EQ(Reason(late), "OK");
}

TEST_F(ReaderAlone, OfAFloorThatWasTakenOverTheLapsesAreOldToo) {
  Set("k");
  map_.floor_taken = now_.mono - 7000;
  const int64_t gone_ms = kWallMs - 7000 - kept_dead_ms_ + kCollectBounds * options_.rules.clock_bound_ms;
  Watch early = Resume(map_.vector, gone_ms - 1), late = Resume(map_.vector, gone_ms);
  EXPECT_EQ(Reason(early), "CURSOR_EXPIRED");
  EXPECT_EQ(Reason(late), "OK");
  map_.lapses_gone_ms = gone_ms + 5;  // the later of the two counts
  Watch between = Resume(map_.vector, gone_ms + 4), after = Resume(map_.vector, gone_ms + 5);
  EXPECT_EQ(Reason(between), "CURSOR_EXPIRED");
  EXPECT_EQ(Reason(after), "OK");
}

// A mark stands for all that started before it, but for a process that the node which gave the cursor had not heard of.
TEST_F(ReaderAlone, ACursorIsBelowTheFloorOfAProcessThatItsMarkDoesNotMean) {
  map_.vector.Add({"old", 5}, 1, 3);
  map_.vector.Fold({{"old", 5}});
  const VersionVector cursor = map_.vector.Brief();
  map_.vector.Add({"early", 1}, 1, 2);
  Watch follows = Resume(cursor);
  EXPECT_EQ(Reason(follows), "OK");
  map_.floor.Add({"early", 1}, 1, 1);
  Watch below = Resume(cursor);
  EXPECT_EQ(Reason(below), "CURSOR_EXPIRED");
}

// --- waiting for what the cursor names

TEST_F(ReaderAlone, WaitsForWritesForTenSeconds) {
  Set("k");
  VersionVector more = map_.vector;
  more.Add({"q", 1}, 1, 1);
  linked_.insert({"q", 1});  // it lives, so nothing is lost
  Watch watch = Resume(more);
  const WatchBatch waiting = Read(watch);
  EXPECT_TRUE(waiting.empty());
  EXPECT_EQ(waiting.wake, now_.mono + options_.timing.report_every);
  now_.mono += options_.timing.cursor_wait - 1;
  EXPECT_EQ(Reason(watch), "WAITS");
  now_.mono += 1;
  const auto late = Reader().Read(watch);
  EXPECT_THAT(late, HasReason("NOT_CAUGHT_UP"));
  EXPECT_EQ(RetryMsOf(late.status()), 1000);
  EXPECT_EQ(late.status().message(),
            "cursor: this node did not get the writes that it names within 10 s; try again, or another node");
  // They come, and are not told again; what is new is.
  map_.vector.Add({"q", 1}, 1, 1);
  Set("new");
  EXPECT_EQ(Shown(Read(watch)), "+new");
  EXPECT_EQ(watch.phase, Phase::kFollowing);
}

TEST_F(ReaderAlone, WaitsForAClockThatIsBehindItsCursorButNotForOneThatWasWrong) {
  Set("k");
  Watch same = Resume(map_.vector, horizon_ms_), ahead = Resume(map_.vector, horizon_ms_ + 1);
  EXPECT_EQ(Reason(same), "OK");
  EXPECT_EQ(Reason(ahead), "WAITS");
  now_.mono += options_.timing.cursor_wait;
  EXPECT_THAT(Reader().Read(ahead), HasReason("NOT_CAUGHT_UP"));
  EXPECT_EQ(Text(ahead), "cursor: this node's clock is behind it; try another node");
  const int64_t most_ms = kWallMs + 4 * options_.rules.clock_bound_ms;
  Watch edge = Resume(map_.vector, most_ms), beyond = Resume(map_.vector, most_ms + 1);
  EXPECT_EQ(Reason(edge), "WAITS");
  trusted_ = false;
  EXPECT_EQ(Reason(beyond), "WAITS");
  trusted_ = true;
  EXPECT_EQ(Reason(beyond), "CURSOR_EXPIRED");
}

// Who else could have the write that the cursor names: it is lost only once each of them was asked.
class LostCursor : public ReaderAlone {
 protected:
  void SetUp() override {
    Set("k");
    more_ = map_.vector;
    more_.Add({"w", 1}, 1, 1);
    Meet("a", 1);
    Meet("w", 1);
    membership_.LinkUp({"w", 1}, now_);
    membership_.LinkDown("w", 0, now_.mono);  // it was lost now
    membership_.LinkUp({"a", 1}, now_);
    membership_.Reported({"a", 1}, std::make_shared<const VersionVector>(map_.vector), now_.mono);
    watch_ = Resume(more_);
    now_.mono += options_.timing.cursor_lost;
    membership_.Heard("a", now_);
  }
  void Meet(const std::string& node, uint64_t incarnation) {
    ASSERT_TRUE(membership_.Meet({node, incarnation}, node + ":1", now_.mono));
  }

  VersionVector more_;
  Watch watch_;
};

TEST_F(LostCursor, WhenAllOthersAnsweredAndNoneHasTheWrite) {
  EXPECT_EQ(Reason(watch_), "CURSOR_EXPIRED");
  EXPECT_EQ(Text(watch_),
            "cursor: it names writes that died with their node, unshared; drop what you have and start again with "
            "include_snapshot");
}
TEST_F(LostCursor, NotBeforeASecondIsOver) {
  now_.mono = now_.mono - 1;
  EXPECT_EQ(Reason(watch_), "WAITS");
}
TEST_F(LostCursor, NotByWhoWasNotHeardSince) {
  Now early = now_;
  early.mono = now_.mono - 1;
  membership_.Heard("a", early);
  EXPECT_EQ(Reason(watch_), "WAITS");
}
TEST_F(LostCursor, NotBeforeASecondAfterItsWriterWasLost) {
  membership_.LinkUp({"w", 1}, now_);
  membership_.LinkDown("w", 0, now_.mono);
  EXPECT_EQ(Reason(watch_), "WAITS");
  now_.mono += options_.timing.cursor_lost;
  EXPECT_EQ(Reason(watch_), "WAITS");
  membership_.Heard("a", now_);
  EXPECT_EQ(Reason(watch_), "CURSOR_EXPIRED");
}
TEST_F(LostCursor, NotWhileItsWriterIsLinked) {
  linked_.insert({"w", 1});
  EXPECT_EQ(Reason(watch_), "WAITS");
}
TEST_F(LostCursor, NotIfItsWriterIsThisNode) {
  self_ = {"w", 1};
  EXPECT_EQ(Reason(watch_), "WAITS");
}
TEST_F(LostCursor, NotIfAMemberHasIt) {
  membership_.Reported({"a", 1}, std::make_shared<const VersionVector>(more_), now_.mono);
  EXPECT_EQ(Reason(watch_), "WAITS");
}
TEST_F(LostCursor, NotIfSeveralHaveItTogether) {
  VersionVector both = more_;
  both.Add({"v", 1}, 1, 1);
  watch_ = Resume(both);
  now_.mono += options_.timing.cursor_lost;
  Meet("b", 1);
  membership_.LinkUp({"b", 1}, now_);
  membership_.Heard("a", now_);
  VersionVector of_b;
  of_b.Add({"v", 1}, 1, 1);
  membership_.Reported({"a", 1}, std::make_shared<const VersionVector>(more_), now_.mono);
  membership_.Reported({"b", 1}, std::make_shared<const VersionVector>(of_b), now_.mono);
  EXPECT_EQ(Reason(watch_), "WAITS");
}
TEST_F(LostCursor, NotWhileAMemberIsAway) {
  Meet("b", 1);
  EXPECT_EQ(Reason(watch_), "WAITS");
  membership_.Forget("b");  // nobody waits for it
  EXPECT_EQ(Reason(watch_), "CURSOR_EXPIRED");
}
TEST_F(LostCursor, ASuccessorOfTheWriterHasToAnswer) {
  Meet("w", 2);
  EXPECT_EQ(Reason(watch_), "WAITS");
}
TEST_F(LostCursor, AMemberAnswersThroughWhoRelaysIt) {
  Meet("b", 1);
  const auto vector = std::make_shared<const VersionVector>(map_.vector);
  membership_.Relayed("a", {{{"b", 1}, vector}}, now_.mono);
  EXPECT_EQ(Reason(watch_), "CURSOR_EXPIRED");
  membership_.Relayed("a", {}, now_.mono);
  EXPECT_EQ(Reason(watch_), "WAITS");
}

}  // namespace
}  // namespace leasemap::core
