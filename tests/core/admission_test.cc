// Admission as a table: who may write when, with which epoch, start and end.
#include <gtest/gtest.h>

#include <limits>

#include "peer/core/data/error.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/lease.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/node.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

constexpr int64_t kHour = 3'600'000;
constexpr int64_t kBound = 500;
constexpr int64_t kPeriod = 472'222LL * kHour;  // the start of some hour
constexpr int64_t kNow = kPeriod + 600'250;

Entry Held(const std::string& holder, int64_t expire_ms, int64_t duration_ms = kHour) {
  Entry entry;
  entry.key = "k";
  entry.dot = {{"n", 1}, 1};
  entry.lease = {holder, static_cast<uint64_t>(kPeriod) << 22, kPeriod / 1000 + 5, duration_ms, expire_ms, false};
  return entry;
}

LeaseRequest Ask(const std::string& holder, Change change = Change::kSet, std::optional<int64_t> duration = {}) {
  return {change, "k", holder, duration};
}

Lease MustAdmit(const Entry* previous, const LeaseRequest& request, int64_t wall_ms, const LeaseRules& rules = {}) {
  const auto lease = Admit(rules, previous, request, wall_ms);
  EXPECT_THAT(lease, IsOk());
  return lease.ok() && lease->has_value() ? **lease : Lease{};
}

TEST(Admission, AFreeKeyIsAcquired) {
  const Lease lease = MustAdmit(nullptr, Ask("a"), kNow);
  EXPECT_EQ(lease.holder, "a");
  EXPECT_EQ(lease.epoch, static_cast<uint64_t>(kPeriod) << 22);
  EXPECT_EQ(lease.start_s, kNow / 1000);  // rounded down
  EXPECT_EQ(lease.duration_ms, kHour);
  EXPECT_EQ(lease.expire_ms, kNow + kHour);
  EXPECT_FALSE(lease.released);
}

