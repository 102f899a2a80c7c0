// Who was away while others collected deletes gives its map up, and loses nothing that it alone had. And restarts from
// an image, and maps that differ though they must not.
#include <gtest/gtest.h>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

constexpr int64_t kHours = 3'600'000;

// A, B and C shared `k`; then C was cut off, A deleted `k`, C was forgotten, and the delete was collected.
class BelowTheFloor : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* id : {"A", "B", "C"}) mesh_.Add(id);
    mesh_.Connect(0, 1);
    const LinkId ac = mesh_.Connect(0, 2), bc = mesh_.Connect(1, 2);
    mesh_.Advance(4000);
    WriteCommand forever = mesh_.Command(0, "k", "old");
    forever.duration_ms = 0;
    ASSERT_THAT(mesh_.Write(0, forever), IsOk());
    forever.key = "shared";
    ASSERT_THAT(mesh_.Write(0, forever), IsOk());
    mesh_.Settle();
    mesh_.Break(ac);
    mesh_.Break(bc);
    WriteCommand gone = mesh_.Command(0, "k");
    gone.change = Change::kDelete;
    ASSERT_THAT(mesh_.Write(0, gone), IsOk());
    mesh_.Settle();
    mesh_.Skip(2 * kHours);
    mesh_.Advance(10);
    mesh_.Connect(0, 1);
    ASSERT_THAT(mesh_[0].Forget(mesh_.now(0), "C"), IsOk());
    mesh_.Advance(kCollectEveryMs + 1000);
    ASSERT_EQ(mesh_[0].store().keys(), 1u);
    ASSERT_EQ(mesh_[1].store().keys(), 1u);
    ASSERT_EQ(mesh_.Value(2, "k"), "old");
  }
  // C dials A, is reset, and dials again as its redials would.
  void ComeBack() {
    mesh_.Connect(2, 0);
    ASSERT_EQ(mesh_[2].retirement().resets(), 1u);
    mesh_.Connect(2, 0);
    mesh_.Connect(2, 1);
    mesh_.Advance(1000);
  }

  Mesh mesh_;
};

TEST_F(BelowTheFloor, ADeletedKeyDoesNotComeBack) {
  const uint64_t before = mesh_[2].self().incarnation;
  ComeBack();
  EXPECT_GT(mesh_[2].self().incarnation, before);
  EXPECT_TRUE(mesh_[2].ready());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(mesh_.Value(i, "k"), "(none)") << i;
    EXPECT_EQ(mesh_[i].vector(), mesh_[0].vector());
  }
  EXPECT_EQ(mesh_[0].retirement().resets(), 0u);
}

TEST_F(BelowTheFloor, TheMapThatIsPutAsideSharesWhatIsTheSame) {
  const std::weak_ptr<const Entry> shared = mesh_[2].Get(mesh_.now(2), "shared");
  ASSERT_FALSE(shared.expired());
  ComeBack();
  EXPECT_EQ(mesh_[2].Get(mesh_.now(2), "shared"), shared.lock());
  EXPECT_NE(mesh_[0].Get(mesh_.now(0), "shared"), shared.lock());
}

TEST_F(BelowTheFloor, WhatItAloneHadIsSubmittedAnew) {
  WriteCommand mine = mesh_.Command(2, "mine", "precious");
  mine.holder = "job";
  const auto written = mesh_.Write(2, mine);
  ASSERT_THAT(written, IsOk());
  ComeBack();
  for (int i = 0; i < 3; ++i) {
    const EntryPtr entry = mesh_[i].Get(mesh_.now(i), "mine");
    ASSERT_TRUE(entry) << i;
    EXPECT_EQ(entry->value, "precious");
    EXPECT_EQ(entry->lease.holder, "job");
    EXPECT_NE(entry->dot, (*written)->dot);
    EXPECT_LE(entry->lease.expire_ms, (*written)->lease.expire_ms);
  }
  EXPECT_EQ(mesh_[2].replica().conflicts().total(), 0u);
}

TEST_F(BelowTheFloor, WhatLosesWhenSubmittedAnewIsReportedOnce) {
  ASSERT_THAT(mesh_.Set(2, "both", "c", "job-c"), IsOk());
  mesh_.Advance(1100);
  ASSERT_THAT(mesh_.Set(0, "both", "a", "job-a"), IsOk());
  ComeBack();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(mesh_.Value(i, "both"), "a") << i;
  EXPECT_EQ(mesh_[2].replica().conflicts().total(), 1u);
  mesh_.Advance(5000);
  EXPECT_EQ(mesh_[2].replica().conflicts().total(), 1u);
}

TEST_F(BelowTheFloor, ItsWatchesEndAndItServesNothingMeanwhile) {
  auto watch = mesh_[2].StartWatch(mesh_.now(2), {}, true, "");
  ASSERT_THAT(watch, IsOk());
  ASSERT_THAT(mesh_[2].ReadWatch(mesh_.now(2), *watch), IsOk());
  mesh_.Connect(2, 0);
  EXPECT_FALSE(mesh_[2].ready());
  EXPECT_THAT(mesh_[2].ReadWatch(mesh_.now(2), *watch), HasReason("CURSOR_EXPIRED"));
}

