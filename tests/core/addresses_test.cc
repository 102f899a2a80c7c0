// When addresses are dialled and names resolved, to the millisecond; what is said of those that do not answer.
#include <gtest/gtest.h>

#include <algorithm>
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

// The heartbeat is long, so that only addresses and seeds decide what is due.
Timing Slow() {
  Timing timing;
  timing.heartbeat = 1'000'000'000;
  return timing;
}

class Dialling : public testing::Test {
 protected:
  Names Tick() {
    Effects effects;
    membership_.Tick(now_, effects);
    resolved_ = effects.resolve;
    std::sort(effects.dial.begin(), effects.dial.end());
    return effects.dial;
  }
  Names TickAfter(int64_t ms) {
    now_ += ms;
    return Tick();
  }
  void Resolve(const Names& addresses, const std::string& name = "seed:1") {
    membership_.OnResolved(name, addresses, addresses.empty() ? "no such name" : "", now_);
  }
  void Fail(const std::string& address) { membership_.OnDialFailed(address, "refused", now_); }
  void Meet(const std::string& node, const std::string& address) {
    ASSERT_TRUE(membership_.Meet({node, 1}, address, now_));
    membership_.LearnAddress(node, address, now_);
  }
  int64_t DueIn() { return membership_.NextDue(now_) - now_; }
  static Names Shown(const std::vector<Unlinked>& all) {
    Names out;
    for (const Unlinked& one : all) out.push_back(absl::StrCat(one.name, ": ", one.cause));
    return out;
  }
  template <typename Call>
  bool Changes(Call call) {
    const uint64_t before = membership_.change();
    call();
    return membership_.change() > before;
  }

  MonoTime now_{1'000'000};
  Membership membership_{{"self", 1}, {"seed:1"}, 1, Slow()};
  Names resolved_;
};

// The least and the greatest time, over very many random seeds, until something is due after `call`.
template <typename Call>
std::pair<int64_t, int64_t> DueAfter(Call call) {
  const MonoTime now(1'000'000);
  int64_t least = INT64_MAX, most = 0;
  for (uint64_t seed = 1; seed <= 20'000; ++seed) {
    Membership membership({"self", 1}, {}, seed, Slow());
    call(membership, now);
    const int64_t due = membership.NextDue(now) - now;
    least = std::min(least, due);
    most = std::max(most, due);
  }
  return {least, most};
}
using Range = std::pair<int64_t, int64_t>;
constexpr char kAt[] = "a:1";

TEST(DialTimes, ANewAddressIsDialledWithinFiftyMilliseconds) {
  EXPECT_EQ(DueAfter([](Membership& m, MonoTime now) { m.LearnAddress("a", kAt, now); }), Range(0, 49));
}

TEST(DialTimes, BackOffDoublesFromATenthOfASecondToThree) {
  int failures = 0;
  const auto fail = [&](Membership& m, MonoTime now) {
    m.LearnAddress("a", kAt, now);
    for (int n = 0; n < failures; ++n) m.OnDialFailed(kAt, "refused", now);
  };
  failures = 1;
  EXPECT_EQ(DueAfter(fail), Range(50, 149));
  failures = 2;
  EXPECT_EQ(DueAfter(fail), Range(100, 299));
  failures = 4;
  EXPECT_EQ(DueAfter(fail), Range(400, 1199));
  failures = 9;
  const Range longest = DueAfter(fail);  // 1,500 to 4,499
  EXPECT_GE(longest.first, 1500);
  EXPECT_LT(longest.first, 1505);
  EXPECT_LT(longest.second, 4500);
  EXPECT_GE(longest.second, 4495);
  // An answer ends it.
  EXPECT_EQ(DueAfter([&](Membership& m, MonoTime now) {
              fail(m, now);
              m.OnAnswered(kAt, "a");
              m.OnLost(kAt, now);
            }),
            Range(50, 149));
}

TEST(DialTimes, WhoRefusesIsLeftAloneForASecond) {
  EXPECT_EQ(DueAfter([](Membership& m, MonoTime now) {
              m.LearnAddress("a", kAt, now);
              m.OnRefused({kAt, "a", "REASON", "why"}, now);
            }),
            Range(500, 1499));
}

