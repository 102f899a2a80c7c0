// A node whose disk is full or fails: what is refused, what goes on, and what the others are told.
#include "peer/core/data/disk_state.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"
#include "tests/core/node_with_disk.h"

namespace leasemap::core {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = DiskState::Kind;

class DiskStateTest : public NodeWithDisk {
 protected:
  void Become(Kind kind) {
    mesh_[a_].SetDiskState({kind, kind == Kind::kGood ? "" : "no room"});
    mesh_.Settle();
  }
  // The piece that was taken last did not get there.
  void Fail(Kind kind) {
    mesh_[a_].TakeUnsaved();
    Become(kind);
    mesh_[a_].OnSaveFailed();
    mesh_.Settle();
  }
  absl::Status Try(Change change, const std::string& key) {
    WriteCommand command = mesh_.Command(a_, key, change == Change::kSet ? "v" : "");
    command.change = change;
    return mesh_.Submit(a_, command).status();
  }
};

TEST_F(DiskStateTest, ShortOfRoomItTakesWhatNeedsNone) {
  for (const char* key : {"deleted", "renewed", "released"}) ASSERT_THAT(Try(Change::kSet, key), IsOk());
  Save();
  Become(Kind::kShort);
  EXPECT_THAT(Try(Change::kSet, "new"), HasReason("DISK_FULL"));
  EXPECT_THAT(Try(Change::kSet, "renewed"), HasReason("DISK_FULL"));
  EXPECT_THAT(Try(Change::kDelete, "deleted"), IsOk());
  EXPECT_THAT(Try(Change::kRenew, "renewed"), IsOk());
  EXPECT_THAT(Try(Change::kRelease, "released"), IsOk());
  Become(Kind::kGood);
  EXPECT_THAT(Try(Change::kSet, "new"), IsOk());
}

TEST_F(DiskStateTest, ADiskThatTakesNothingRefusesAllWrites) {
  ASSERT_THAT(Try(Change::kSet, "k"), IsOk());
  Save();
  for (const auto& [kind, reason] : {std::pair{Kind::kFull, "DISK_FULL"}, {Kind::kFailed, "DISK_FAILED"}}) {
    Become(kind);
    for (const Change change : {Change::kSet, Change::kDelete, Change::kRenew, Change::kRelease}) {
      EXPECT_THAT(Try(change, "k"), HasReason(reason));
    }
  }
  EXPECT_EQ(mesh_.Value(a_, "k"), "v");
}

// Arguments come first, and what is done and saved already is no write.
TEST_F(DiskStateTest, WhatNeedsNoDiskIsAnsweredAsEver) {
  WriteCommand done = mesh_.Command(a_, "k");
  done.request_id = "r";
  ASSERT_THAT(mesh_.Submit(a_, done), IsOk());
  Save();
  Become(Kind::kFailed);
  const auto again = mesh_.Submit(a_, done);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->wait, 0u);
  EXPECT_THAT(Try(Change::kSet, ""), HasReason("KEY_INVALID"));
}

TEST_F(DiskStateTest, WhatWaitedForItIsAnsweredAtOnce) {
  const auto first = mesh_.Submit(a_, mesh_.Command(a_, "first"));
  ASSERT_THAT(first, IsOk());
  Fail(Kind::kFailed);
  ASSERT_NE(mesh_.Answer(a_, first->wait), nullptr);
  EXPECT_THAT(mesh_.Answer(a_, first->wait)->status, HasReason("DISK_FAILED"));
  EXPECT_THAT(std::string(mesh_.Answer(a_, first->wait)->status.message()), HasSubstr("may be lost with this process"));
  // So is a read that asks for what is not saved.
  const auto dot = (*mesh_[a_].store().Find("first"))->dot;
  const auto read = mesh_[a_].AwaitVersion(mesh_.now(a_), VersionOf(dot), 1000);
  ASSERT_THAT(read, IsOk());
  mesh_.Settle();
  ASSERT_NE(mesh_.Answer(a_, *read), nullptr);
  EXPECT_THAT(mesh_.Answer(a_, *read)->status, HasReason("DISK_FAILED"));
  // Once the disk is good again all of it is saved.
  Become(Kind::kGood);
  Save();
  EXPECT_EQ(*mesh_[a_].AwaitVersion(mesh_.now(a_), VersionOf(dot), 1000), 0u);
}

