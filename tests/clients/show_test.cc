// What is shown of an entry besides its value: times, and what is left of its lease.
#include "clients/cli/core/show.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace leasemap::cli {
namespace {

using testing::Contains;
using testing::Not;
using testing::Pair;

// Written at second 1000, with a lease for so many seconds.
v1::Entry Make(int lease_s) {
  v1::Entry entry;
  entry.mutable_lease()->set_holder("n 1");
  entry.mutable_lease()->mutable_expire_time()->set_seconds(1000 + lease_s);
  entry.mutable_update_time()->set_seconds(1000);
  entry.set_version("v1");
  entry.set_origin("n\n1");
  return entry;
}

absl::Time At(double second) { return absl::UnixEpoch() + absl::Seconds(second); }

TEST(ShowTime, IsUtc) {
  google::protobuf::Timestamp time;
  time.set_seconds(1'000'000'000);
  time.set_nanos(12'000'000);
  EXPECT_EQ(ShowTime(time), "2001-09-09T01:46:40Z");
  EXPECT_EQ(ShowMoment(time), "2001-09-09T01:46:40.012Z");
}

TEST(ShowLeft, CountsDownToTheEnd) {
  EXPECT_EQ(ShowLeft(Make(3600), At(1000)), "1h");
  EXPECT_EQ(ShowLeft(Make(3600), At(1000.5)), "59m59s");
  EXPECT_EQ(ShowLeft(Make(3600), At(4599.5)), "<1s");
  EXPECT_EQ(ShowLeft(Make(3600), At(4600)), "ended");
}

TEST(ShowLeft, KnowsEntriesWithoutALease) {
  EXPECT_EQ(ShowLeft(Make(0), At(1000)), "-");
  EXPECT_EQ(ShowLeft(Make(-5), At(900)), "-") << "a lease that was given up";
  EXPECT_EQ(ShowLeft(v1::Entry(), At(1000)), "-");
  v1::Entry deleted = Make(3600);
  deleted.set_deleted(true);
  EXPECT_EQ(ShowLeft(deleted, At(1000)), "-");
}

TEST(LeaseAsked, IsIndependentOfOurClock) {
  EXPECT_EQ(LeaseAsked(Make(30)), absl::Seconds(30));
  EXPECT_EQ(LeaseAsked(Make(-30)), absl::ZeroDuration());
}

TEST(Meta, NamesTheParts) {
  const auto meta = Meta(Make(60), At(1000));
  EXPECT_THAT(meta, Contains(Pair("holder", "n 1")));
  EXPECT_THAT(meta, Contains(Pair("lease", "1m left, until 1970-01-01T00:17:40Z")));
  EXPECT_THAT(meta, Contains(Pair("version", "v1")));
  EXPECT_THAT(meta, Contains(Pair("updated", "1970-01-01T00:16:40.000Z")));
  EXPECT_THAT(meta, Contains(Pair("origin", "n\\n1"))) << "escaped";
  EXPECT_THAT(meta, Not(Contains(Pair("value set", testing::_))));
  EXPECT_THAT(Meta(Make(60), At(2000)), Contains(Pair("lease", "ended at 1970-01-01T00:17:40Z")));
  EXPECT_THAT(Meta(Make(0), At(2000)), Contains(Pair("lease", "none")));
  v1::Entry renewed = Make(60);
  renewed.mutable_value_time()->set_seconds(900);
  EXPECT_THAT(Meta(renewed, At(1000)),
              Contains(Pair("value set", "1970-01-01T00:15:00.000Z, only the lease changed since")));
}

}  // namespace
}  // namespace leasemap::cli