TEST_F(BelowTheFloor, WithNobodyToTakeTheMapFromItTakesItsOwnBack) {
  mesh_.Connect(2, 0);
  ASSERT_EQ(mesh_[2].retirement().resets(), 1u);
  mesh_.Advance(30'000);
  EXPECT_FALSE(mesh_[2].ready());
  mesh_.Advance(kResetGiveUpMs);
  EXPECT_TRUE(mesh_[2].ready());
  EXPECT_EQ(mesh_.Value(2, "k"), "old");
  mesh_.Connect(2, 0);
  EXPECT_EQ(mesh_[2].retirement().resets(), 2u);
}

// Alone again before it was ready, but with the whole map of another: it goes on with that.
TEST_F(BelowTheFloor, WithTheOthersMapItDoesNotGoBackToItsOwn) {
  mesh_.Connect(2, 0);
  ASSERT_EQ(mesh_[2].retirement().resets(), 1u);
  const LinkId link = mesh_.Dial(2, 0);
  while (!mesh_[2].vector().Covers(mesh_[0].vector())) ASSERT_EQ(mesh_.Settle(1), 1);
  mesh_.Break(link);
  ASSERT_FALSE(mesh_[2].ready());
  mesh_.Advance(kResetGiveUpMs + 1000);
  EXPECT_TRUE(mesh_[2].ready());
  EXPECT_EQ(mesh_.Value(2, "k"), "(none)");
}

// D comes with nothing, so that nobody is below anybody when it links; then it takes the older map first.
TEST_F(BelowTheFloor, WhoTookAnOlderMapMeanwhileIsReset) {
  const int d = mesh_.Add("D");
  const LinkId older = mesh_.Dial(d, 2);
  while (!mesh_[d].links().IsUp(older)) ASSERT_EQ(mesh_.Settle(1), 1);
  mesh_.Freeze(older);
  const LinkId newer = mesh_.Connect(d, 0);
  ASSERT_TRUE(mesh_[d].links().IsUp(newer));
  mesh_.Thaw(older);
  ASSERT_EQ(mesh_.Value(d, "k"), "old");
  mesh_.Advance(2000);
  EXPECT_FALSE(mesh_.alive(newer));
  mesh_.Connect(d, 0);
  EXPECT_EQ(mesh_[d].retirement().resets(), 1u);
  mesh_.Connect(d, 0);
  mesh_.Advance(4000);
  EXPECT_EQ(mesh_.Value(d, "k"), "(none)");
  EXPECT_EQ(mesh_[d].vector(), mesh_[0].vector());
}

// A session begins from the peer's floor; the map that is taken back does not reach that high.
TEST_F(BelowTheFloor, TheMapThatIsTakenBackIsBelowTheFloorAsItWas) {
  mesh_.Connect(2, 0);
  ASSERT_EQ(mesh_[2].retirement().resets(), 1u);
  const LinkId link = mesh_.Dial(2, 0);
  while (mesh_[2].replica().floor().empty()) ASSERT_EQ(mesh_.Settle(1), 1);
  mesh_.Break(link);
  mesh_.Advance(kResetGiveUpMs + 1000);
  ASSERT_TRUE(mesh_[2].ready());
  ASSERT_EQ(mesh_.Value(2, "k"), "old");
  mesh_.Connect(2, 0);
  EXPECT_EQ(mesh_[2].retirement().resets(), 2u);
  mesh_.Connect(2, 0);
  mesh_.Advance(1000);
  EXPECT_EQ(mesh_.Value(2, "k"), "(none)");
}

TEST(Images, ARestartGoesOnWithANewIncarnation) {
  Mesh mesh;
  mesh.Add("A");
  mesh.Add("B");
  mesh.Connect(0, 1);
  mesh.Advance(4000);
  ASSERT_THAT(mesh.Set(0, "k", "1", "h"), IsOk());
  const Image image = mesh[0].TakeImage();
  ASSERT_THAT(mesh.Set(0, "k", "2", "h"), IsOk());
  mesh.Settle();
  mesh.Restart(0, &image);  // older than the last write, which B has
  EXPECT_EQ(mesh.Value(0, "k"), "1");
  EXPECT_GT(mesh[0].self().incarnation, image.incarnation);
  mesh.Connect(0, 1);
  mesh.Advance(4000);
  EXPECT_EQ(mesh.Value(0, "k"), "2");
  ASSERT_THAT(mesh.Set(0, "k", "3", "h"), IsOk());
  mesh.Settle();
  EXPECT_EQ(mesh.Value(1, "k"), "3");
  EXPECT_EQ(mesh[0].retirement().resets() + mesh[1].retirement().resets(), 0u);
}

TEST(Fingerprints, MapsThatDifferAtEqualVectorsAreFoundAndMended) {
  Mesh mesh;
  mesh.Add("A");
  mesh.Add("B");
  mesh.Connect(0, 1);
  mesh.Advance(4000);
  for (int n = 0; n < 50; ++n) ASSERT_THAT(mesh.Set(0, "k" + std::to_string(n), "v"), IsOk());
  mesh.Advance(500);
  Image broken = mesh[1].TakeImage();
  broken.entries.erase(broken.entries.begin() + 7);
  mesh.Restart(1, &broken);
  mesh.Connect(0, 1);
  mesh.Advance(1000);
  EXPECT_EQ(mesh[1].store().keys(), 49u);
  EXPECT_TRUE(mesh[0].vector().Covers(mesh[1].vector()) && mesh[1].vector().Covers(mesh[0].vector()));
  mesh.Advance(kHashAlarmMs + 2000);
  EXPECT_EQ(mesh[1].store().keys(), 50u);
  EXPECT_EQ(mesh[1].store().hash(), mesh[0].store().hash());
  EXPECT_TRUE(mesh.Logged(1, "ALARM"));
  EXPECT_GE(mesh[1].GetStatus().hash_alarms, 1u);
}

}  // namespace
}  // namespace leasemap::core