TEST_F(DiskStateTest, AnAckThatComesMeanwhileIsNone) {
  WriteCommand acked = mesh_.Command(a_, "k");
  acked.ack = {Ack::Level::kAll, 0};
  const auto written = mesh_.Submit(a_, acked);
  ASSERT_THAT(written, IsOk());
  Become(Kind::kFailed);
  mesh_.Advance(1000);
  ASSERT_NE(mesh_.Answer(a_, written->wait), nullptr);
  EXPECT_THAT(mesh_.Answer(a_, written->wait)->status, HasReason("DISK_FAILED"));
}

TEST_F(DiskStateTest, ExplainAnswersFromMemory) {
  Become(Kind::kFailed);
  ASSERT_THAT(mesh_.Set(b_, "k", "v"), IsOk());
  mesh_.Settle();
  const auto wait = mesh_[a_].Explain(mesh_.now(a_), "k", 1000);
  ASSERT_THAT(wait, IsOk());
  mesh_.Settle();
  ASSERT_NE(mesh_.Answer(a_, *wait), nullptr);
  EXPECT_THAT(mesh_.Answer(a_, *wait)->status, IsOk());
  EXPECT_NE(mesh_.Answer(a_, *wait)->explanation, nullptr);
}

TEST_F(DiskStateTest, WatchesGoOnWithoutCursors) {
  auto watch = mesh_[a_].StartWatch(mesh_.now(a_), {}, true, "");
  ASSERT_THAT(watch, IsOk());
  ASSERT_THAT(mesh_.Set(b_, "k", "v"), IsOk());
  mesh_.Settle();
  auto batch = mesh_[a_].ReadWatch(mesh_.now(a_), *watch);
  EXPECT_EQ(batch->events.size(), 1u);
  EXPECT_FALSE(batch->snapshot_end);  // it waits for the disk
  Fail(Kind::kFailed);
  batch = mesh_[a_].ReadWatch(mesh_.now(a_), *watch);
  EXPECT_TRUE(batch->snapshot_end);
  EXPECT_EQ(batch->cursor, "");
  ASSERT_THAT(mesh_.Set(b_, "later", "v"), IsOk());
  mesh_.Settle();
  batch = mesh_[a_].ReadWatch(mesh_.now(a_), *watch);
  EXPECT_EQ(batch->events.size(), 1u);
  EXPECT_EQ(batch->cursor, "");
  Become(Kind::kGood);
  Save();
  mesh_.Advance(kCursorIdleMs);
  Save();
  batch = mesh_[a_].ReadWatch(mesh_.now(a_), *watch);
  EXPECT_NE(batch->cursor, "");
}

TEST_F(DiskStateTest, StatusAndTheOthersSayIt) {
  EXPECT_THAT(mesh_[a_].GetStatus().notes, IsEmpty());
  Become(Kind::kFull);
  mesh_.Advance(500);
  EXPECT_THAT(mesh_[a_].GetStatus().notes, Contains(HasSubstr("the disk is full, and its reserve is used up")));
  EXPECT_TRUE(mesh_.Logged(a_, "the disk is full"));
  EXPECT_TRUE(mesh_[a_].ready());
  EXPECT_THAT(mesh_[b_].GetStatus().notes, Contains(HasSubstr("a saves nothing")));
  Become(Kind::kGood);
  Save();
  mesh_.Advance(500);
  EXPECT_TRUE(mesh_.Logged(a_, "the disk is good again"));
  EXPECT_THAT(mesh_[b_].GetStatus().notes, IsEmpty());
}

