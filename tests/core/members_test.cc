// What a node knows of the other members: what it takes for news, who is remembered, whose word counts.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/membership.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

using Names = std::vector<std::string>;

class Members : public testing::Test {
 protected:
  // Whether what is said is news.
  bool Learn(const MemberInfo& info) {
    bool changed = false;
    membership_.Learn(info, now_, &changed);
    return changed;
  }
  void Meet(const std::string& node, uint64_t incarnation = 1) {
    ASSERT_TRUE(membership_.Meet({node, incarnation}, node + ":1", now_));
  }
  void LinkUp(const std::string& node, uint64_t incarnation = 1) {
    membership_.LinkUp({node, incarnation}, {now_, 77});
  }
  const Member& Of(const std::string& node) { return membership_.members().at(node); }
  static VectorPtr Covering(uint64_t upto) {
    auto vector = std::make_shared<VersionVector>();
    if (upto > 0) vector->Add({"p", 1}, 1, upto);
    return vector;
  }
  // Whether the call changes what is said of the members.
  template <typename Call>
  bool Changes(Call call) {
    const uint64_t before = membership_.change();
    call();
    return membership_.change() > before;
  }

  MonoTime now_{1'000'000};
  Membership membership_{{"self", 5}, {}, 1};
};

// --- what is news

TEST_F(Members, TheLaterRecordOfAMemberCounts) {
  EXPECT_FALSE(Learn({{"self", 9}, "self:1", 0}));
  EXPECT_TRUE(membership_.members().empty());
  EXPECT_TRUE(Learn({{"a", 3}, "a:1", 2}));
  EXPECT_EQ(Of("a").heard_mono, now_);
  EXPECT_FALSE(Learn({{"a", 3}, "other:1", 2}));
  EXPECT_EQ(Of("a").address, "a:1");
  EXPECT_FALSE(Learn({{"a", 3}, "", 1}));
  EXPECT_FALSE(Learn({{"a", 2}, "", 9}));
  EXPECT_TRUE(Learn({{"a", 3}, "", 3}));
  EXPECT_TRUE(Of("a").gone());
  EXPECT_TRUE(Learn({{"a", 4}, "", 0}));
  EXPECT_FALSE(Of("a").gone());
  EXPECT_EQ(Of("a").id.incarnation, 4u);
  // A first record counts whatever it says; its address is taken when it is told.
  EXPECT_TRUE(Learn({{"b", 0}, "", 0}));
  EXPECT_TRUE(Changes([&] { Learn({{"b", 0}, "b:1", 0}); }));
  EXPECT_EQ(Of("b").address, "b:1");
  EXPECT_FALSE(Changes([&] { Learn({{"b", 0}, "b:2", 0}); }));
}

TEST_F(Members, WhoIsLinkedIsHereWhateverOthersSayButForItsOwnWord) {
  Meet("a");
  LinkUp("a");
  EXPECT_TRUE(Learn({{"a", 1}, "", 1}));
  EXPECT_EQ(Of("a").generation, 2u);
  const uint64_t left = Generation::Leave(2);
  EXPECT_TRUE(Learn({{"a", 1}, "", left}));
  EXPECT_EQ(Of("a").generation, left);
  EXPECT_TRUE(Of("a").gone());
  Meet("a");  // it did not take its word back
  EXPECT_TRUE(Of("a").gone());
}

TEST_F(Members, WhoIsMetWasForgottenInError) {
  Meet("a");
  ASSERT_TRUE(membership_.Forget("a"));
  EXPECT_TRUE(Of("a").gone());
  EXPECT_TRUE(Changes([&] { Meet("a"); }));
  EXPECT_EQ(Of("a").generation, 2u);
  ASSERT_TRUE(membership_.Meet({"a", 1}, "elsewhere:1", now_));
  EXPECT_EQ(Of("a").address, "elsewhere:1");
}

