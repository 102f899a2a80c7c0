// Readiness alone: what is waited for, in which words, and from when on it is not, with all that is judged made by
// hand.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/refusals.h"
#include "peer/core/mesh/readiness.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

using Names = std::vector<std::string>;
constexpr MonoTime kStart(1'000'000);

class ReadinessAlone : public testing::Test {
 protected:
  Readiness::View View() {
    return {mono_, self_, vector_, keys_, needs_map_, lost_map_, membership_, links_, has_peers_map_};
  }
  Readiness::Change Update() { return readiness_.Update(View()); }
  // What is waited for now.
  Names Waits() {
    Update();
    Names out;
    for (const ReadyWait& wait : readiness_.waits_for()) out.push_back(wait.text);
    return out;
  }
  static VectorPtr Covering(uint64_t upto, const std::string& node = "p") {
    auto vector = std::make_shared<VersionVector>();
    vector->Add({node, 1}, 1, upto);
    return vector;
  }
  Readiness::Link& Up(const std::string& node, bool has_map = true) {
    Readiness::Link link;
    link.node = node;
    link.up = true;
    link.has_map = has_map;
    link.opened = mono_;
    links_.push_back(link);
    return links_.back();
  }
  void Refused(const std::string& address, const std::string& node, const std::string& reason, bool has_map,
               bool own_name = false) {
    membership_.LearnAddress("someone", address, mono_);
    membership_.OnRefused({address, node, reason, "why", has_map, own_name}, mono_);
  }

  const Timing timing_;
  MonoTime mono_ = kStart;
  ReplicaId self_{"self", 1};
  VersionVector vector_;
  uint64_t keys_ = 0;
  bool needs_map_ = false, lost_map_ = false, peers_map_ = true;
  std::function<bool()> has_peers_map_ = [this] { return peers_map_; };
  std::vector<Readiness::Link> links_;
  Membership membership_{{"self", 1}, {}, 1};
  Readiness readiness_{timing_, 1, kStart};
};

class WithASeed : public ReadinessAlone {
 protected:
  WithASeed() { membership_.SetSeeds({"s:1"}); }
};

TEST_F(ReadinessAlone, WithNobodyToWaitForItIsReadyAndSaysSoOnce) {
  keys_ = 3;
  const Readiness::Change change = Update();
  EXPECT_TRUE(change.seen && change.report);
  ASSERT_EQ(change.log.size(), 1u);
  EXPECT_EQ(change.log[0].text, "ready: 3 keys");
  EXPECT_FALSE(change.log[0].warning);
  EXPECT_TRUE(readiness_.ready() && readiness_.has_full_map());
  EXPECT_FALSE(readiness_.settled() || readiness_.shut_out());
  EXPECT_TRUE(Update().log.empty());
}

// --- seeds

TEST_F(WithASeed, WithoutAMapItWaitsForTenSecondsAndUntilAllWereTried) {
  const Names waits = {"waiting for s:1 to answer: its name is being resolved"};
  EXPECT_EQ(Waits(), waits);
  mono_ = kStart + timing_.absent_after;
  EXPECT_EQ(Waits(), waits);
  membership_.OnResolved("s:1", {}, "no such name", mono_);
  mono_ = kStart + timing_.absent_after - 1;
  EXPECT_EQ(Waits(), Names{"waiting for s:1 to answer: no such name"});
  mono_ += 1;
  EXPECT_EQ(Waits(), Names{});
  EXPECT_TRUE(readiness_.ready());
}

TEST_F(WithASeed, WithAMapItWaitsForThreeSecondsOrUntilAllWereTried) {
  readiness_.HasFullMap(true);
  mono_ = kStart + timing_.ready_after - 1;
  EXPECT_EQ(Waits().size(), 1u);
  Readiness other = readiness_;
  mono_ += 1;
  EXPECT_EQ(Waits(), Names{});
  membership_.OnResolved("s:1", {}, "no such name", mono_);
  mono_ = kStart;
  EXPECT_TRUE(other.Update(View()).seen);
}

