// What a node lets go of, alone: dead keys and processes that ended, to the millisecond; and a map that it gave up.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/collection.h"
#include "peer/core/mesh/retirement.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

constexpr int64_t kHour = 3'600'000;
constexpr int64_t kPeriod = 472'222LL * kHour;  // the start of some hour
constexpr MonoTime kStart(100'000'000);

NodeOptions Options() {
  NodeOptions options;
  options.node_id = "m";
  return options;
}

class LettingGo : public testing::Test {
 protected:
  // A key that was deleted at that time; it came now.
  void Delete(const std::string& key, int64_t since_ms, const ReplicaId& replica = {"p", 1}) {
    auto entry = std::make_shared<Entry>();
    entry->key = key;
    entry->tombstone = true;
    entry->dot = {replica, ++seqs_[replica]};
    entry->stamp = StampAt(since_ms);
    entry->lease.epoch = entry->dot.seq;
    replica_.Apply(entry);
  }
  void LapseAt(const std::string& key, int64_t expire_ms) {
    auto entry = std::make_shared<Entry>();
    entry->key = key;
    entry->ephemeral = true;
    entry->dot = {{"p", 1}, ++seqs_[{"p", 1}]};
    entry->lease = {"h", 1, 1, 1000, expire_ms, false};
    replica_.Apply(entry);
  }
  void Meet(const std::string& node, const VectorPtr& report, uint64_t incarnation = 1) {
    ASSERT_TRUE(membership_.Meet({node, incarnation}, node + ":1", now_.mono));
    membership_.LinkUp({node, incarnation}, now_);
    if (report) membership_.Reported({node, incarnation}, report, now_.mono);
  }
  VectorPtr All() { return std::make_shared<const VersionVector>(replica_.vector()); }
  // The keys that are left when this was looked at by a new collection.
  std::string CollectAt(int64_t wall_ms) {
    Collection collection;
    now_.wall_ms = wall_ms;
    collection.Collect(now_, LeaseRules(), kForgetAfterMs, membership_, replica_);
    std::string left;
    for (const auto& [key, slot] : replica_.store().by_key()) left += key;
    return left;
  }

  Now now_{kStart, kPeriod + kHour / 2};
  Membership membership_{{"m", 1}, {}, 1};
  Replica replica_{Options(), now_, 0};
  std::map<ReplicaId, uint64_t> seqs_;
};

// --- dead keys

TEST(KeptDead, IsAnHourOrThePeriodIfThatIsLonger) {
  EXPECT_EQ(KeptDeadMs({true, 4000, 500}), kHour);
  EXPECT_EQ(KeptDeadMs({true, 2 * kHour, 500}), 2 * kHour);
}

TEST_F(LettingGo, ADeleteGoesOnceAnHourIsOver) {
  const int64_t wall_ms = kPeriod + kHour / 2;
  Delete("a", wall_ms - kHour - 1);
  Delete("b", wall_ms - kHour);
  Meet("p", All());
  EXPECT_EQ(CollectAt(wall_ms), "b");
  EXPECT_EQ(CollectAt(wall_ms + 1), "");
}

TEST_F(LettingGo, AndItsPeriodIsOverByAllClocks) {
  const int64_t behind = kCollectBounds * LeaseRules().clock_bound_ms;
  Delete("a", kPeriod - kHour - 1);
  Delete("b", kPeriod - kHour);
  Meet("p", All());
  EXPECT_EQ(CollectAt(kPeriod + behind - 1), "b");  // somebody may still be in the period before
  EXPECT_EQ(CollectAt(kPeriod + behind), "");
}

TEST_F(LettingGo, WhoIsAloneWaitsByBothClocks) {
  replica_.NoteTime(kStart);
  Delete("a", kPeriod - 9 * kHour);
  now_.mono = kStart + kHour - 1;
  EXPECT_EQ(CollectAt(kPeriod), "a");
  now_.mono += 1;
  EXPECT_EQ(CollectAt(kPeriod), "");
}

TEST_F(LettingGo, WhatLapsedWaitsByBothClocksEverywhere) {
  replica_.NoteTime(kStart);
  LapseAt("a", kPeriod - 9 * kHour);
  replica_.FollowClock({kStart, kPeriod}, LeaseRules(), kHour);
  Delete("b", kPeriod - 9 * kHour);
  Meet("p", All());
  now_.mono = kStart + kHour - 1;
  EXPECT_EQ(CollectAt(kPeriod), "a");
  now_.mono += 1;
  EXPECT_EQ(CollectAt(kPeriod), "");
}

