// The addresses that a node dials: which are dropped in time, and which make room for new ones.
#include "peer/core/mesh/membership.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

class Addresses : public testing::Test {
 protected:
  // What is dialled now. Each dial is under way from then on.
  std::vector<std::string> Dials() {
    Effects effects;
    membership_.Tick(now_, effects);
    std::sort(effects.dial.begin(), effects.dial.end());
    return effects.dial;
  }
  // The same after some time, in which all that was due came.
  std::vector<std::string> DialsAfter(int64_t ms) {
    now_ += ms;
    return Dials();
  }
  void Resolve(std::vector<std::string> addresses) { membership_.OnResolved("seed:1", addresses, "", now_); }
  void Fail(const std::string& address) { membership_.OnDialFailed(address, "refused", now_); }
  void Meet(const std::string& node, const std::string& address) {
    ASSERT_TRUE(membership_.Meet({node, 1}, address, now_));
    membership_.LearnAddress(node, address, now_);
  }

  MonoTime now_{1'000'000};
  Membership membership_{{"self", 1}, {"seed:1"}, 1};
};

TEST_F(Addresses, WhatASeedsNameNoLongerStandsForIsDropped) {
  Resolve({"10.0.0.1:1", "10.0.0.2:1"});
  EXPECT_EQ(Dials(), (std::vector<std::string>{"10.0.0.1:1", "10.0.0.2:1"}));
  Fail("10.0.0.1:1");
  Resolve({"10.0.0.2:1", "10.0.0.3:1"});
  EXPECT_EQ(Dials(), std::vector<std::string>{"10.0.0.3:1"});
  EXPECT_EQ(membership_.targets(), 2u);  // 10.0.0.1 went; 10.0.0.2 is being dialled
  Resolve({"10.0.0.3:1"});
  Dials();
  EXPECT_EQ(membership_.targets(), 2u);
  Fail("10.0.0.2:1");  // a dial that ends leaves nothing behind
  EXPECT_EQ(membership_.targets(), 1u);
}

TEST_F(Addresses, ANameThatFailsKeepsWhatItStoodFor) {
  Resolve({"10.0.0.1:1"});
  membership_.OnResolved("seed:1", {}, "no such name", now_);
  DialsAfter(kTidyEveryMs);
  EXPECT_EQ(membership_.targets(), 1u);
}

TEST_F(Addresses, ThoseOfMembersThatLeftAreDroppedInTime) {
  Meet("a", "10.0.0.1:1");
  Meet("b", "10.0.0.2:1");
  DialsAfter(50);
  Fail("10.0.0.1:1");
  Fail("10.0.0.2:1");
  ASSERT_TRUE(membership_.Forget("a"));
  now_ += kTidyEveryMs;
  Dials();
  EXPECT_EQ(membership_.targets(), 1u);
}