TEST_F(Members, WhatAnEarlierProcessReportedIsNotOfTheNext) {
  Meet("a");
  membership_.Reported({"a", 1}, Covering(3), now_);
  membership_.NoteStable(*Covering(3));
  EXPECT_NE(Of("a").stable, nullptr);
  EXPECT_EQ(Of("a").report_mono, now_);
  Learn({{"a", 1}, "", 2});  // the same process
  EXPECT_NE(Of("a").report, nullptr);
  Learn({{"a", 2}, "", 0});
  EXPECT_EQ(Of("a").report, nullptr);
  EXPECT_EQ(Of("a").stable, nullptr);
  membership_.Reported({"a", 1}, Covering(3), now_);  // it came too late
  EXPECT_EQ(Of("a").report, nullptr);
  membership_.Reported({"a", 2}, Covering(3), now_);
  EXPECT_EQ(Of("a").report_incarnation, 2u);
  membership_.NoteStable(*Covering(3));
  Learn({{"a", 2}, "", 1});  // it is gone
  EXPECT_EQ(Of("a").report, nullptr);
  EXPECT_EQ(Of("a").stable, nullptr);
}

TEST_F(Members, TheLatestReportThatIsCoveredIsStable) {
  Meet("a");
  Meet("a-gone");
  membership_.Forget("a-gone");
  Meet("b");
  membership_.Reported({"b", 1}, Covering(1), now_);
  membership_.Reported({"a", 1}, Covering(3), now_);
  membership_.NoteStable(*Covering(2));
  EXPECT_EQ(Of("a").stable, nullptr);
  membership_.NoteStable(*Covering(3));
  EXPECT_EQ(*Of("a").stable, *Covering(3));
  EXPECT_EQ(Of("a").stable_meaning, Meaning::kAllKnown);
  EXPECT_EQ(*Of("b").stable, *Covering(1));
  membership_.Reported({"a", 1}, Covering(5), now_);
  membership_.NoteStable(*Covering(4));
  EXPECT_EQ(*Of("a").stable, *Covering(3));
  membership_.NoteStable(*Covering(5));
  EXPECT_EQ(*Of("a").stable, *Covering(5));
}

// --- links

TEST_F(Members, ALinkComesAndGoes) {
  Meet("a");
  Meet("a", 2);
  uint64_t links = membership_.linked_change();
  EXPECT_TRUE(membership_.LinkUp({"a", 1}, {now_ + 5, 77}));
  EXPECT_GT(membership_.linked_change(), links);
  EXPECT_TRUE(Of("a").linked);
  EXPECT_EQ(Of("a").linked_as, 1u);
  EXPECT_EQ(Of("a").heard_mono, now_ + 5);
  EXPECT_EQ(Of("a").heard_wall_ms, 77);
  EXPECT_FALSE(membership_.LinkUp({"a", 2}, {now_, 78}));
  EXPECT_EQ(Of("a").linked_as, 2u);
  links = membership_.linked_change();
  EXPECT_FALSE(membership_.LinkDown("a", 2, now_ + 9));  // another link is up
  EXPECT_GT(membership_.linked_change(), links);
  EXPECT_TRUE(Of("a").linked);
  EXPECT_EQ(Of("a").lost_mono, MonoTime());
  EXPECT_TRUE(Changes([&] { EXPECT_TRUE(membership_.LinkDown("a", 0, now_ + 9)); }));
  EXPECT_FALSE(Of("a").linked);
  EXPECT_EQ(Of("a").linked_as, 0u);
  EXPECT_EQ(Of("a").lost_mono, now_ + 9);
  EXPECT_FALSE(membership_.LinkDown("nobody", 0, now_));
}

TEST_F(Members, WhatIsHeardAndMeasuredIsKept) {
  Meet("a");
  EXPECT_FALSE(Of("a").measured);
  membership_.Measured("a", -30);
  EXPECT_TRUE(Of("a").measured);
  EXPECT_EQ(Of("a").offset_ms, -30);
  membership_.Heard("a", {now_ + 3, 99});
  EXPECT_EQ(Of("a").heard_mono, now_ + 3);
  EXPECT_EQ(Of("a").heard_wall_ms, 99);
  membership_.Measured("nobody", 1);
  membership_.Heard("nobody", {now_, 1});
  EXPECT_EQ(membership_.members().size(), 1u);
  EXPECT_TRUE(Changes([&] { membership_.HeardLeaving({"a", 1}, true); }));
  EXPECT_FALSE(Changes([&] { membership_.HeardLeaving({"a", 1}, true); }));
  EXPECT_TRUE(Changes([&] { membership_.HeardLeaving({"a", 1}, false); }));
}

