// Conflicts: which losses are one, who tells them, and the LOST events of watches.
#include <gtest/gtest.h>

#include "peer/core/data/limits.h"
#include "peer/core/sync/conflicts.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

Entry Leased(const std::string& holder, int64_t start_s, int64_t duration_s) {
  Entry entry;
  entry.key = "k";
  entry.lease.holder = holder;
  entry.lease.start_s = start_s;
  entry.lease.duration_ms = duration_s * 1000;
  entry.lease.expire_ms = (start_s + duration_s) * 1000;
  return entry;
}

TEST(Conflict, IsTheLossOfAnotherLeaseThatStillRan) {
  const Entry early = Leased("a", 100, 60);
  EXPECT_TRUE(IsConflict(Leased("b", 130, 60), early));
  EXPECT_TRUE(IsConflict(early, Leased("b", 130, 60)));
  EXPECT_TRUE(IsConflict(early, Leased("a", 130, 60)));   // the same holder's other lease
  EXPECT_FALSE(IsConflict(early, Leased("a", 100, 90)));  // renewed
  EXPECT_FALSE(IsConflict(early, Leased("b", 160, 60)));  // lapsed
  EXPECT_TRUE(IsConflict(early, Leased("b", 159, 60)));
  EXPECT_FALSE(IsConflict(Leased("b", 130, 0), early));  // no lease, nothing lost
  EXPECT_TRUE(IsConflict(early, Leased("b", 130, 0)));
  Entry released = early;
  released.lease.released = true;
  released.lease.expire_ms = 120'000;
  EXPECT_FALSE(IsConflict(released, Leased("b", 130, 60)));
  EXPECT_TRUE(IsConflict(released, Leased("b", 110, 60)));  // by one who never saw the release
}

TEST(Conflict, TheListKeepsTheLatest) {
  Conflicts list;
  const auto entry = std::make_shared<const Entry>(Leased("a", 1, 1));
  auto loser = [seq = uint64_t{0}](Entry one) mutable {
    one.dot.seq = ++seq;
    return std::make_shared<const Entry>(std::move(one));
  };
  for (size_t i = 0; i < kMaxConflicts + 5; ++i) list.Add({loser(*entry), entry, static_cast<int64_t>(i)});
  EXPECT_EQ(list.total(), kMaxConflicts + 5);
  EXPECT_EQ(list.first(), 6u);
  EXPECT_EQ(list.at(list.first()).found_ms, 5);
  EXPECT_EQ(list.at(list.end() - 1).found_ms, static_cast<int64_t>(kMaxConflicts + 4));
  Entry large = Leased("a", 1, 1);
  large.value = std::string(kMaxValueBytes, 'x');
  for (int i = 0; i < 100; ++i) list.Add({loser(large), entry, 0});
  EXPECT_LE((list.end() - list.first()) * kMaxValueBytes, kMaxConflictBytes);
}

// Seed 20194 of clocks: a write that was told as lost came back from a member that still had it, and lost again.
TEST(Conflict, ALoserIsListedOnce) {
  Conflicts list;
  const auto loser = std::make_shared<const Entry>(Leased("a", 1, 1));
  const auto first = std::make_shared<const Entry>(Leased("b", 1, 1));
  const auto second = std::make_shared<const Entry>(Leased("c", 1, 1));
  list.Add({loser, first, 1});
  list.Add({loser, second, 2});
  ASSERT_EQ(list.total(), 1u);
  EXPECT_EQ(list.at(list.first()).winner, first);
}

// What a watch was too late for is counted, so that no loss goes by without a word.
TEST(Conflict, AWatchHearsHowManyItMissed) {
  Mesh mesh;
  for (const char* id : {"a", "b"}) {
    NodeOptions options = Mesh::Options(id);
    options.max_bytes = 4 << 20;  // 256 KiB of conflicts
    mesh.Add(options);
  }
  mesh.Advance(4000);
  constexpr size_t kKeys = 1000;
  for (const int i : {0, 1}) {
    for (size_t key = 0; key < kKeys; ++key) ASSERT_THAT(mesh.Set(i, std::to_string(key), "value"), IsOk());
    mesh.Advance(1500);  // the later lease loses
  }
  WatchFilter lost;
  lost.kinds.insert(EventKind::kLost);
  Watch watch = *mesh[1].StartWatch(mesh.now(1), lost, false, "");
  ASSERT_THAT(mesh[1].ReadWatch(mesh.now(1), watch), IsOk());
  mesh.Connect(0, 1);
  mesh.Advance(2000);
  ASSERT_EQ(mesh[1].replica().conflicts().total(), kKeys);
  uint64_t events = 0, skipped = 0;
  for (bool more = true; more;) {
    const auto batch = *mesh[1].ReadWatch(mesh.now(1), watch);
    events += batch.events.size();
    skipped += batch.lost_skipped;
    more = batch.more;
  }
  EXPECT_GT(skipped, 0u);
  EXPECT_GT(events, 0u);
  EXPECT_EQ(events + skipped, kKeys);
}

