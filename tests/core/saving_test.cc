// A node with a disk: what goes there, in which pieces, and what waits for it.
#include "peer/core/sync/saving.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "peer/core/data/cursor.h"
#include "peer/core/data/limits.h"
#include "peer/core/sync/replica.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"
#include "tests/core/node_with_disk.h"

namespace leasemap::core {
namespace {

constexpr int64_t kWallMs = 1'700'000'000'000;

// --- the pieces

class SavingTest : public testing::Test {
 protected:
  // With what names the process on its disk.
  SavingTest() : first_(Take()) { EXPECT_FALSE(replica_.Saved()); }
  static NodeOptions WithDisk() {
    NodeOptions options;
    options.node_id = "n";
    options.disk = true;
    return options;
  }
  void Apply(const std::string& key, uint64_t seq, const std::string& value = "value", bool tombstone = false) {
    auto entry = std::make_shared<Entry>();
    entry->key = key;
    entry->value = value;
    entry->tombstone = tombstone;
    entry->dot = {{"w", 1}, seq};
    entry->lease.epoch = seq;
    entry->stamp = seq;
    replica_.Apply(entry);
  }
  bool IsDue() const { return replica_.SaveIsDue(1, false); }
  Unsaved Take() { return replica_.TakeUnsaved(1, Image()); }
  static std::string Keys(const Unsaved& piece) {
    std::string keys;
    for (const EntryPtr& entry : piece.entries) absl::StrAppend(&keys, entry->key, " ");
    return keys;
  }