TEST_F(Members, OnlyOfWhoIsAwayIsARelayTaken) {
  for (const char* node : {"away", "linked", "gone"}) Meet(node);
  LinkUp("linked");
  membership_.Forget("gone");
  membership_.Relayed("near",
                      {{{"away", 1}, Covering(3)},
                       {{"linked", 1}, Covering(3)},
                       {{"gone", 1}, Covering(3)},
                       {{"nobody", 1}, Covering(3)}},
                      now_ + 7);
  EXPECT_EQ(*Of("away").report, *Covering(3));
  EXPECT_EQ(Of("away").relayed_by, "near");
  EXPECT_EQ(Of("away").report_incarnation, 1u);
  EXPECT_EQ(Of("away").report_mono, now_ + 7);
  EXPECT_EQ(Of("linked").report, nullptr);
  EXPECT_EQ(Of("gone").report, nullptr);
  membership_.Relayed("near", {{{"away", 2}, Covering(4)}}, now_ + 8);  // of another process than is known
  EXPECT_EQ(*Of("away").report, *Covering(3));
  EXPECT_EQ(Of("away").relayed_by, "");
  // Its own word takes the place of what was relayed.
  membership_.Relayed("near", {{{"away", 1}, Covering(4)}}, now_ + 9);
  membership_.Reported({"away", 1}, Covering(5), now_ + 9);
  EXPECT_EQ(Of("away").relayed_by, "");
}

// --- what is told of them

TEST_F(Members, AreToldWithThisNodeFirst) {
  Meet("b", 2);
  Meet("a", 3);
  LinkUp("a", 3);
  const PeersPtr peers = membership_.Peers();
  ASSERT_EQ(peers->members.size(), 3u);
  EXPECT_EQ(peers->members[0].id, (ReplicaId{"self", 5}));
  EXPECT_EQ(peers->members[1], (MemberInfo{{"a", 3}, "a:1", 0}));
  EXPECT_EQ(peers->members[2], (MemberInfo{{"b", 2}, "b:1", 0}));
  EXPECT_EQ(peers->linked, Names{"a"});
  EXPECT_EQ(membership_.Peers(), peers);  // made once
  Learn({{"a", 4}, "", 6});               // heard of, but the link is that of the one before
  EXPECT_EQ(membership_.Peers()->members[1], (MemberInfo{{"a", 3}, "a:1", 0}));
  membership_.LinkDown("a", 0, now_);
  EXPECT_EQ(membership_.Peers()->members[1], (MemberInfo{{"a", 4}, "a:1", 6}));
  membership_.TakeIncarnation(8);
  EXPECT_EQ(membership_.Peers()->members[0].id, (ReplicaId{"self", 8}));
}

TEST_F(Members, PresentAreThoseThatAreThereAndThoseThatAreLinked) {
  Meet("a");
  Meet("gone");
  membership_.Forget("gone");
  LinkUp("a");
  Learn({{"a", 2}, "", 0});
  EXPECT_EQ(membership_.Present(), (std::vector<ReplicaId>{{"self", 5}, {"a", 1}, {"a", 2}}));
  Learn({{"a", 2}, "", Generation::Leave(0)});
  EXPECT_EQ(membership_.Present(), (std::vector<ReplicaId>{{"self", 5}, {"a", 1}}));
}

TEST_F(Members, ThisNodesOwnWordIsAboveWhatOthersSayOfIt) {
  const auto own = [&] { return membership_.Peers()->members[0].generation; };
  EXPECT_FALSE(membership_.HeardOfSelf({{"self", 4}, "", 1}));
  EXPECT_FALSE(membership_.HeardOfSelf({{"self", 5}, "", 0}));
  EXPECT_TRUE(Changes([&] { EXPECT_TRUE(membership_.HeardOfSelf({{"self", 5}, "", 1})); }));
  EXPECT_EQ(own(), 2u);
  EXPECT_FALSE(membership_.HeardOfSelf({{"self", 5}, "", 2}));
  EXPECT_TRUE(Changes([&] { EXPECT_TRUE(membership_.Leave()); }));
  EXPECT_FALSE(membership_.Leave());
  EXPECT_TRUE(Generation::HasLeft(own()));
  EXPECT_TRUE(membership_.HeardOfSelf({{"self", 5}, "", own() + 1}));  // they take it for an error
  EXPECT_TRUE(Generation::HasLeft(own()));
}

// --- who is forgotten