TEST(DialTimes, AnAddressOfThisNodeIsTriedMoreAndMoreSeldom) {
  int times = 1;
  const auto self = [&](Membership& m, MonoTime now) {
    m.LearnAddress("a", kAt, now);
    for (int n = 0; n < times; ++n) m.OnSelf(kAt, now);
  };
  EXPECT_EQ(DueAfter(self), Range(500, 1499));
  times = 2;
  EXPECT_EQ(DueAfter(self), Range(1000, 2999));
  times = 9;
  const Range longest = DueAfter(self);  // 15,000 to 44,999
  EXPECT_GE(longest.first, 15'000);
  EXPECT_LT(longest.first, 15'050);
  EXPECT_LT(longest.second, 45'000);
  EXPECT_GE(longest.second, 44'950);
}

TEST(DialTimes, NamesAreResolvedEveryTwoSecondsAndSoonerIfTheyFail) {
  const auto resolved = [](const Names& addresses) {
    return [=](Membership& m, MonoTime now) {
      m.SetSeeds({"seed:1"});
      Effects effects;
      m.Tick(now, effects);
      m.OnResolved("seed:1", addresses, "", now);
      m.OnDialFailed("10.0.0.1:1", "", now);
      for (const auto& address : addresses) {  // only the name is left
        Effects dials;
        m.Tick(now, dials);
        ASSERT_EQ(dials.dial, Names{address});
      }
    };
  };
  EXPECT_EQ(DueAfter(resolved({})), Range(500, 999));
  EXPECT_EQ(DueAfter(resolved({"10.0.0.2:1"})), Range(2000, 2499));
}

// --- what is due

TEST_F(Dialling, NothingIsDueEarlierThanItIs) {
  EXPECT_EQ(DueIn(), -now_.ms());  // the seed, from the beginning on
  EXPECT_EQ(Tick(), Names{});
  EXPECT_EQ(resolved_, Names{"seed:1"});
  EXPECT_EQ(DueIn(), Slow().heartbeat);  // its name is being resolved
  Resolve({"10.0.0.1:1"});
  EXPECT_LE(DueIn(), 0);
  EXPECT_EQ(Tick(), Names{"10.0.0.1:1"});
  EXPECT_TRUE(resolved_.empty());
  const int64_t resolve_in = DueIn();
  EXPECT_GE(resolve_in, 2000);
  Fail("10.0.0.1:1");
  const int64_t dial_in = DueIn();
  EXPECT_LT(dial_in, 150);
  EXPECT_EQ(TickAfter(dial_in - 1), Names{});
  EXPECT_EQ(TickAfter(1), Names{"10.0.0.1:1"});
  EXPECT_EQ(DueIn(), resolve_in - dial_in);
  TickAfter(resolve_in - dial_in - 1);
  EXPECT_TRUE(resolved_.empty());
  TickAfter(1);
  EXPECT_EQ(resolved_, Names{"seed:1"});
}

TEST_F(Dialling, WhatChangesWhatIsDueIsSeen) {
  Tick();
  EXPECT_EQ(DueIn(), Slow().heartbeat);
  membership_.LearnAddress("a", "a:1", now_);
  const int64_t due = DueIn();
  EXPECT_LT(due, 50);
  EXPECT_EQ(TickAfter(due), Names{"a:1"});
  EXPECT_EQ(DueIn(), Slow().heartbeat);
  membership_.OnLost("a:1", now_);
  EXPECT_LT(DueIn(), 150);
  membership_.OnSelf("a:1", now_);
  EXPECT_GE(DueIn(), 500);
  membership_.OnLocal("here:1", now_);
  EXPECT_EQ(DueIn(), 0);
  membership_.SetSeeds({});
  membership_.SetSeeds({"seed:2"});
  EXPECT_LT(DueIn(), 0);
  Tick();
  Resolve({"b:1"}, "seed:2");
  Tick();
  Resolve({}, "seed:2");
  const int64_t again = DueIn();
  EXPECT_LT(again, 1000);
  membership_.SetSeeds({});
  EXPECT_EQ(DueIn(), Slow().heartbeat);
  // A dial that ends takes an address along that nobody has.
  membership_.SetSeeds({"seed:3"});
  Tick();
  Resolve({"c:1"}, "seed:3");
  EXPECT_LE(DueIn(), 0);
  membership_.SetSeeds({});
  EXPECT_EQ(DueIn(), Slow().heartbeat);
}

TEST(LinkedAddresses, AreLookedAtTogetherOnceAHeartbeat) {
  Timing timing;
  timing.heartbeat = 1000;
  Membership membership({"self", 1}, {}, 1, timing);
  const MonoTime now(1'000'300);
  ASSERT_TRUE(membership.Meet({"a", 1}, "a:1", now));
  membership.LinkUp({"a", 1}, {now, 1});
  membership.LearnAddress("a", "a:1", now);
  Effects effects;
  membership.Tick(now + 50, effects);
  EXPECT_TRUE(effects.dial.empty());
  EXPECT_EQ(membership.NextDue(now + 50), MonoTime(1'001'000));
  membership.Tick(MonoTime(1'001'000), effects);
  EXPECT_EQ(membership.NextDue(MonoTime(1'001'000)), MonoTime(1'002'000));
  membership.LinkDown("a", 0, MonoTime(1'001'500));
  membership.Tick(MonoTime(1'001'999), effects);
  EXPECT_TRUE(effects.dial.empty());
  membership.Tick(MonoTime(1'002'000), effects);
  EXPECT_EQ(effects.dial, Names{"a:1"});
  EXPECT_EQ(membership.NextDue(MonoTime(1'002'000)), MonoTime(1'003'000));  // the heartbeat
}

// --- whose an address is

TEST_F(Dialling, AnAddressIsOfWhoWasSaidToHaveItLast) {
  EXPECT_FALSE(Changes([&] { membership_.LearnAddress("a", "", now_); }));
  EXPECT_EQ(membership_.targets(), 0u);
  EXPECT_TRUE(Changes([&] { Meet("a", "x:1"); }));
  EXPECT_FALSE(Changes([&] { membership_.LearnAddress("a", "x:1", now_); }));
  Meet("b", "b:1");
  EXPECT_TRUE(Changes([&] { membership_.LearnAddress("b", "x:1", now_); }));
  EXPECT_FALSE(Changes([&] { membership_.OnAnswered("x:1", "b"); }));
  EXPECT_TRUE(Changes([&] { membership_.OnAnswered("x:1", "a"); }));
  // An address that led back to this node belongs to no member, even if a member is said to be there.
  EXPECT_TRUE(Changes([&] { membership_.OnSelf("x:1", now_); }));
  EXPECT_FALSE(Changes([&] { membership_.LearnAddress("a", "x:1", now_); }));
  EXPECT_EQ(membership_.targets(), 2u);
  Tick();
  EXPECT_EQ(membership_.targets(), 1u);
}

TEST_F(Dialling, WhatNobodyHasGoesWhenAddressesAreLookedThrough) {
  Tick();
  Resolve({"10.0.0.1:1"});
  EXPECT_EQ(Tick(), Names{"10.0.0.1:1"});
  membership_.OnAnswered("10.0.0.1:1", "stranger");
  Resolve({"10.0.0.2:1"});
  Tick();
  EXPECT_EQ(membership_.targets(), 2u);  // a link is on it
  now_ += kTidyEveryMs - 10;
  membership_.OnLost("10.0.0.1:1", now_);
  TickAfter(9);
  EXPECT_EQ(membership_.targets(), 2u);
  EXPECT_TRUE(Changes([&] { TickAfter(1); }));
  EXPECT_EQ(membership_.targets(), 1u);
}

TEST_F(Dialling, OtherAddressesOfANameAreLookedThroughAtOnce) {
  Tick();
  Resolve({"10.0.0.1:1"});
  Tick();
  membership_.OnAnswered("10.0.0.1:1", "stranger");
  membership_.OnLost("10.0.0.1:1", now_);
  EXPECT_FALSE(Changes([&] { Resolve({"10.0.0.1:1"}); }));
  EXPECT_TRUE(Changes([&] { Resolve({"10.0.0.2:1"}); }));
  Tick();
  EXPECT_EQ(membership_.targets(), 1u);
  Resolve({"10.0.0.9:1"}, "another:1");  // no seed of this name
  EXPECT_EQ(membership_.targets(), 1u);
}

TEST_F(Dialling, AnAddressThatMakesRoomIsAChange) {
  Names many;
  for (size_t n = 0; n < kMaxTargets; ++n) many.push_back(absl::StrCat("10.1.0.0:", 10'000 + n));
  Resolve(many);
  Tick();
  Fail(many[7]);
  many[7] = "10.9.0.0:1";
  const uint64_t before = membership_.change();
  Resolve(many);
  EXPECT_EQ(membership_.change(), before + 2);  // the name stands for others, and one went
  EXPECT_EQ(membership_.targets(), kMaxTargets);
}

TEST_F(Dialling, AMemberThatMovedIsDialledWhereItIsNow) {
  Meet("a", "old:1");
  Meet("b", "b:1");
  membership_.LearnAddress("a", "older:1", now_);
  EXPECT_TRUE(Changes([&] { membership_.Moved("a", "new:1", now_); }));
  EXPECT_EQ(TickAfter(50), (Names{"b:1", "new:1"}));
  // What is dialled stays until that ends, and what a seed stands for, too.
  membership_.Moved("a", "newer:1", now_);
  EXPECT_EQ(membership_.targets(), 3u);
  Resolve({"newer:1"});
  EXPECT_EQ(TickAfter(50), Names{"newer:1"});
  Fail("newer:1");
  membership_.Moved("a", "newest:1", now_);
  EXPECT_EQ(membership_.targets(), 4u);
  EXPECT_FALSE(Changes([&] { membership_.Moved("a", "newest:1", now_); }));
  EXPECT_EQ(membership_.targets(), 4u);
  membership_.LearnAddress("a", "second:1", now_);
  EXPECT_TRUE(Changes([&] { membership_.Moved("a", "newest:1", now_); }));
  EXPECT_EQ(membership_.targets(), 4u);
}

TEST_F(Dialling, ANewAddressOfThisNodeIsAReasonToTryThoseThatLedBack) {
  Resolve({"10.0.0.1:1", "10.0.0.2:1"});
  Tick();
  for (const char* address : {"10.0.0.1:1", "10.0.0.2:1"}) membership_.OnSelf(address, now_);
  membership_.OnLocal("10.0.0.1:1", now_);
  EXPECT_EQ(Tick(), Names{"10.0.0.2:1"});
  membership_.OnSelf("10.0.0.2:1", now_);
  membership_.OnLocal("10.0.0.1:1", now_);  // it is known
  EXPECT_EQ(Tick(), Names{});
  for (size_t n = 1; n < kMaxLocals; ++n) membership_.OnLocal(absl::StrCat("10.0.1.1:", n), now_);
  EXPECT_EQ(Tick(), (Names{"10.0.0.1:1", "10.0.0.2:1"}));
  membership_.OnSelf("10.0.0.2:1", now_);
  membership_.OnLocal("one more:1", now_);
  EXPECT_EQ(Tick(), Names{});
}

TEST_F(Dialling, OtherSeedsKeepWhatTheyShareWithTheOnesBefore) {
  membership_.SetSeeds({"one:1", "two:1"});
  Tick();
  EXPECT_EQ(resolved_, (Names{"one:1", "two:1"}));
  Resolve({"10.0.0.1:1", "10.0.0.2:1"}, "one:1");
  Resolve({"10.0.0.2:1", "10.0.0.3:1"}, "two:1");
  EXPECT_EQ(membership_.targets(), 3u);
  EXPECT_TRUE(Changes([&] { membership_.SetSeeds({"two:1", "three:1"}); }));
  EXPECT_EQ(membership_.targets(), 2u);
  EXPECT_EQ(Tick(), (Names{"10.0.0.2:1", "10.0.0.3:1"}));
  EXPECT_EQ(resolved_, Names{"three:1"});
  // What is dialled, led back here, or is a member's stays though no seed stands for it.
  membership_.OnSelf("10.0.0.2:1", now_);
  membership_.SetSeeds({});
  EXPECT_EQ(membership_.targets(), 2u);
  Fail("10.0.0.3:1");
  EXPECT_EQ(membership_.targets(), 1u);
}

// --- what is said of them

TEST_F(Dialling, ARefusalHoldsUntilTheAddressFailedForLong) {
  Resolve({"10.0.0.1:1"});
  Tick();
  membership_.OnRefused({"10.0.0.1:1", "a", "REASON", "why"}, now_);
  const auto refused = [&] { return membership_.Refusals(now_, 1000).size(); };
  now_ += 5000;
  EXPECT_EQ(refused(), 1u);
  Fail("10.0.0.1:1");
  now_ += 600;
  Fail("10.0.0.1:1");
  now_ += 399;
  EXPECT_EQ(refused(), 1u);
  now_ += 1;
  EXPECT_EQ(refused(), 0u);
  membership_.OnRefused({"10.0.0.1:1", "a", "REASON", "why"}, now_);  // it is there again
  now_ += 5000;
  EXPECT_EQ(refused(), 1u);
  ASSERT_TRUE(membership_.Meet({"a", 1}, "10.0.0.1:1", now_));
  membership_.LearnAddress("a", "10.0.0.1:1", now_);
  membership_.LinkUp({"a", 1}, {now_, 1});
  EXPECT_EQ(refused(), 0u);
  membership_.LinkDown("a", 0, now_);
  EXPECT_EQ(refused(), 1u);
  membership_.OnAnswered("10.0.0.1:1", "a");
  EXPECT_EQ(refused(), 0u);
}

TEST_F(Dialling, AllAreTriedOnceEachAnsweredOrFailed) {
  EXPECT_FALSE(membership_.AllTried());
  EXPECT_EQ(Shown(membership_.Unanswered()), Names{"seed:1: its name is being resolved"});
  Resolve({});
  EXPECT_TRUE(membership_.AllTried());
  EXPECT_EQ(Shown(membership_.Unanswered()), Names{"seed:1: no such name"});
  Resolve({"1:1", "2:1", "3:1", "4:1", "5:1"});
  Meet("e", "5:1");
  membership_.LinkUp({"e", 1}, {now_, 1});
  Tick();
  const auto left = [&] { return membership_.Unanswered().size(); };
  EXPECT_EQ(left(), 4u);
  membership_.OnAnswered("1:1", "a");
  membership_.OnSelf("2:1", now_);
  membership_.OnRefused({"3:1", "c", "REASON", "why"}, now_);
  EXPECT_EQ(left(), 1u);
  EXPECT_FALSE(membership_.AllTried());
  EXPECT_EQ(Shown(membership_.Unanswered()), Names{"4:1: no answer yet"});
  Fail("4:1");
  EXPECT_TRUE(membership_.AllTried());
  EXPECT_EQ(Shown(membership_.Unanswered()), Names{"4:1: refused"});
}

TEST_F(Dialling, ASeedThatLeadsNowhereIsNamedWithItsCause) {
  const auto causes = [&] { return Shown(membership_.UnlinkedSeeds()); };
  EXPECT_EQ(causes(), Names{"seed:1: its name is being resolved"});
  Resolve({});
  EXPECT_EQ(causes(), Names{"seed:1: no such name"});
  Resolve({"1:1", "seed:1"});
  EXPECT_EQ(causes(), Names{"seed:1: no answer yet"});
  Tick();
  Fail("seed:1");
  EXPECT_EQ(causes(), Names{"seed:1: refused"});
  Fail("1:1");
  EXPECT_EQ(causes(), Names{"seed:1: 1:1: refused"});
  membership_.OnAnswered("1:1", "a");
  membership_.OnAnswered("seed:1", "a");
  EXPECT_EQ(causes(), Names{"seed:1: no answer yet"});
  Meet("a", "1:1");
  membership_.LinkUp({"a", 1}, {now_, 1});
  EXPECT_EQ(causes(), Names{});
}

TEST_F(Dialling, EachMemberThatIsAwayIsNamed) {
  Meet("b", "b:1");
  Meet("a", "a:1");
  Meet("gone", "g:1");
  Meet("linked", "l:1");
  membership_.LinkUp({"linked", 1}, {now_, 1});
  membership_.Forget("gone");
  Meet("z", "z:1");
  TickAfter(50);
  Fail("z:1");
  EXPECT_EQ(Shown(membership_.UnreachableMembers()),
            (Names{"a: a:1: not linked", "b: b:1: not linked", "z: z:1: refused"}));
}

}  // namespace
}  // namespace leasemap::core