TEST_F(WithASeed, LooksAgainWhenItsPatienceEnds) {
  EXPECT_EQ(readiness_.NextDue(kStart), kStart + timing_.ready_after);
  EXPECT_EQ(readiness_.NextDue(kStart + timing_.ready_after - 1), kStart + timing_.ready_after);
  EXPECT_EQ(readiness_.NextDue(kStart + timing_.ready_after), kStart + timing_.absent_after);
  EXPECT_EQ(readiness_.NextDue(kStart + timing_.absent_after), kStart + timing_.absent_after + timing_.heartbeat);
}

TEST_F(WithASeed, WhatLastsIsWarnedOf) {
  Update();
  EXPECT_EQ(readiness_.Warn(mono_, membership_), Names{});
  mono_ += kWarnAfterMs - 1;
  EXPECT_EQ(readiness_.Warn(mono_, membership_), Names{});
  mono_ += 1000;
  EXPECT_EQ(readiness_.Warn(mono_, membership_),
            (Names{"not ready: waiting for s:1 to answer: its name is being resolved",
                   "seed s:1 is not linked: its name is being resolved"}));
}

// --- who was heard

TEST_F(ReadinessAlone, WaitsForTheMapOfWhoWasLinked) {
  readiness_.OnLinked({"p", 1}, Covering(3), true, 9);
  keys_ = 4;
  EXPECT_EQ(Waits(), Names{"p holds what is not here and is not linked; waiting for its return (if it is gone for "
                           "good: leasemap forget p)"});
  Up("p");
  EXPECT_EQ(Waits(), Names{"catching up with p: 4 keys of 9 are here"});
  links_[0].up = false;
  EXPECT_EQ(Waits(), Names{"the handshake with p is under way"});
  vector_ = *Covering(2);
  EXPECT_EQ(Waits().size(), 1u);
  vector_ = *Covering(3);
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, EachOfThemIsWaitedFor) {
  readiness_.OnLinked({"a", 1}, Covering(1), true, 0);
  readiness_.OnLinked({"b", 1}, Covering(2), true, 0);
  readiness_.OnLinked({"c", 1}, Covering(1), true, 0);
  readiness_.OnLinked({"d", 1}, Covering(3), true, 0);
  vector_ = *Covering(1);
  const Names waits = Waits();
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_EQ(waits[0][0], 'b');
  EXPECT_EQ(waits[1][0], 'd');
}

TEST_F(ReadinessAlone, AnotherLinkThatIsUpCountsAndNotItsHandshake) {
  readiness_.OnLinked({"p", 1}, Covering(3), true, 0);
  Up("p").up = false;
  Up("p");
  Up("p").up = false;
  EXPECT_EQ(Waits(), Names{"catching up with p"});  // it did not say how many keys it has
}

TEST_F(ReadinessAlone, OfALinkedMemberALaterReportDoes) {
  readiness_.OnLinked({"p", 1}, Covering(3), true, 0);
  vector_ = *Covering(1);
  Readiness::Link& link = Up("p");
  link.report = Covering(1);
  EXPECT_EQ(Waits().size(), 1u);  // it was cut short
  link.report_whole = true;
  link.report = Covering(2);
  EXPECT_EQ(Waits().size(), 1u);
  link.report = Covering(1);
  link.up = false;
  EXPECT_EQ(Waits().size(), 1u);
  link.up = true;
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, AClaimThatCantBeTrueIsNotWaitedForForLong) {
  readiness_.OnLinked({"p", 1}, Covering(3), true, 0);
  vector_ = *Covering(1);
  Readiness::Link& link = Up("p");
  link.believable = Covering(1);
  link.opened = kStart;
  mono_ = kStart + timing_.ready_after - 1;
  EXPECT_EQ(Waits().size(), 1u);
  mono_ += 1;
  link.believable = Covering(2);
  EXPECT_EQ(Waits().size(), 1u);
  link.believable = nullptr;
  EXPECT_EQ(Waits().size(), 1u);
  link.believable = Covering(1);
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, AHelloCountsByWhatItSays) {
  const Names away = {
      "p holds what is not here and is not linked; waiting for its return (if it is gone for good: "
      "leasemap forget p)"};
  const Names cut = {"the handshake with p was cut; dialling it again"};
  readiness_.OnHello({"p", 2}, std::nullopt);
  EXPECT_EQ(Waits(), away);
  readiness_.OnHello({"p", 2}, true);
  EXPECT_EQ(Waits(), away);
  readiness_.OnHello({"p", 2}, false);
  EXPECT_EQ(Waits(), cut);
  readiness_.OnHello({"p", 1}, true);  // of an earlier process
  EXPECT_EQ(Waits(), cut);
  readiness_.OnHello({"p", 3}, true);
  EXPECT_EQ(Waits(), away);
  readiness_.OnHello({"p", 3}, false);
  mono_ = kStart + timing_.absent_after - 1;
  EXPECT_EQ(Waits(), cut);
  mono_ += 1;
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, WhatAnEarlierHandshakeToldIsForgottenWithItsProcess) {
  readiness_.OnLinked({"p", 1}, Covering(3), false, 0);
  vector_ = *Covering(3);
  Readiness other = readiness_;
  readiness_.OnHello({"p", 2}, true);
  EXPECT_EQ(Waits().size(), 1u);
  other.OnHello({"p", 1}, true);  // the same process: its report holds
  EXPECT_TRUE(other.Update(View()).seen);
}