TEST_F(Members, WhoWasForgottenIsNotForgottenAgain) {
  Meet("a");
  EXPECT_EQ(membership_.remembered(), 1u);
  membership_.HeardLeaving({"a", 1}, true);
  EXPECT_TRUE(membership_.Forget("a"));
  EXPECT_EQ(Of("a").generation, 1u);
  EXPECT_FALSE(Of("a").leaving);
  EXPECT_EQ(membership_.remembered(), 0u);
  EXPECT_FALSE(membership_.Forget("a"));
  EXPECT_FALSE(membership_.Forget("nobody"));
}

TEST_F(Members, WhoIsSilentForLongIsForgotten) {
  for (const char* node : {"silent", "heard", "linked", "relayed"}) Meet(node);
  LinkUp("linked");
  membership_.Heard("heard", {now_ + 10, 1});
  membership_.Relayed("linked", {{{"relayed", 1}, Covering(0)}}, now_ + 10);
  EXPECT_EQ(membership_.LongestSilent(now_ + 10), Names{"silent"});
  EXPECT_EQ(membership_.LongestSilent(now_), Names{});
  EXPECT_EQ(membership_.ForgetSilent(now_), Names{});
  EXPECT_EQ(membership_.ForgetSilent(now_ + 10), Names{"silent"});
  EXPECT_TRUE(Of("silent").gone());
  EXPECT_EQ(membership_.ForgetSilent(now_ + 11), (Names{"heard", "relayed"}));
  EXPECT_EQ(membership_.ForgetSilent(MonoTime::Never()), Names{});
}

TEST_F(Members, TheOldestRecordOfOneThatIsGoneMakesRoom) {
  for (size_t n = 0; n < kMaxMembers; ++n, now_ += 1) Meet(absl::StrCat("m", n));
  EXPECT_FALSE(membership_.Meet({"new", 1}, "new:1", now_));
  for (const char* node : {"m7", "m5", "m9"}) ASSERT_TRUE(membership_.Forget(node));
  EXPECT_FALSE(Learn({{"other", 1}, "", 1}));  // who is gone pushes nobody out
  Meet("new");
  EXPECT_FALSE(membership_.members().contains("m5"));
  EXPECT_EQ(membership_.members().size(), kMaxMembers);
  Meet("newer");
  EXPECT_FALSE(membership_.members().contains("m7"));
  EXPECT_TRUE(membership_.members().contains("m9"));
}

TEST_F(Members, NearTheBoundTheLongestSilentMakeRoomIfNothingIsLost) {
  const size_t most = kMaxMembers - kMemberRoom;
  for (size_t n = 0; n < most; ++n) Meet(absl::StrCat("m", 100 + n));
  for (size_t n = 0; n < most; ++n)
    membership_.Reported({absl::StrCat("m", 100 + n), 1}, Covering(n == 0 ? 9 : 1), now_);
  now_ += kGoneMs + 1;
  EXPECT_EQ(membership_.MakeRoom(now_, *Covering(5)), Names{});
  Meet("new1");
  Meet("new2");
  EXPECT_EQ(membership_.MakeRoom(now_ - 1, *Covering(5)), Names{});
  EXPECT_EQ(membership_.MakeRoom(now_, *Covering(5)), (Names{"m101", "m102"}));  // the first has what is not here
  EXPECT_EQ(membership_.remembered(), most);
  EXPECT_EQ(membership_.MakeRoom(now_, *Covering(5)), Names{});
}

TEST_F(Members, ANewcomerForWhomThereIsNoRoomIsToldWhatToDo) {
  for (const char* node : {"d", "c", "b", "a"}) {
    Meet(node);
    now_ += 1;
    LinkUp(node);
  }
  EXPECT_EQ(membership_.NoRoomText(),
            "self remembers 4 members, as many as it can, and all of them answer: the cluster is full");
  for (const char* node : {"d", "c", "b", "a"}) membership_.LinkDown(node, 0, now_);
  EXPECT_EQ(membership_.NoRoomText(),
            "self remembers 4 members, as many as it can; 4 are silent, for longest d, c, b; those that won't come "
            "back can be forgotten (leasemap forget NODE_ID)");
  for (const char* node : {"d", "c"}) LinkUp(node);
  EXPECT_EQ(membership_.NoRoomText(),
            "self remembers 4 members, as many as it can; 2 are silent, for longest b, a; those that won't come back "
            "can be forgotten (leasemap forget NODE_ID)");
}

}  // namespace
}  // namespace leasemap::core