TEST_F(LettingGo, NothingGoesBeforeAllMembersHaveIt) {
  Delete("a", kPeriod - 9 * kHour);
  VersionVector none;
  Meet("gone", nullptr);
  membership_.LinkDown("gone", 0, now_.mono);
  membership_.Forget("gone");
  Meet("p", std::make_shared<const VersionVector>(none));
  EXPECT_EQ(CollectAt(kPeriod), "a");
  Meet("q", nullptr);
  membership_.Reported({"p", 1}, All(), now_.mono);
  EXPECT_EQ(CollectAt(kPeriod), "a");
  membership_.Reported({"q", 1}, All(), now_.mono);
  EXPECT_EQ(CollectAt(kPeriod), "");
}

TEST_F(LettingGo, LooksEveryTenSecondsAndOnWhileThereIsMore) {
  Collection collection;
  const auto collect = [&] {
    collection.Collect(now_, LeaseRules(), kForgetAfterMs, membership_, replica_);
    return replica_.store().keys();
  };
  Meet("p", nullptr);
  collect();
  for (size_t n = 0; n < kCollectAtOnce + 5; ++n) Delete(absl::StrCat("k", n), kPeriod - 9 * kHour);
  membership_.Reported({"p", 1}, All(), now_.mono);
  now_.mono += kCollectEveryMs - 1;
  EXPECT_EQ(collect(), kCollectAtOnce + 5);
  now_.mono += 1;
  EXPECT_EQ(collect(), 5u);
  EXPECT_EQ(collect(), 0u);
  Delete("late", kPeriod - 9 * kHour);
  membership_.Reported({"p", 1}, All(), now_.mono);
  EXPECT_EQ(collect(), 1u);
  now_.mono += kCollectEveryMs;
  EXPECT_EQ(collect(), 0u);
  // Where there were just as many as are looked at there is no more.
  for (size_t n = 0; n < kCollectAtOnce; ++n) Delete(absl::StrCat("k", n), kPeriod - 9 * kHour);
  membership_.Reported({"p", 1}, All(), now_.mono);
  now_.mono += kCollectEveryMs;
  EXPECT_EQ(collect(), 0u);
  Delete("late", kPeriod - 9 * kHour);
  membership_.Reported({"p", 1}, All(), now_.mono);
  EXPECT_EQ(collect(), 1u);
}

// --- processes that ended

class Folds : public LettingGo {
 protected:
  void SetUp() override {
    VersionVector vector;
    vector.Add({"old", 1}, 1, 3);
    vector.Add({"p", 1}, 1, 2);
    replica_.TakeSession(now_.mono, vector, VersionVector());
    Meet("p", All());
    peers_.members = {{{"m", 1}, "", 0}, {{"old", 1}, "", 1}, {{"p", 1}, "", 0}};
  }
  // Whether it is folded by now.
  bool Folded() {
    now_.mono += kFoldEveryMs;
    collection_.Fold(
        now_, membership_, [this](const std::string&) -> const Peers& { return peers_; }, replica_);
    return !replica_.vector().runs().contains({"old", 1});
  }

  Collection collection_;
  Peers peers_;
};

TEST_F(Folds, WhatAllCoverAlikeAndNobodyIsLinkedWith) {
  EXPECT_TRUE(Folded());
  EXPECT_TRUE(replica_.vector().runs().contains({"p", 1}));  // it lives
  EXPECT_TRUE(replica_.vector().Covers(Dot{{"old", 1}, 3}));
}
TEST_F(Folds, EveryTwoSeconds) {
  peers_.linked = {"old"};
  EXPECT_FALSE(Folded());
  peers_.linked = {};
  now_.mono += kFoldEveryMs - 1;
  collection_.Fold(
      now_, membership_, [this](const std::string&) -> const Peers& { return peers_; }, replica_);
  EXPECT_TRUE(replica_.vector().runs().contains({"old", 1}));
  now_.mono = now_.mono - kFoldEveryMs + 1;
  EXPECT_TRUE(Folded());
}
TEST_F(Folds, NotWhatAMemberTakesForOneOrIsLinkedWith) {
  peers_.members[1].generation = 0;
  EXPECT_FALSE(Folded());
  peers_.members[1].id.incarnation = 2;  // its successor
  EXPECT_TRUE(Folded());
}
TEST_F(Folds, WhoNeverHeardOfItHasNothingAgainstIt) {
  peers_.members.erase(peers_.members.begin() + 1);
  EXPECT_TRUE(Folded());
}
TEST_F(Folds, NotWhatAMemberCoversOtherwise) {
  VersionVector less = replica_.vector();
  less.Add({"old", 1}, 4, 4);
  membership_.Reported({"p", 1}, std::make_shared<const VersionVector>(less), now_.mono);
  EXPECT_FALSE(Folded());
}
TEST_F(Folds, NotWhatHasAGap) {
  VersionVector gap;
  gap.Add({"old", 1}, 5, 5);
  replica_.TakeSession(now_.mono, gap, VersionVector());
  membership_.Reported({"p", 1}, All(), now_.mono);
  EXPECT_FALSE(Folded());
}
TEST_F(Folds, NotWhileAMemberIsAwayOrSaidNothing) {
  Meet("q", nullptr);
  EXPECT_FALSE(Folded());
  membership_.Reported({"q", 1}, All(), now_.mono);
  membership_.LinkDown("q", 0, now_.mono);
  EXPECT_FALSE(Folded());
  membership_.Forget("q");
  EXPECT_TRUE(Folded());
}
TEST_F(Folds, NotAMemberThatIsAwayUntilItIsForgottenOrCameAgain) {
  ASSERT_TRUE(membership_.Meet({"old", 1}, "old:1", now_.mono));
  EXPECT_FALSE(Folded());
  membership_.LinkUp({"old", 1}, now_);
  membership_.Reported({"old", 1}, All(), now_.mono);
  EXPECT_FALSE(Folded());
  membership_.LinkDown("old", 0, now_.mono);
  membership_.Forget("old");
  EXPECT_TRUE(Folded());
}

