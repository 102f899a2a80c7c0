// A holder writes through several nodes of which one lags: what it was answered comes true, and no older value of its
// lease takes the place of a newer one.
#include "peer/core/sync/repeat.h"

#include <gtest/gtest.h>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

class Lagging : public testing::Test {
 protected:
  Lagging() {
    for (const char* id : {"a", "b", "c"}) mesh_.Add(id);
    ab_ = mesh_.Connect(0, 1);
    mesh_.Connect(1, 2);
    mesh_.Advance(4000);
    EXPECT_EQ(Write(0, Change::kSet, "step 1"), "OK");
    mesh_.Settle();
  }
  std::string Write(int i, Change change, const std::string& value = "", std::optional<int64_t> duration_ms = {}) {
    WriteCommand command = mesh_.Command(i, "k", change == Change::kSet ? value : "");
    command.change = change;
    command.holder = "job";
    command.duration_ms = duration_ms;
    const auto written = mesh_.Write(i, command);
    mesh_.Advance(5);  // so that stamps differ by more than the counter
    return written.ok() ? "OK" : ReasonOf(written.status());
  }
  // What is written meanwhile on one side is not on the other.
  void Apart() { mesh_.Freeze(ab_); }
  void Together() {
    mesh_.Thaw(ab_);
    mesh_.Advance(3000);
    for (const int i : {1, 2}) EXPECT_EQ(*mesh_[i].store().Find("k")->get(), *mesh_[0].store().Find("k")->get()) << i;
  }
  const Entry& entry(int i) { return **mesh_[i].store().Find("k"); }

  Mesh mesh_;
  LinkId ab_;
};

TEST_F(Lagging, ARenewalKeepsTheWriteThatSetTheValue) {
  const Dot set = entry(0).dot;
  ASSERT_EQ(Write(1, Change::kRenew), "OK");
  EXPECT_NE(entry(1).dot, set);
  EXPECT_EQ(ValueDot(entry(1)), set);
  ASSERT_EQ(Write(1, Change::kSet, "step 2"), "OK");
  EXPECT_EQ(ValueDot(entry(1)), entry(1).dot);
}

TEST_F(Lagging, ARenewalNeverUndoesANewerValueAndComesTrueOnTop) {
  Apart();
  ASSERT_EQ(Write(0, Change::kSet, "step 2", 10'000), "OK");
  ASSERT_EQ(Write(1, Change::kRenew, "", 60'000), "OK");
  const int64_t until_ms = entry(1).lease.expire_ms;
  Together();
  EXPECT_EQ(entry(0).value, "step 2");
  EXPECT_EQ(entry(0).lease.expire_ms, until_ms);
}

TEST_F(Lagging, AReleaseComesTrueOnTopOfTheNewerValue) {
  Apart();
  ASSERT_EQ(Write(0, Change::kSet, "step 2"), "OK");
  ASSERT_EQ(Write(1, Change::kRelease), "OK");
  Together();
  EXPECT_EQ(entry(0).value, "step 2");
  EXPECT_TRUE(entry(0).lease.released);
  EXPECT_THAT(mesh_.Set(2, "k", "of another", "other"), IsOk());
}

TEST_F(Lagging, AReleaseBeforeTheNewerValueIsNotRepeated) {
  Apart();
  ASSERT_EQ(Write(1, Change::kRelease), "OK");
  ASSERT_EQ(Write(0, Change::kSet, "step 2"), "OK");  // where the release is not known
  Together();
  EXPECT_EQ(entry(0).value, "step 2");
  EXPECT_FALSE(entry(0).lease.released);
}

TEST_F(Lagging, ADeletedKeyIsNotRenewedOnTop) {
  Apart();
  ASSERT_EQ(Write(0, Change::kDelete), "OK");
  ASSERT_EQ(Write(1, Change::kRenew), "OK");
  Together();
  EXPECT_TRUE(entry(0).tombstone);
}

// In the next lease period the epoch decides: the renewal of the old value wins, and the value is written on top.
TEST_F(Lagging, AcrossTheEdgeOfALeasePeriodTheNewerValueIsWrittenOnTop) {
  const int64_t period_ms = LeaseRules().period_ms;
  ASSERT_EQ(Write(0, Change::kSet, "step 1", 2 * period_ms), "OK");
  mesh_.Settle();
  mesh_.Advance(period_ms - mesh_.now(0).wall_ms % period_ms - 100);
  Apart();
  ASSERT_EQ(Write(0, Change::kSet, "step 2", 2 * period_ms), "OK");
  const Dot set = entry(0).dot;
  mesh_.Advance(200);
  ASSERT_EQ(Write(1, Change::kRenew), "OK");
  ASSERT_GT(entry(1).lease.epoch, entry(0).lease.epoch);
  Together();
  EXPECT_EQ(entry(0).value, "step 2");
  EXPECT_EQ(ValueDot(entry(0)), set);
}

TEST_F(Lagging, OneRepeatALoser) {
  Apart();
  ASSERT_EQ(Write(0, Change::kSet, "step 2", 10'000), "OK");
  for (int i = 0; i < 5; ++i) ASSERT_EQ(Write(1, Change::kRenew), "OK");
  const uint64_t before = mesh_[1].replica().own_log().end();
  Together();
  EXPECT_EQ(mesh_[1].replica().own_log().end(), before + 1);
  mesh_.Advance(60'000);
  EXPECT_EQ(mesh_[1].replica().own_log().end(), before + 1);
}

TEST_F(Lagging, ARenewalThatWouldAcquireIsRefusedIfAskedTo) {
  WriteCommand renew = mesh_.Command(0, "k", "");
  renew.change = Change::kRenew;
  renew.holder = "job";
  renew.only_if_held = true;
  ASSERT_THAT(mesh_.Write(0, renew), IsOk());
  ASSERT_EQ(Write(0, Change::kRelease), "OK");
  EXPECT_THAT(mesh_.Write(0, renew), HasReason("LEASE_NOT_HELD"));
  ASSERT_EQ(Write(0, Change::kSet, "again", 4000), "OK");
  ASSERT_THAT(mesh_.Write(0, renew), IsOk());
  mesh_.Advance(5000);
  EXPECT_THAT(mesh_.Write(0, renew), HasReason("LEASE_NOT_HELD"));
  renew.only_if_held = false;
  EXPECT_THAT(mesh_.Write(0, renew), IsOk());
}

TEST_F(Lagging, TheValuesVersionIsOneOfItsRenewals) {
  const std::string version = VersionOf(entry(0).dot);
  ASSERT_EQ(Write(0, Change::kRenew), "OK");
  ASSERT_NE(VersionOf(entry(0).dot), version);
  WriteCommand set = mesh_.Command(0, "k", "step 2");
  set.holder = "job";
  set.if_version = version;
  EXPECT_THAT(mesh_.Write(0, set), IsOk());
  EXPECT_THAT(mesh_.Write(0, set), HasReason("VERSION_MISMATCH"));
}

TEST_F(Lagging, AReleaseWorksToTheLastMoment) {
  ASSERT_EQ(Write(0, Change::kSet, "step 2", 4000), "OK");
  mesh_.Advance(entry(0).lease.expire_ms - mesh_.now(0).wall_ms - 10);
  ASSERT_EQ(Write(0, Change::kRelease), "OK");
  EXPECT_TRUE(entry(0).lease.released);
  EXPECT_THAT(mesh_.Set(0, "k", "of another", "other"), IsOk());
}

}  // namespace
}  // namespace leasemap::core
