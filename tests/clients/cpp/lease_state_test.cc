// The deadlines of a lease, without a server or a clock.
#include "clients/cpp/core/lease_state.h"

#include <gtest/gtest.h>

#include "clients/cpp/core/entries.h"
#include "tests/clients/cpp/made.h"

namespace leasemap::internal {
namespace {

Moment At(double seconds) { return absl::Seconds(seconds); }

Made Mine() { return {.holder = "me", .expire = kT0 + 10}; }

// A lease of 10 s that was asked for at 100.
LeaseState TenSeconds() {
  LeaseState state(absl::Seconds(10), true);
  EXPECT_TRUE(state.Granted(EntryOf("k", "v", Mine()), At(100), At(100), "a:1"));
  return state;
}

TEST(LeaseState, EndsBeforeTheClusters) {
  const LeaseState state = TenSeconds();
  EXPECT_TRUE(state.Held(At(107.4)));
  EXPECT_FALSE(state.Held(At(107.5))) << "counted from before the request";
  EXPECT_TRUE(state.Overdue(At(107.5)));
  EXPECT_EQ(state.Left(At(100)), absl::Seconds(7.5));
  EXPECT_EQ(state.Left(At(200)), absl::ZeroDuration());

  LeaseState slow(absl::Seconds(10), true);
  slow.Granted(EntryOf("k", "v", Mine()), At(100), At(103), "a:1");
  EXPECT_EQ(slow.Left(At(103)), absl::Seconds(4.5)) << "however long the answer took";

  const absl::Duration bound = absl::Milliseconds(500);
  LeaseState shortest(bound * 4, true);
  shortest.Granted(EntryOf("k", "v", Mine()), At(100), At(100), "a:1");
  EXPECT_LE(shortest.Left(At(100)), bound * 4 - bound) << "a clock bound is left at its end";
}

TEST(LeaseState, IsRenewedAfterAThird) {
  LeaseState state = TenSeconds();
  EXPECT_FALSE(state.Due(At(103.3)));
  EXPECT_TRUE(state.Due(At(103.4)));
  state.Renewing(true);
  EXPECT_FALSE(state.Due(At(103.4))) << "one at a time";
  EXPECT_EQ(state.Next(), At(107.5));
  state.Renewing(false);
  Made renewed = Mine();
  renewed.version = "v2";
  renewed.written = kT0 + 4;
  EXPECT_TRUE(state.Granted(EntryOf("k", "v", renewed), At(103.4), At(103.4), "a:1"));
  EXPECT_EQ(state.Left(At(103.4)), absl::Seconds(7.5)) << "the deadline moves";
  state.Granted(EntryOf("k", "v", Mine()), At(101), At(103.5), "a:1");
  EXPECT_EQ(state.Left(At(103.4)), absl::Seconds(7.5)) << "an answer that comes late moves nothing back";
  EXPECT_EQ(state.entry()->version, "v2");
}

TEST(LeaseState, OneThatIsNearlyDueGoesAlong) {
  const LeaseState state = TenSeconds();
  EXPECT_FALSE(state.GoesAlong(At(101.6)));
  EXPECT_TRUE(state.GoesAlong(At(101.7)));
  EXPECT_FALSE(state.Due(At(101.7)));
}

TEST(LeaseState, ARenewalThatFailedIsTriedAgainSoon) {
  LeaseState state = TenSeconds();
  state.Failed(At(103.4), 1);
  EXPECT_NEAR(absl::ToDoubleSeconds(state.Next()), 103.4 + 10.0 / 12, 1e-6) << "a twelfth";
  LeaseState hour(absl::Hours(1), true);
  hour.Granted(EntryOf("k", "v", Mine()), At(100), At(100), "a:1");
  hour.Failed(At(1300), 1);
  EXPECT_EQ(hour.Next(), At(1301)) << "a second at most";
  hour.MakeDue(At(1300.5));
  EXPECT_TRUE(hour.Due(At(1300.5)));
}

TEST(LeaseState, ANodeThatLackedItIsRememberedUntilOneRenewsIt) {
  LeaseState state = TenSeconds();
  state.Failed(At(103.4), 1, true);
  EXPECT_TRUE(state.lacked());
  state.Failed(At(104), 1);
  EXPECT_FALSE(state.lacked()) << "the whole call failed, which says nothing of this lease";
  state.Failed(At(104.5), 1, true);
  EXPECT_TRUE(state.Granted(EntryOf("k", "v", Mine()), At(105), At(105), "a:1"));
  EXPECT_FALSE(state.lacked());
}

TEST(LeaseState, AnotherStartIsAnotherLease) {
  Made other = Mine();
  other.start = other.written = kT0 + 20;
  EXPECT_FALSE(TenSeconds().Granted(EntryOf("k", "v", other), At(106), At(106), "a:1"));
}

TEST(LeaseState, AnAnswerAfterTheDeadlineBringsNothingBack) {
  LeaseState state = TenSeconds();
  Made renewed = Mine();
  renewed.written = kT0 + 7;
  EXPECT_TRUE(state.Granted(EntryOf("k", "v", renewed), At(107), At(107.6), "a:1"));
  EXPECT_FALSE(state.Held(At(107.6)));
}

TEST(LeaseState, WhatAWatchBrings) {
  Made gone = Mine();
  gone.version = "v2";
  gone.written = gone.expire = kT0 + 3;
  Made renewed = Mine();
  renewed.version = "v2";
  renewed.written = kT0 + 3;
  Made restarted = Mine();
  restarted.start = kT0 + 9;
  restarted.version = "v9";
  restarted.epoch = kEpoch + 1;
  Made lapsed_before = Mine();
  lapsed_before.version = "v0";
  const Made others{.holder = "other", .version = "v9", .epoch = kEpoch + 1};
  const Made history{.holder = "before", .version = "v0", .epoch = kEpoch - 1};
  const struct {
    const char* what;
    Kind kind;
    Made made;
    int ending;
    Stage want;
  } cases[] = {
      {"itself", Kind::kSet, Mine(), 0, Stage::kHeld},
      {"a renewal", Kind::kSet, renewed, 0, Stage::kHeld},
      {"another holder", Kind::kSet, others, 0, Stage::kLost},
      {"another's delete", Kind::kDeleted, others, 0, Stage::kLost},
      {"another start", Kind::kSet, restarted, 0, Stage::kLost},
      {"history", Kind::kSet, history, 0, Stage::kHeld},
      {"a delete of its holder", Kind::kDeleted, gone, 0, Stage::kLost},
      {"a release of its holder", Kind::kSet, gone, 0, Stage::kLost},
      {"the own delete", Kind::kDeleted, gone, 1, Stage::kReleased},
      {"the own release", Kind::kSet, gone, 1, Stage::kReleased},
      {"the latest's lapse", Kind::kExpired, Mine(), 0, Stage::kLost},
      {"a lapse before", Kind::kExpired, lapsed_before, 0, Stage::kHeld},
  };
  for (const auto& each : cases) {
    LeaseState state = TenSeconds();
    state.Ending(each.ending);
    const LeaseState::Verdict verdict = state.Seen(each.kind, EntryOf("k", "v", each.made));
    EXPECT_EQ(verdict.stage, each.want) << each.what;
    EXPECT_EQ(!verdict.why.empty(), verdict.stage == Stage::kLost)
        << each.what << ": a loss, and only that, has a reason";
  }
}

TEST(LeaseState, EndsOnce) {
  LeaseState state = TenSeconds();
  EXPECT_TRUE(state.End(Stage::kReleased, ""));
  EXPECT_FALSE(state.End(Stage::kLost, "x"));
  EXPECT_EQ(state.stage(), Stage::kReleased);
  EXPECT_FALSE(state.Overdue(At(1000)));
}

TEST(Older, IsTheOrderOfMerges) {
  // From what is replaced to what replaces.
  const std::vector<Entry> order = {
      EntryOf("k", ""),
      EntryOf("k", "", {.start = kT0 - 1}),  // the earlier start
      EntryOf("k", "", {.holder = "b", .epoch = kEpoch + 1}),
      EntryOf("k", "", {.holder = "a", .epoch = kEpoch + 1}),  // the smaller holder
      EntryOf("k", "", {.holder = "a", .written = kT0 + 9, .valued = kT0 + 0.001, .epoch = kEpoch + 1}),
      EntryOf("k", "", {.holder = "a", .written = kT0 + 0.002, .epoch = kEpoch + 1}),  // the newer value
  };
  for (size_t i = 0; i < order.size(); ++i) {
    for (size_t j = 0; j < order.size(); ++j) EXPECT_EQ(Older(order[i], order[j]), i < j) << i << " and " << j;
  }
}

}  // namespace
}  // namespace leasemap::internal