// --- a map that was given up

class GivenUp : public testing::Test {
 protected:
  static VersionVector Covering(uint64_t upto, const std::string& node = "p") {
    VersionVector vector;
    vector.Add({node, 1}, 1, upto);
    return vector;
  }
  EntryPtr Put(const std::string& key, uint64_t seq) {
    auto entry = std::make_shared<Entry>();
    entry->key = key;
    entry->dot = {{"p", 1}, seq};
    entry->lease.epoch = seq;
    replica_.Apply(entry);
    return entry;
  }
  void GiveUp(Retirement::Reason reason) {
    retirement_.GiveUp(now_, replica_.self().incarnation + 1, std::move(reason), replica_);
  }
  Link& Up(LinkId id, bool has_map, int64_t ceiling_ms, bool part = false) {
    Link& link = links_.Open(id, Link(now_.mono, true, "a:1", "m:1"));
    link.AwaitAccept();
    links_.SetUp(id);
    Report report;
    report.whole = has_map;
    report.holds_map = has_map;
    report.ceiling_ms = ceiling_ms;
    if (part) report.vector = std::make_shared<const VersionVector>(Covering(1));
    link.theirs.Take(report);
    link.ceiling.Hear(report);
    return link;
  }
  bool MayTakeBack(bool has_full_map = false) { return retirement_.MayTakeBack(now_, has_full_map, replica_, links_); }

  const Timing timing_;
  Now now_{kStart, kPeriod};
  Replica replica_{Options(), now_, 0};
  Retirement retirement_{LeaseRules(), timing_};
  Links links_{timing_};
};

TEST_F(GivenUp, IsTakenBackAfterAMinuteWithNobody) {
  EXPECT_FALSE(MayTakeBack());
  Put("k", 1);
  GiveUp({true, true, nullptr, std::nullopt});
  EXPECT_FALSE(retirement_.serves());
  EXPECT_TRUE(retirement_.NeedsReadyMember(false));
  EXPECT_FALSE(retirement_.NeedsReadyMember(true));
  EXPECT_EQ(retirement_.maps(), 1u);
  now_.mono += kResetGiveUpMs - 1;
  EXPECT_FALSE(MayTakeBack());
  now_.mono += 1;
  EXPECT_TRUE(MayTakeBack());
  EXPECT_FALSE(MayTakeBack(true));
  Up(LinkId{1}, false, 0);
  EXPECT_TRUE(MayTakeBack());
  Up(LinkId{2}, true, 99);
  EXPECT_FALSE(MayTakeBack());
  links_.Close(LinkId{2});
  const Retirement::Back back = retirement_.TakeBack(now_, replica_);
  EXPECT_FALSE(back.served);
  EXPECT_TRUE(back.whole);
  EXPECT_FALSE(retirement_.any());
  EXPECT_EQ(retirement_.maps(), 2u);
  EXPECT_NE(replica_.store().Find("k"), nullptr);
}

TEST_F(GivenUp, ForAnotherCeilingItIsTakenBackSoonerUnlessSomebodyHasThat) {
  Put("k", 1);
  GiveUp({true, true, nullptr, LowerCeiling{kPeriod + 50, false}});
  EXPECT_TRUE(retirement_.serves() && retirement_.for_ceiling());
  EXPECT_EQ(retirement_.maps(), 0u);
  EXPECT_EQ(retirement_.yields(), 1u);
  now_.mono += 2 * timing_.silent - 1;
  EXPECT_FALSE(MayTakeBack());
  now_.mono += 1;
  EXPECT_TRUE(MayTakeBack());
  Up(LinkId{1}, true, kPeriod + 51);  // higher: it waits, too
  Up(LinkId{2}, false, 0, true);      // a part
  EXPECT_TRUE(MayTakeBack());
  Up(LinkId{3}, true, kPeriod + 50);
  EXPECT_FALSE(MayTakeBack());
  EXPECT_TRUE(retirement_.TakeBack(now_, replica_).served);
}