  Replica replica_{WithDisk(), {MonoTime(1000), kWallMs}, 0};
  Unsaved first_;
};

TEST_F(SavingTest, TheFirstPieceNamesTheProcess) {
  ASSERT_TRUE(first_.rest.has_value());
  EXPECT_EQ(first_.rest->incarnation, replica_.self().incarnation);
  EXPECT_FALSE(IsDue());
}

// What was read back was claimed already. It may be covered by the entries alone, which later pieces replace.
TEST_F(SavingTest, TheFirstPieceCoversWhatWasReadBackAndNoMore) {
  Apply("k", 1);
  Image image;
  image.entries.push_back(*replica_.store().Find("k"));
  Replica next(WithDisk(), {MonoTime(1000), kWallMs}, image.incarnation);
  next.Restore(MonoTime(1000), image);
  auto later = std::make_shared<Entry>(*image.entries[0]);
  later->dot.seq = later->lease.epoch = 2;
  next.Apply(later);
  const Unsaved piece = next.TakeUnsaved(1, Image());
  EXPECT_EQ(Keys(piece), "");
  EXPECT_TRUE(piece.rest->vector.Covers(Dot{{"w", 1}, 1}));
  EXPECT_FALSE(piece.rest->vector.Covers(Dot{{"w", 1}, 2}));
}

TEST_F(SavingTest, AnEntryAndTheVectorThatCoversItAreOnePiece) {
  Apply("k", 1);
  EXPECT_FALSE(replica_.saved());
  const Unsaved piece = Take();
  EXPECT_EQ(Keys(piece), "k ");
  ASSERT_TRUE(piece.rest.has_value());
  EXPECT_TRUE(piece.rest->vector.Covers(Dot{{"w", 1}, 1}));
  EXPECT_FALSE(replica_.saved());
  EXPECT_TRUE(replica_.Saved());
  EXPECT_TRUE(replica_.saved());
}

TEST_F(SavingTest, WhatChangesMeanwhileIsDueAfterwardsAndOnce) {
  Apply("k", 1);
  EXPECT_EQ(Keys(Take()), "k ");
  Apply("k", 2);
  Apply("other", 3);
  Apply("k", 4);
  replica_.Saved();
  EXPECT_FALSE(replica_.saved());
  EXPECT_FALSE(replica_.saving().saved_vector()->Covers(Dot{{"w", 1}, 2}));
  ASSERT_TRUE(IsDue());
  EXPECT_EQ(Keys(Take()), "other k ");
  replica_.Saved();
  EXPECT_TRUE(replica_.saved());
}

// The vector comes with the last piece: before it the disk claims none of the entries.
TEST_F(SavingTest, MuchComesInPiecesWithTheVectorLast) {
  const std::string value(kMaxValueBytes, 'x');
  const size_t count = 2 * kSaveBytes / kMaxValueBytes;
  for (size_t n = 1; n <= count; ++n) Apply(absl::StrCat("k", n), n, value);
  size_t entries = 0, pieces = 0;
  for (bool last = false; !last; ++pieces) {
    ASSERT_TRUE(IsDue());
    const Unsaved piece = Take();
    entries += piece.entries.size();
    last = piece.rest.has_value();
    EXPECT_EQ(replica_.Saved(), last);
    EXPECT_EQ(replica_.saved(), last);
  }
  EXPECT_EQ(entries, count);
  EXPECT_GE(pieces, 2u);
}

TEST_F(SavingTest, CollectedKeysGoWithTheFloorThatSaysSo) {
  Apply("k", 1, "", true);
  Take();
  replica_.Saved();
  replica_.Collect({"k"});
  ASSERT_TRUE(IsDue());
  const Unsaved piece = Take();
  EXPECT_EQ(piece.gone, std::vector<std::string>{"k"});
  EXPECT_TRUE(piece.rest->floor.Covers(Dot{{"w", 1}, 1}));
}

// Else the entry went with the key (seed 183 of clocks).
TEST_F(SavingTest, AKeyThatWasCollectedAndWrittenAgainStays) {
  Apply("k", 1, "", true);
  Take();
  replica_.Saved();
  replica_.Collect({"k"});
  Apply("k", 2);
  const Unsaved piece = Take();
  EXPECT_EQ(Keys(piece), "k ");
  EXPECT_TRUE(piece.gone.empty());
}

TEST_F(SavingTest, WhatFailedIsTakenAgain) {
  Apply("k", 1);
  Apply("dead", 2, "", true);
  Take();
  replica_.Saved();
  Apply("k", 3);
  replica_.Collect({"dead"});
  Take();
  Apply("other", 4);
  replica_.SaveFailed();
  ASSERT_TRUE(IsDue());
  const Unsaved piece = Take();
  EXPECT_EQ(Keys(piece), "k other ");
  EXPECT_EQ(piece.gone, std::vector<std::string>{"dead"});
}

// Whatever was on its way is of the old map: what the disk has goes in a piece of its own, before anything of the new.
TEST_F(SavingTest, AMapThatWasGivenUpGoesFirst) {
  Apply("k", 1);
  Take();
  replica_.GiveUp({MonoTime(2000), kWallMs + 1000}, 0, replica_.self().incarnation + 1);
  EXPECT_FALSE(IsDue());  // the old piece is on its way still
  EXPECT_FALSE(replica_.Saved());
  Apply("new", 2);
  const Unsaved first = Take();
  EXPECT_TRUE(first.all);
  EXPECT_EQ(Keys(first), "");
  ASSERT_TRUE(first.rest.has_value());
  EXPECT_FALSE(first.rest->vector.Covers(Dot{{"w", 1}, 1}));
  EXPECT_FALSE(replica_.Saved());
  const Unsaved second = Take();
  EXPECT_FALSE(second.all);
  EXPECT_EQ(Keys(second), "new ");
  EXPECT_TRUE(second.rest->vector.Covers(Dot{{"w", 1}, 2}));
}

// The disk may have entries before the vector that covers them. They count: another node may have them, too.
TEST_F(SavingTest, WhatIsReadBackIsCovered) {
  Apply("k", 1);
  Image image;
  image.entries.push_back(*replica_.store().Find("k"));
  Replica next(WithDisk(), {MonoTime(1000), kWallMs}, image.incarnation);
  next.Restore(MonoTime(1000), image);
  EXPECT_TRUE(next.vector().Covers(Dot{{"w", 1}, 1}));
  EXPECT_TRUE(next.saved());
}

TEST(SavingOff, WithoutADiskNothingIsDue) {
  NodeOptions options;
  options.node_id = "n";
  Replica replica(options, {MonoTime(1000), kWallMs}, 0);
  auto entry = std::make_shared<Entry>();
  entry->key = "k";
  entry->dot = {{"w", 1}, 1};
  replica.Apply(entry);
  EXPECT_FALSE(replica.SaveIsDue(1, true));
  EXPECT_TRUE(replica.saved());
}

// --- what waits

TEST_F(NodeWithDisk, AWriteIsAnsweredOnceItIsOnTheDisk) {
  const auto written = mesh_.Submit(a_, mesh_.Command(a_, "k"));
  ASSERT_THAT(written, IsOk());
  ASSERT_NE(written->wait, 0u);
  mesh_.Settle();
  EXPECT_EQ(mesh_.Value(a_, "k"), "v");  // what reads show may run ahead
  EXPECT_EQ(mesh_.Value(b_, "k"), "v");  // and so may the entry
  EXPECT_EQ(mesh_.Answer(a_, written->wait), nullptr);
  SavePiece();
  ASSERT_NE(mesh_.Answer(a_, written->wait), nullptr);
  EXPECT_THAT(mesh_.Answer(a_, written->wait)->status, IsOk());
}

// Also a refusal says what the map has, and a retry that the write is done.
TEST_F(NodeWithDisk, SoIsARefusalThatTellsOfTheMap) {
  WriteCommand first = mesh_.Command(a_, "k");
  first.request_id = "r";
  ASSERT_THAT(mesh_.Submit(a_, first), IsOk());
  WriteCommand second = mesh_.Command(a_, "k");
  second.if_absent = true;
  const auto refused = mesh_.Submit(a_, second), again = mesh_.Submit(a_, first);
  ASSERT_THAT(refused, IsOk());
  ASSERT_THAT(again, IsOk());
  ASSERT_NE(refused->wait, 0u);
  ASSERT_NE(again->wait, 0u);
  EXPECT_THAT(mesh_.Submit(a_, mesh_.Command(a_, "")), HasReason("KEY_INVALID"));  // that is none
  SavePiece();
  ASSERT_NE(mesh_.Answer(a_, refused->wait), nullptr);
  EXPECT_THAT(mesh_.Answer(a_, refused->wait)->status, HasReason("VERSION_MISMATCH"));
  EXPECT_THAT(mesh_.Answer(a_, again->wait)->status, IsOk());
  EXPECT_THAT(mesh_.Submit(a_, second), HasReason("VERSION_MISMATCH"));  // nothing to wait for any more
}

TEST_F(NodeWithDisk, AVersionIsThereOnceItIsOnTheDisk) {
  const auto written = mesh_.Set(b_, "k", "v");
  ASSERT_THAT(written, IsOk());
  mesh_.Settle();
  ASSERT_TRUE(mesh_[a_].vector().Covers((*written)->dot));
  const auto wait = mesh_[a_].AwaitVersion(mesh_.now(a_), VersionOf((*written)->dot), 1000);
  ASSERT_THAT(wait, IsOk());
  ASSERT_NE(*wait, 0u);
  EXPECT_EQ(mesh_.Answer(a_, *wait), nullptr);
  SavePiece();
  ASSERT_NE(mesh_.Answer(a_, *wait), nullptr);
}

TEST_F(NodeWithDisk, ReportsTellWhatIsOnTheDisk) {
  const auto written = mesh_.Set(b_, "k", "v");
  ASSERT_THAT(written, IsOk());
  mesh_.Settle();
  mesh_.Advance(500);
  EXPECT_TRUE(mesh_[a_].vector().Covers((*written)->dot));
  EXPECT_FALSE(BHearsThatACovers((*written)->dot));
  SavePiece();
  mesh_.Advance(500);
  EXPECT_TRUE(BHearsThatACovers((*written)->dot));
}

TEST_F(NodeWithDisk, SoDoHandshakes) {
  const auto written = mesh_.Set(b_, "k", "v");
  mesh_.Settle();
  const int c = mesh_.Add("c");
  mesh_.Connect(c, a_);
  const auto& members = mesh_[c].GetStatus().members;
  ASSERT_FALSE(members.empty());
  ASSERT_NE(members.at(0).report, nullptr);
  EXPECT_FALSE(members.at(0).report->Covers((*written)->dot));
}

TEST_F(NodeWithDisk, ACursorWaitsForTheDiskAndEventsDoNot) {
  auto watch = mesh_[a_].StartWatch(mesh_.now(a_), {}, true, "");
  ASSERT_THAT(watch, IsOk());
  ASSERT_THAT(mesh_.Set(a_, "k", "v"), IsOk());
  auto batch = mesh_[a_].ReadWatch(mesh_.now(a_), *watch);
  ASSERT_THAT(batch, IsOk());
  EXPECT_EQ(batch->events.size(), 1u);
  EXPECT_EQ(batch->cursor, "");
  EXPECT_FALSE(batch->snapshot_end);
  ASSERT_THAT(mesh_.Set(a_, "later", "v"), IsOk());
  batch = mesh_[a_].ReadWatch(mesh_.now(a_), *watch);
  EXPECT_TRUE(batch->empty());  // the cursor is to cover all that came before it, and no more
  SavePiece();
  batch = mesh_[a_].ReadWatch(mesh_.now(a_), *watch);
  EXPECT_TRUE(batch->snapshot_end);
  const auto cursor = DecodeCursor(batch->cursor);
  ASSERT_TRUE(cursor.has_value());
  EXPECT_TRUE(cursor->vector.Covers((*mesh_[a_].store().Find("k"))->dot));
  EXPECT_FALSE(cursor->vector.Covers((*mesh_[a_].store().Find("later"))->dot));
  batch = mesh_[a_].ReadWatch(mesh_.now(a_), *watch);
  EXPECT_EQ(batch->events.size(), 1u);
}

// The write was answered by no one, and may be lost with the map that had it.
TEST_F(NodeWithDisk, AnAnswerThatWaitsWhenTheMapIsGivenUpSaysSo) {
  const auto written = mesh_.Submit(a_, mesh_.Command(a_, "k"));
  ASSERT_THAT(written, IsOk());
  mesh_[a_].Reset(mesh_.now(a_), "for the test");
  mesh_.Settle();
  ASSERT_NE(mesh_.Answer(a_, written->wait), nullptr);
  EXPECT_THAT(mesh_.Answer(a_, written->wait)->status, HasReason("ACK_INCOMPLETE"));
}

}  // namespace
}  // namespace leasemap::core