TEST_F(Addresses, WhoRefusesHasAnswered) {
  Resolve({"10.0.0.1:1"});
  Dials();
  ASSERT_EQ(membership_.Unanswered().size(), 1u);
  EXPECT_EQ(membership_.Unanswered()[0].name, "10.0.0.1:1");
  membership_.OnSelf("10.0.0.1:1", now_);
  EXPECT_TRUE(membership_.Unanswered().empty());
  EXPECT_TRUE(membership_.UnlinkedSeeds().empty());  // it led here
  // Another has the address since.
  DialsAfter(100'000);
  membership_.OnRefused({"10.0.0.1:1", "other", "CLUSTER_MISMATCH", "why"}, now_);
  EXPECT_TRUE(membership_.Unanswered().empty());
  ASSERT_EQ(membership_.UnlinkedSeeds().size(), 1u);
  EXPECT_EQ(membership_.UnlinkedSeeds()[0].cause, "10.0.0.1:1: CLUSTER_MISMATCH: why");
  EXPECT_EQ(membership_.Refusals(now_, 1000).size(), 1u);
}

TEST_F(Addresses, TheLongestSilentAreNamedFirst) {
  Meet("b", "10.0.0.2:1");
  now_ += 10;
  Meet("a", "10.0.0.1:1");
  EXPECT_EQ(membership_.LongestSilent(MonoTime::Never()), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(membership_.LongestSilent(now_), std::vector<std::string>{"b"});
}

// A neighbour tells each time of all whom it relays.
TEST_F(Addresses, WhomANeighbourNoLongerRelaysItNoLongerHears) {
  Meet("a", "10.0.0.1:1");
  Meet("b", "10.0.0.2:1");
  const auto vector = std::make_shared<const VersionVector>();
  const auto relayed_by = [&](const std::string& node) { return membership_.members().at(node).relayed_by; };
  membership_.Relayed("near", {{{"a", 1}, vector}, {{"b", 1}, vector}}, now_);
  EXPECT_EQ(relayed_by("a"), "near");
  membership_.Relayed("far", {}, now_);
  EXPECT_EQ(relayed_by("a"), "near");
  membership_.Relayed("near", {{{"b", 1}, vector}}, now_);
  EXPECT_EQ(relayed_by("a"), "");
  EXPECT_EQ(relayed_by("b"), "near");
  // Of its successor nobody relayed anything.
  bool changed = false;
  membership_.Learn({{"b", 2}, "10.0.0.2:1", 0}, now_, &changed);
  EXPECT_TRUE(changed);
  EXPECT_EQ(relayed_by("b"), "");
  EXPECT_EQ(membership_.members().at("b").report, nullptr);
}

TEST_F(Addresses, WhoMeetsAgainNoLongerLeaves) {
  Meet("a", "10.0.0.1:1");
  membership_.HeardLeaving({"a", 1}, true);
  EXPECT_TRUE(membership_.members().at("a").leaving);
  Meet("a", "10.0.0.1:1");
  EXPECT_FALSE(membership_.members().at("a").leaving);
}

TEST_F(Addresses, BeyondTheBoundTheOneThatFailsForLongestMakesRoom) {
  std::vector<std::string> many;
  for (size_t n = 0; n < kMaxTargets; ++n) many.push_back(absl::StrCat("10.1.0.0:", 10'000 + n));
  Resolve(many);
  EXPECT_EQ(Dials().size(), kMaxTargets);
  // While all are being dialled none makes room.
  Meet("new", "10.9.0.1:1");
  EXPECT_EQ(membership_.targets(), kMaxTargets);
  EXPECT_TRUE(DialsAfter(50).empty());
  // Both failed, the second twice.
  Fail(many[0]);
  Fail(many[1]);
  while (DialsAfter(100).empty()) {
  }
  DialsAfter(5000);
  Fail(many[0]);
  Fail(many[1]);
  now_ += 20'000;
  const auto again = Dials();
  ASSERT_EQ(again.size(), 2u);
  Fail(many[1]);
  membership_.LearnAddress("new", "10.9.0.1:1", now_);
  EXPECT_EQ(membership_.targets(), kMaxTargets);
  EXPECT_EQ(DialsAfter(50), std::vector<std::string>{"10.9.0.1:1"});
}

TEST_F(Addresses, WhoAnsweredIsNotPushedOut) {
  std::vector<std::string> many;
  for (size_t n = 0; n < kMaxTargets; ++n) many.push_back(absl::StrCat("10.1.0.0:", 10'000 + n));
  Resolve(many);
  Dials();
  for (const std::string& address : many) {
    membership_.OnAnswered(address, "n");
    membership_.OnLost(address, now_);
  }
  Meet("new", "10.9.0.1:1");
  EXPECT_EQ(membership_.targets(), kMaxTargets);
  membership_.OnSelf(many[7], now_);  // led back to this node: of no use for the time being
  membership_.LearnAddress("new", "10.9.0.1:1", now_);
  const auto dials = DialsAfter(50);
  EXPECT_TRUE(std::count(dials.begin(), dials.end(), "10.9.0.1:1"));
}

}  // namespace
}  // namespace leasemap::core