TEST_F(ReadinessAlone, ARefusedHandshakeIsWaitedForOnlyIfAnEarlierOneTold) {
  readiness_.OnHello({"p", 1}, true);
  readiness_.OnHello({"q", 1}, true);
  readiness_.OnLinked({"r", 1}, Covering(3), true, 0);
  readiness_.OnHandshakeRefused("p");
  readiness_.OnHandshakeRefused("r");
  readiness_.OnHandshakeRefused("nobody");
  const Names waits = Waits();
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_EQ(waits[0][0], 'q');
  EXPECT_EQ(waits[1][0], 'r');
  EXPECT_TRUE(readiness_.Drop("q"));
  EXPECT_FALSE(readiness_.Drop("q"));
  EXPECT_EQ(Waits().size(), 1u);
  readiness_.DropAll();
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, WhoLeftIsNotWaitedForUnlessItWasHeardAgainSince) {
  readiness_.OnLinked({"p", 2}, Covering(3), true, 0);
  ASSERT_TRUE(membership_.Meet({"p", 1}, "p:1", mono_));
  membership_.Forget("p");
  EXPECT_EQ(Waits().size(), 1u);  // an earlier process of it left
  ASSERT_TRUE(membership_.Meet({"p", 2}, "p:1", mono_));
  EXPECT_EQ(Waits().size(), 1u);
  membership_.Forget("p");
  const Readiness::Change change = Update();
  EXPECT_TRUE(change.seen);
  ASSERT_EQ(change.log.size(), 2u);
  EXPECT_EQ(change.log[1].text, "this node begins with a part of the map: p left before all of it was here");
  EXPECT_TRUE(change.log[1].warning);
}

TEST_F(ReadinessAlone, AReadyMemberAnswersForThoseThatAreAway) {
  readiness_.OnLinked({"away", 1}, Covering(3), true, 0);
  readiness_.OnLinked({"p", 1}, Covering(1), true, 0);
  vector_ = *Covering(1);
  Up("p", false);
  EXPECT_EQ(Waits().size(), 2u);  // it has no map
  links_[0].has_map = true;
  links_[0].up = false;
  EXPECT_EQ(Waits().size(), 1u);
  links_[0].up = true;
  vector_ = VersionVector();
  EXPECT_EQ(Waits().size(), 2u);  // what it has is not here yet
  vector_ = *Covering(1);
  const Readiness::Change change = Update();
  EXPECT_TRUE(change.seen);
  EXPECT_EQ(change.log.size(), 1u);  // no doubt about it
}

TEST_F(ReadinessAlone, NoMoreAreHeardThanCanBeMembers) {
  for (size_t n = 0; n < kMaxMembers; ++n) readiness_.OnHello({absl::StrCat("m", n), 1}, true);
  readiness_.OnHello({"one more", 1}, true);
  EXPECT_EQ(Waits().size(), kMaxMembers);
  readiness_.OnHello({"m0", 1}, false);  // who is known is heard still
  EXPECT_EQ(Waits()[0], "the handshake with m0 was cut; dialling it again");
}