class ConflictMesh : public ::testing::Test {
 protected:
  ConflictMesh() {
    for (const char* id : {"a", "b", "c"}) mesh_.Add(id);
  }
  std::vector<WatchEvent> Read(int i, Watch& watch) {
    std::vector<WatchEvent> events;
    for (bool more = true; more;) {
      auto batch = mesh_[i].ReadWatch(mesh_.now(i), watch);
      EXPECT_THAT(batch, IsOk());
      for (auto& event : batch->events) events.push_back(std::move(event));
      more = batch->more;
    }
    return events;
  }
  Mesh mesh_;
};

TEST_F(ConflictMesh, TheNodeThatTookTheLosingWriteTellsItOnce) {
  WatchFilter lost, other, usual;
  lost.kinds = {EventKind::kLost};
  other.kinds = {EventKind::kLost};
  other.keys = {"other"};
  auto of_lost = mesh_[1].StartWatch(mesh_.now(1), lost, false, "");
  auto of_other = mesh_[1].StartWatch(mesh_.now(1), other, false, "");
  auto of_usual = mesh_[1].StartWatch(mesh_.now(1), usual, false, "");
  ASSERT_THAT(mesh_.Set(0, "k", "of a"), IsOk());
  ASSERT_THAT(mesh_.Set(1, "k", "of b"), IsOk());  // cut off from one another, in one second: a stands
  Read(1, *of_lost);
  mesh_.Connect(0, 1);
  mesh_.Connect(1, 2);
  mesh_.Connect(0, 2);
  mesh_.Advance(3000);
  EXPECT_EQ(mesh_[0].replica().conflicts().total(), 0u);
  EXPECT_EQ(mesh_[2].replica().conflicts().total(), 0u);
  ASSERT_EQ(mesh_[1].replica().conflicts().total(), 1u);
  EXPECT_EQ(mesh_[1].replica().conflicts().at(1).loser->value, "of b");
  EXPECT_EQ(mesh_[1].replica().conflicts().at(1).winner->value, "of a");
  EXPECT_EQ(mesh_[1].replica().conflicts().at(1).found_ms / 10'000, Mesh::kStart / 10'000 + 100);

  const auto events = Read(1, *of_lost);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, EventKind::kLost);
  EXPECT_EQ(events[0].entry->value, "of b");
  EXPECT_EQ(events[0].winner->value, "of a");
  EXPECT_TRUE(Read(1, *of_lost).empty());
  EXPECT_TRUE(Read(1, *of_other).empty());
  for (const auto& event : Read(1, *of_usual)) EXPECT_NE(event.kind, EventKind::kLost);
  auto late = mesh_[1].StartWatch(mesh_.now(1), lost, false, "");
  EXPECT_TRUE(Read(1, *late).empty());  // starts at the head of the list
}

TEST_F(ConflictMesh, ATakeoverAfterLapseOrReleaseIsNone) {
  WriteCommand command = mesh_.Command(0, "k");
  command.duration_ms = 5000;
  ASSERT_THAT(mesh_.Write(0, command), IsOk());
  mesh_.Connect(0, 1);
  mesh_.Advance(6000);
  ASSERT_THAT(mesh_.Set(1, "k", "of b"), IsOk());
  command.key = "k2";
  ASSERT_THAT(mesh_.Write(0, command), IsOk());
  command.change = Change::kRelease;
  command.duration_ms.reset();
  ASSERT_THAT(mesh_.Write(0, command), IsOk());
  mesh_.Settle();
  ASSERT_THAT(mesh_.Set(1, "k2", "of b"), IsOk());
  mesh_.Settle();
  EXPECT_EQ(mesh_.Value(0, "k"), "of b");
  EXPECT_EQ(mesh_.Value(0, "k2"), "of b");
  EXPECT_EQ(mesh_[0].replica().conflicts().total() + mesh_[1].replica().conflicts().total(), 0u);
}

TEST_F(ConflictMesh, AWriteThatWasRenewedElsewhereIsNotToldTwice) {
  // b writes k and renews; the conflict is told for the latest of its writes alone.
  ASSERT_THAT(mesh_.Set(0, "k", "of a"), IsOk());
  ASSERT_THAT(mesh_.Set(1, "k", "1"), IsOk());
  ASSERT_THAT(mesh_.Set(1, "k", "2"), IsOk());
  mesh_.Connect(0, 1);
  mesh_.Advance(2000);
  ASSERT_EQ(mesh_[1].replica().conflicts().total(), 1u);
  EXPECT_EQ(mesh_[1].replica().conflicts().at(1).loser->value, "2");
}

TEST_F(ConflictMesh, WithLeasingOffThereAreNone) {
  NodeOptions x = Mesh::Options("x"), y = Mesh::Options("y");
  x.rules.leasing = y.rules.leasing = false;
  const int i = mesh_.Add(x), j = mesh_.Add(y);
  ASSERT_THAT(mesh_.Set(i, "k", "1"), IsOk());
  ASSERT_THAT(mesh_.Set(j, "k", "2"), IsOk());
  mesh_.Connect(i, j);
  mesh_.Advance(2000);
  EXPECT_EQ(mesh_[i].replica().conflicts().total() + mesh_[j].replica().conflicts().total(), 0u);
}

}  // namespace
}  // namespace leasemap::core