TEST(Admission, TheHolderRenewsUntilTheBoundBeforeTheEnd) {
  const Entry entry = Held("a", kNow + 10'000);
  const Lease renewed = MustAdmit(&entry, Ask("a"), kNow + 10'000 - kBound - 1);
  EXPECT_EQ(renewed.start_s, entry.lease.start_s);
  EXPECT_EQ(renewed.epoch, entry.lease.epoch);
  const Lease acquired = MustAdmit(&entry, Ask("a"), kNow + 10'000 - kBound);
  EXPECT_EQ(acquired.epoch, entry.lease.epoch + 1);
  EXPECT_EQ(acquired.start_s, (kNow + 10'000 + 999) / 1000);  // the old end, rounded up
}

TEST(Admission, AnotherWaitsUntilTheBoundAfterTheEnd) {
  const Entry entry = Held("a", kNow + 10'000);
  const auto refused = Admit({}, &entry, Ask("b"), kNow + 10'000 + kBound - 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused, HasReason("LEASE_HELD"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(MetadataOf(refused.status()).at("holder"), "a");
  EXPECT_EQ(RetryMsOf(refused.status()), 1);
  for (const Change change : {Change::kDelete, Change::kRenew, Change::kRelease}) {
    EXPECT_THAT(Admit({}, &entry, Ask("b", change), kNow), HasReason("LEASE_HELD"));
  }
  const Lease taken = MustAdmit(&entry, Ask("b"), kNow + 10'000 + kBound);
  EXPECT_EQ(taken.epoch, entry.lease.epoch + 1);
  EXPECT_EQ(taken.start_s, (kNow + 10'000 + 999) / 1000);
}

TEST(Admission, WhatHoldsNothingIsAcquiredByAnyone) {
  Entry tombstone = Held("a", kNow + kHour);
  tombstone.tombstone = true;
  Entry released = Held("a", kNow - 5000);
  released.lease.released = true;
  const Entry no_lease = Held("a", kNow, 0);
  for (const Entry& entry : {tombstone, released, no_lease}) {
    EXPECT_EQ(MustAdmit(&entry, Ask("b"), kNow).epoch, entry.lease.epoch + 1);
  }
  // Its own entry without a lease is renewed, and gets one.
  const Lease renewed = MustAdmit(&no_lease, Ask("a"), kNow);
  EXPECT_EQ(renewed.epoch, no_lease.lease.epoch);
  EXPECT_EQ(renewed.duration_ms, kHour);
}

TEST(Admission, SetWithoutALeaseGivesItUp) {
  const Entry entry = Held("a", kNow + kHour);
  const Lease lease = MustAdmit(&entry, Ask("a", Change::kSet, 0), kNow);
  EXPECT_EQ(lease.duration_ms, 0);
  EXPECT_EQ(lease.start_s, entry.lease.start_s);
  Entry after = entry;
  after.lease = lease;
  EXPECT_THAT(Admit({}, &after, Ask("b"), kNow), IsOk());
}

TEST(Admission, ReleaseAndDeleteEndTheLeaseNow) {
  const Entry entry = Held("a", kNow + kHour);
  for (const Change change : {Change::kRelease, Change::kDelete}) {
    const Lease lease = MustAdmit(&entry, Ask("a", change), kNow);
    EXPECT_TRUE(lease.released);
    EXPECT_EQ(lease.expire_ms, kNow);
    EXPECT_EQ(lease.start_s, entry.lease.start_s);
  }
  // Nothing to release: lapsed, without a lease, or another's lapsed.
  const Entry lapsed = Held("a", kNow - 10'000), no_lease = Held("a", kNow, 0);
  for (const Entry& none : {lapsed, no_lease}) {
    for (const char* holder : {"a", "b"}) {
      const auto lease = Admit({}, &none, Ask(holder, Change::kRelease), kNow);
      ASSERT_THAT(lease, IsOk());
      EXPECT_FALSE(lease->has_value());
    }
  }
}

TEST(Admission, RenewTakesTheDurationLastAskedFor) {
  const Entry entry = Held("a", kNow + 5000, 20'000);
  EXPECT_EQ(MustAdmit(&entry, Ask("a", Change::kRenew), kNow).expire_ms, kNow + 20'000);
  EXPECT_EQ(MustAdmit(&entry, Ask("a", Change::kRenew, 30'000), kNow).expire_ms, kNow + 30'000);
  EXPECT_EQ(MustAdmit(&entry, Ask("a"), kNow).expire_ms, kNow + kHour);  // a Set: the cluster's
  const Entry lapsed = Held("b", kNow - 5000, 20'000);
  EXPECT_EQ(MustAdmit(&lapsed, Ask("a", Change::kRenew), kNow).epoch, lapsed.lease.epoch + 1);
}

TEST(Admission, TheEpochFollowsThePeriod) {
  const Entry entry = Held("a", kNow + 10 * kHour, 10 * kHour);
  const Lease next_period = MustAdmit(&entry, Ask("a"), kPeriod + kHour);
  EXPECT_EQ(next_period.epoch, static_cast<uint64_t>(kPeriod + kHour) << 22);
  EXPECT_EQ(next_period.start_s, entry.lease.start_s);
  Entry ahead = entry;
  ahead.lease.epoch += 77;
  EXPECT_EQ(MustAdmit(&ahead, Ask("a"), kNow).epoch, ahead.lease.epoch);  // never falls
  EXPECT_EQ(PeriodStartMs({}, kNow), kPeriod);
  EXPECT_EQ(PeriodStartMs({}, -5), 0);
  EXPECT_EQ(PeriodStartMs({false, kHour, kBound}, kNow), kNow);
}

TEST(Admission, EpochsAtTheLimitAreNotMade) {
  const LeaseRules rules;
  EXPECT_EQ(EpochLimit(rules, kNow), static_cast<uint64_t>(kPeriod + kHour) << 22);
  // Four bounds before the next period its epochs are already right.
  EXPECT_EQ(EpochLimit(rules, kPeriod + kHour - 4 * kBound), static_cast<uint64_t>(kPeriod + 2 * kHour) << 22);
  EXPECT_EQ(EpochLimit(rules, kPeriod + kHour - 4 * kBound - 1), static_cast<uint64_t>(kPeriod + kHour) << 22);
  Entry entry = Held("a", kNow - kHour);
  entry.lease.epoch = EpochLimit(rules, kNow) - 1;
  EXPECT_THAT(Admit(rules, &entry, Ask("b"), kNow), HasReason("EPOCH_LIMIT"));
  EXPECT_FALSE(IsBogus(ReachOf(rules, kNow), entry));
  ++entry.lease.epoch;
  EXPECT_TRUE(IsBogus(ReachOf(rules, kNow), entry));
  entry.lease.epoch = 1;
  entry.stamp = StampAt(kNow + 4 * kBound);
  EXPECT_FALSE(IsBogus(ReachOf(rules, kNow), entry));
  entry.stamp = StampAt(kNow + 4 * kBound + 1);
  EXPECT_TRUE(IsBogus(ReachOf(rules, kNow), entry));
}

TEST(Admission, Durations) {
  const LeaseRules rules;
  for (const int64_t good : {int64_t{0}, 4 * kBound, kHour, kMaxLeaseMs})
    EXPECT_THAT(CheckDuration(rules, good), IsOk());
  for (const int64_t bad : {int64_t{-1}, int64_t{1}, 4 * kBound - 1, kMaxLeaseMs + 1,
                            std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    EXPECT_THAT(CheckDuration(rules, bad), HasReason("LEASE_INVALID")) << bad;
  }
  const LeaseRules off{false, kHour, kBound};
  EXPECT_THAT(CheckDuration(off, 0), IsOk());
  EXPECT_THAT(CheckDuration(off, kHour), HasReason("LEASE_INVALID"));
}

TEST(Admission, WithLeasingOffEveryWriteIsAnAcquisition) {
  const LeaseRules off{false, kHour, kBound};
  const Lease first = MustAdmit(nullptr, Ask("a"), kNow, off);
  EXPECT_EQ(first.epoch, static_cast<uint64_t>(kNow) << 22);
  EXPECT_EQ(first.duration_ms, 0);
  Entry entry = Held("a", kNow, 0);
  entry.lease = first;
  EXPECT_EQ(MustAdmit(&entry, Ask("b"), kNow, off).epoch, first.epoch + 1);
  EXPECT_EQ(MustAdmit(&entry, Ask("a"), kNow, off).epoch, first.epoch + 1);
  EXPECT_EQ(MustAdmit(&entry, Ask("b"), kNow + 1, off).epoch, static_cast<uint64_t>(kNow + 1) << 22);
}

// --- through Node::Write: arguments first, then the lease, then conditions.
class Writes : public testing::Test {
 protected:
  std::string Reason(WriteCommand command, int64_t later_ms = 0) {
    if (command.holder.empty()) command.holder = "a";
    const auto written = node_.Write({MonoTime(1000 + later_ms), kNow + later_ms}, command);
    if (!written.ok()) return ReasonOf(written.status());
    return *written ? "OK" : "NOTHING";
  }
  static WriteCommand Command(const std::string& key, Change change = Change::kSet) {
    WriteCommand command;
    command.key = key;
    command.change = change;
    return command;
  }
  Node node_{[] {
               NodeOptions options;
               options.node_id = "n";
               return options;
             }(),
             Now{MonoTime(1000), kNow}};
};

TEST_F(Writes, BadArgumentsChangeNothing) {
  EXPECT_EQ(Reason(Command("")), "KEY_INVALID");
  EXPECT_EQ(Reason(Command(std::string(4097, 'k'))), "KEY_INVALID");
  auto large = Command("k");
  large.value = std::string(kMaxValueBytes + 1, 'v');
  EXPECT_EQ(Reason(large), "VALUE_TOO_LARGE");
  auto tiny = Command("k");
  tiny.duration_ms = 1;
  EXPECT_EQ(Reason(tiny), "LEASE_INVALID");
  auto both = Command("k");
  both.if_absent = true;
  both.if_version = "x";
  EXPECT_EQ(Reason(both), "REQUEST_INVALID");
  auto holder = Command("k");
  holder.holder = std::string("a\0", 2);
  EXPECT_EQ(Reason(holder), "REQUEST_INVALID");
  EXPECT_EQ(node_.store().head(), 0u);
  EXPECT_TRUE(node_.vector().empty());
}

TEST_F(Writes, Conditions) {
  auto absent = Command("k"), version = Command("k");
  absent.if_absent = true;
  version.if_version = "x";
  EXPECT_EQ(Reason(version), "VERSION_MISMATCH");  // a missing key matches none
  EXPECT_EQ(Reason(absent), "OK");
  EXPECT_EQ(Reason(absent), "VERSION_MISMATCH");
  version.if_version = VersionOf(node_.Get({MonoTime(1000), kNow}, "k")->dot);
  EXPECT_EQ(Reason(version), "OK");
  EXPECT_EQ(Reason(version), "VERSION_MISMATCH");  // that one is replaced
  absent.holder = "b";
  EXPECT_EQ(Reason(absent), "LEASE_HELD");  // the lease comes before conditions
  EXPECT_EQ(Reason(Command("k", Change::kDelete)), "OK");
  EXPECT_EQ(node_.Get({MonoTime(1000), kNow}, "k"), nullptr);
  EXPECT_EQ(Reason(absent), "OK");  // a tombstone is absent, and holds nothing
}

TEST_F(Writes, MissingKeys) {
  for (const Change change : {Change::kDelete, Change::kRenew, Change::kRelease}) {
    EXPECT_EQ(Reason(Command("k", change)), "KEY_NOT_FOUND");
  }
  auto allowed = Command("k", Change::kDelete);
  allowed.allow_missing = true;
  EXPECT_EQ(Reason(allowed), "NOTHING");
  auto version = Command("k", Change::kDelete);
  version.if_version = "x";
  EXPECT_EQ(Reason(version), "VERSION_MISMATCH");
}

TEST_F(Writes, RenewAndReleaseKeepTheValue) {
  auto set = Command("k");
  set.value = "v";
  set.value_is_text = true;
  EXPECT_EQ(Reason(set), "OK");
  const Dot first = node_.Get({MonoTime(1000), kNow}, "k")->dot;
  EXPECT_EQ(Reason(Command("k", Change::kRenew), 1000), "OK");
  EXPECT_EQ(node_.Get({MonoTime(1000), kNow}, "k")->value, "v");
  EXPECT_TRUE(node_.Get({MonoTime(1000), kNow}, "k")->value_is_text);
  EXPECT_NE(node_.Get({MonoTime(1000), kNow}, "k")->dot, first);
  EXPECT_EQ(Reason(Command("k", Change::kRelease), 2000), "OK");
  EXPECT_EQ(node_.Get({MonoTime(1000), kNow}, "k")->value, "v");
  EXPECT_EQ(Reason(Command("k", Change::kRelease), 3000), "NOTHING");
  auto other = Command("k");
  other.holder = "b";
  EXPECT_EQ(Reason(other, 4000), "OK");
}

// With nobody to say otherwise the clock is right: the node goes on above what it wrote before (ceiling.h).
TEST_F(Writes, AClockThatIsSetBackIsNoReasonToRefuse) {
  EXPECT_EQ(Reason(Command("k"), 10'000), "OK");
  EXPECT_EQ(Reason(Command("k"), 8'001), "OK");
  EXPECT_EQ(node_.replica().ceiling().at_ms(), 0);
  EXPECT_EQ(Reason(Command("k"), 7'000), "OK");
  EXPECT_GT(node_.replica().ceiling().at_ms(), 0);
}

}  // namespace
}  // namespace leasemap::core