// --- members that have no map either

TEST_F(ReadinessAlone, AmongThoseWithoutAMapItWaitsUntilTheyAreSettled) {
  readiness_.OnLinked({"p", 1}, Covering(0), false, 0);
  Up("p", false);
  EXPECT_TRUE(Update().report);
  EXPECT_EQ(Waits(), Names{"p has no map yet either, and waits for others"});
  EXPECT_TRUE(readiness_.settled());
  EXPECT_FALSE(Update().report);
  Readiness other = readiness_;
  links_[0].settled = true;
  EXPECT_EQ(Waits(), Names{});
  links_[0].settled = false;
  other.HasFullMap(true);  // who has a map waits for none of them
  EXPECT_TRUE(other.Update(View()).seen);
}

TEST_F(ReadinessAlone, WhoCrashesAgainAndAgainHoldsUpNobody) {
  for (uint64_t n = 1; n <= 2; ++n) {
    readiness_.OnLinked({"p", n}, Covering(0), false, 0);
    readiness_.OnLinked({"p", n}, Covering(0), false, 0);  // of one process more than once
  }
  Up("p", false);
  EXPECT_EQ(Waits().size(), 1u);
  readiness_.OnLinked({"p", 3}, Covering(0), false, 0);
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, AfterAResetOnlyAReadyMembersMapWillDo) {
  needs_map_ = true;
  EXPECT_EQ(Waits(), Names{"this node gave its map up and takes it from a ready member; none is linked yet"});
  readiness_.OnLinked({"p", 1}, Covering(1), true, 0);
  vector_ = *Covering(1);
  Up("p");
  peers_map_ = false;
  EXPECT_EQ(Waits(), Names{"the map to which this node's own yields is not whole here yet; reads go on"});
  peers_map_ = true;
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, WithoutTheMapThatItsDiskHadOnlyAReadyMembersMapWillDo) {
  lost_map_ = true;
  EXPECT_EQ(Waits(),
            Names{"the map of this node was damaged on its disk, so it takes the map from a ready member; none "
                  "is linked yet"});
  readiness_.OnLinked({"p", 1}, Covering(1), true, 0);
  vector_ = *Covering(1);
  Up("p");
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, WaitsForAsManyAsAsked) {
  Readiness readiness(timing_, 3, kStart);
  readiness.OnLinked({"p", 1}, Covering(0), true, 0);
  readiness.Update(View());
  ASSERT_EQ(readiness.waits_for().size(), 1u);
  EXPECT_EQ(readiness.waits_for()[0].text, "2 of 3 members, this node included, have been linked (--min-members)");
  readiness.OnLinked({"q", 1}, Covering(0), true, 0);
  EXPECT_TRUE(readiness.Update(View()).seen);
}

// --- refusals

TEST_F(ReadinessAlone, ARefusalKeepsOutWhoIsLinkedWithNobody) {
  Refused("a:1", "a", "REASON", false);
  Refused("b:1", "", kOtherClusterReason, true);
  EXPECT_EQ(Waits(), (Names{absl::StrCat("refused by a (a:1): REASON: why"),
                            absl::StrCat("refused by b:1: ", kOtherClusterReason, ": why")}));
  readiness_.OnLinked({"p", 1}, Covering(0), false, 0);
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, LinkedWithoutAMapWhoHasItKeepsItOut) {
  readiness_.OnLinked({"p", 1}, Covering(0), false, 0);
  Refused("a:1", "a", "REASON", true);
  EXPECT_EQ(Waits().size(), 1u);
  Readiness with_map = readiness_, linked = readiness_, restarted = readiness_;
  with_map.HasFullMap(true);
  EXPECT_TRUE(with_map.Update(View()).seen);
  linked.OnLinked({"q", 1}, Covering(0), true, 0);
  linked.OnLinked({"r", 1}, Covering(0), false, 0);
  EXPECT_TRUE(linked.Update(View()).seen);
  restarted.OnLinked({"q", 1}, Covering(0), true, 0);
  restarted.Restart(mono_);
  EXPECT_FALSE(restarted.Update(View()).seen);
  Refused("a:1", "a", kOtherClusterReason, true);
  EXPECT_EQ(Waits(), Names{});
}