// It covers the delete in memory alone. The others do not wait for it longer than for a member that is silent.
TEST_F(DiskStateTest, CollectionWaitsForItNoLongerThanForASilentMember) {
  ASSERT_THAT(mesh_.Set(b_, "k", "v"), IsOk());
  mesh_.Settle();
  Save();
  Become(Kind::kFailed);
  WriteCommand gone = mesh_.Command(b_, "k", "");
  gone.change = Change::kDelete;
  ASSERT_THAT(mesh_.Write(b_, gone), IsOk());
  const auto has_tombstone = [this] { return mesh_[b_].store().Find("k") != nullptr; };
  constexpr int64_t kHourMs = 3'600'000;
  for (int64_t ms = 0; ms < kForgetAfterMs - kHourMs; ms += kHourMs) {
    mesh_.Skip(kHourMs - 10'000);
    mesh_.Advance(10'000);
  }
  EXPECT_TRUE(has_tombstone());
  for (int hour = 0; hour < 3; ++hour) {
    mesh_.Skip(kHourMs - 10'000);
    mesh_.Advance(10'000);
  }
  EXPECT_FALSE(has_tombstone());
}

// --- the next process

// b wrote first, and neither knew of the other's write.
TEST_F(NodeWithDisk, ALossIsToldByTheProcessThatGoesOn) {
  mesh_.Cut(a_, b_);
  ASSERT_THAT(mesh_.Set(b_, "k", "of b"), IsOk());
  mesh_.Skip(2000);
  ASSERT_THAT(mesh_.Set(a_, "k", "of a"), IsOk());
  const Image image = mesh_[a_].TakeImage();
  const ReplicaId wrote = mesh_[a_].self();
  mesh_.Restart(a_, &image);
  EXPECT_EQ(mesh_[a_].replica().conflicts().total(), 0u);
  mesh_.Mend(a_, b_);
  mesh_.Connect(a_, b_);
  mesh_.Advance(1000);
  EXPECT_EQ(mesh_.Value(a_, "k"), "of b");
  ASSERT_EQ(mesh_[a_].replica().conflicts().total(), 1u);
  EXPECT_EQ(mesh_[a_].replica().conflicts().at(1).loser->dot.replica, wrote);
  EXPECT_EQ(mesh_[b_].replica().conflicts().total(), 0u);
}

// It is told when it is submitted again, and only then.
TEST_F(NodeWithDisk, OfAMapThatIsGivenUpTheNextProcessTellsNoLosses) {
  ASSERT_THAT(mesh_.Set(a_, "k", "v"), IsOk());
  const Image image = mesh_[a_].TakeImage();
  const ReplicaId wrote = mesh_[a_].self();
  mesh_.Restart(a_, &image);
  EXPECT_TRUE(mesh_[a_].replica().TellsLossesOf(wrote));
  EXPECT_FALSE(mesh_[a_].replica().TellsLossesOf({"b", wrote.incarnation}));
  mesh_[a_].Reset(mesh_.now(a_), "for the test");
  EXPECT_FALSE(mesh_[a_].replica().TellsLossesOf(wrote));
  EXPECT_TRUE(mesh_[a_].replica().IsOwn(wrote));
}

TEST_F(NodeWithDisk, ConflictsGoToTheDiskAndComeBack) {
  auto entry = std::make_shared<Entry>();
  entry->key = "k";
  entry->dot = {{"a", 1}, 1};
  Image image;
  image.incarnation = 1;
  image.conflicts = {{7, {entry, entry, 99}}};
  NodeOptions options = Mesh::Options("a");
  options.disk = true;
  Node node(options, mesh_.now(a_), &image);
  EXPECT_EQ(node.replica().conflicts().first(), 7u);
  EXPECT_EQ(node.replica().conflicts().end(), 8u);
  EXPECT_EQ(node.TakeImage().conflicts.at(7).found_ms, 99);
  EXPECT_THAT(node.TakeUnsaved().conflicts, IsEmpty());  // the disk has it
}

TEST_F(NodeWithDisk, WhatHadLapsedHasLapsedAfterARestart) {
  Image image;
  image.incarnation = 1;
  image.horizon_ms = mesh_.now(a_).wall_ms;
  auto entry = std::make_shared<Entry>();
  entry->key = "k";
  entry->dot = {{"a", 1}, 1};
  entry->ephemeral = true;
  entry->lease.expire_ms = image.horizon_ms - 1;
  entry->lease.duration_ms = 1;
  image.entries.push_back(entry);
  NodeOptions options = Mesh::Options("a");
  options.disk = true;
  const Node node(options, mesh_.now(a_), &image);
  EXPECT_EQ(node.store().horizon_ms(), image.horizon_ms);
  EXPECT_TRUE(node.store().FindSlot("k")->lapsed);
}

}  // namespace
}  // namespace leasemap::core