TEST_F(GivenUp, ForAPartACeilingOfAPartWillDo) {
  GiveUp({true, false, nullptr, LowerCeiling{0, true}});
  EXPECT_FALSE(retirement_.serves());
  EXPECT_TRUE(retirement_.for_part());
  EXPECT_FALSE(retirement_.NeedsReadyMember(false));
  now_.mono += 2 * timing_.silent;
  EXPECT_TRUE(MayTakeBack());
  Up(LinkId{1}, false, 0, true);
  EXPECT_FALSE(MayTakeBack());
}

TEST_F(GivenUp, WhatIsNotThereIsSubmittedAgainInParts) {
  for (uint64_t n = 1; n <= kResubmitAtOnce + 5; ++n) Put(absl::StrCat("k", 1000 + n), n);
  const EntryPtr same = *replica_.store().Find("k1001");
  GiveUp({true, true, std::make_shared<const VersionVector>(Covering(2)), std::nullopt});
  EXPECT_EQ(retirement_.Share(std::make_shared<const Entry>(*same)), same);
  const auto other = std::make_shared<Entry>(*same);
  other->value = "other";
  EXPECT_EQ(retirement_.Share(other), other);
  EXPECT_FALSE(retirement_.NeedsResubmit({{"p", 1}, 2}, replica_));
  EXPECT_TRUE(retirement_.NeedsResubmit({{"p", 1}, 3}, replica_));
  auto next = retirement_.Next();
  ASSERT_EQ(next.size(), kResubmitAtOnce);
  EXPECT_EQ(next[0]->entry->key, "k1001");
  EXPECT_FALSE(retirement_.done());
  now_.mono += kResetGiveUpMs;
  EXPECT_FALSE(MayTakeBack());  // some of it is submitted
  next = retirement_.Next();
  ASSERT_EQ(next.size(), 5u);
  EXPECT_EQ(next[0]->entry->key, absl::StrCat("k", 1001 + kResubmitAtOnce));
  EXPECT_TRUE(retirement_.done());
  const uint64_t maps = retirement_.maps();
  EXPECT_FALSE(retirement_.End());
  EXPECT_EQ(retirement_.maps(), maps);
}

TEST_F(GivenUp, ReadsGoOnUntilTheEndAndThenAreOfAnotherMap) {
  Put("k", 1);
  GiveUp({true, true, nullptr, LowerCeiling{0, false}});
  retirement_.Next();
  EXPECT_TRUE(retirement_.done());
  EXPECT_TRUE(retirement_.End());
  EXPECT_EQ(retirement_.maps(), 1u);
  EXPECT_EQ(retirement_.Share(Put("k2", 2))->key, "k2");
}

TEST_F(GivenUp, AThirdMapIsAnotherToRead) {
  Put("k1", 1);
  GiveUp({true, true, nullptr, LowerCeiling{0, false}});
  Put("k2", 2);
  EXPECT_EQ(retirement_.maps(), 0u);
  GiveUp({true, false, nullptr, std::nullopt});
  EXPECT_TRUE(retirement_.serves());
  EXPECT_EQ(retirement_.maps(), 1u);
}

TEST_F(GivenUp, ASecondTimeWhatWasNotSubmittedGoesAlong) {
  Put("k1", 1);
  Put("k2", 2);
  GiveUp({true, true, nullptr, std::nullopt});
  const EntryPtr fresh = Put("k3", 3);
  replica_.TakeSession(now_.mono, Covering(1), VersionVector());  // the first is known there
  GiveUp({true, false, nullptr, std::nullopt});
  EXPECT_EQ(retirement_.resets(), 2u);
  const MapState& map = retirement_.map();
  EXPECT_EQ(map.store.keys(), 2u);
  EXPECT_NE(map.store.Find("k2"), nullptr);
  EXPECT_NE(map.store.Find("k3"), nullptr);
  EXPECT_TRUE(map.vector.Covers(Dot{{"p", 1}, 2}));
  // A part that came after it is not worth more than the whole.
  Put("k4", 4);
  GiveUp({false, false, nullptr, std::nullopt});
  EXPECT_EQ(retirement_.map().store.Find("k4"), nullptr);
  EXPECT_EQ(retirement_.resets(), 3u);
  EXPECT_EQ(replica_.store().keys(), 0u);
}

}  // namespace
}  // namespace leasemap::core