TEST_F(ReadinessAlone, AnEmptyBeginningIsDoubtedIfAMemberWithTheMapRefused) {
  readiness_.OnRefused({"a:1", "a", "REASON", "why", true, false});
  readiness_.OnRefused({"b:1", "b", "OTHER", "why", false, false});
  readiness_.OnRefused({"c:1", "c", kOtherClusterReason, "why", true, false});
  Readiness filled = readiness_, unnamed = readiness_;
  Readiness::Change change = Update();
  ASSERT_EQ(change.log.size(), 2u);
  EXPECT_EQ(change.log[1].text,
            "this node begins with an empty map, though a refused it (REASON: why); if that member had the cluster's "
            "map, what it held is not here");
  unnamed.OnRefused({"d:1", "", "REASON", "why", true, false});
  change = unnamed.Update(View());
  EXPECT_EQ(change.log[1].text.substr(0, 58), "this node begins with an empty map, though d:1 refused it ");
  keys_ = 1;
  EXPECT_EQ(filled.Update(View()).log.size(), 1u);
}

TEST_F(ReadinessAlone, WhoIsRefusedForItsNameEverywhereServesNoMore) {
  Update();
  ASSERT_TRUE(readiness_.ready());
  Refused("a:1", "a", kDuplicateIdReason, true, false);
  EXPECT_FALSE(Update().seen);  // another's name
  Refused("b:1", "b", kDuplicateIdReason, true, true);
  Up("p");
  EXPECT_FALSE(Update().seen);
  links_[0].up = false;
  Readiness::Change change = Update();
  EXPECT_TRUE(change.seen);
  EXPECT_TRUE(readiness_.shut_out());
  const std::string text =
      "another process runs as self, and the members refuse this one; stop one of the two, or give it another "
      "--node-id";
  EXPECT_EQ(Waits(), Names{text});
  ASSERT_EQ(change.log.size(), 1u);
  EXPECT_EQ(change.log[0].text, "not ready any more: " + text);
  EXPECT_TRUE(change.log[0].warning);
  EXPECT_FALSE(Update().seen);
  links_[0].up = true;
  change = Update();
  EXPECT_TRUE(change.seen);
  EXPECT_FALSE(readiness_.shut_out());
  EXPECT_EQ(Waits(), Names{});
  ASSERT_EQ(change.log.size(), 1u);
  EXPECT_EQ(change.log[0].text, "ready: this node's ID is its own again");
  EXPECT_FALSE(change.log[0].warning);
}

// --- another map

TEST_F(ReadinessAlone, ARestartForgetsWhatWasHeardAndBegins) {
  Update();
  readiness_.OnLinked({"p", 1}, Covering(3), true, 0);
  membership_.SetSeeds({"s:1"});
  mono_ = kStart + timing_.absent_after;
  readiness_.Restart(mono_);
  EXPECT_FALSE(readiness_.ready() || readiness_.has_full_map());
  EXPECT_EQ(Waits(), Names{"waiting for s:1 to answer: its name is being resolved"});
  EXPECT_EQ(readiness_.NextDue(mono_), mono_ + timing_.ready_after);
}

TEST_F(ReadinessAlone, AMapThatIsTakenBackIsAsItWas) {
  const auto after = [&](bool serves, bool full_map) {
    Readiness readiness(timing_, 1, kStart);
    readiness.OnLinked({"p", 1}, Covering(3), true, 0);
    readiness.TookBack(serves, full_map);
    return std::tuple(readiness.ready(), readiness.has_full_map(), readiness.Drop("p"));
  };
  EXPECT_EQ(after(true, true), std::tuple(true, true, false));
  EXPECT_EQ(after(false, true), std::tuple(false, true, false));
  EXPECT_EQ(after(false, false), std::tuple(false, false, true));
  EXPECT_EQ(after(true, false), std::tuple(true, false, true));
}

}  // namespace
}  // namespace leasemap::core
