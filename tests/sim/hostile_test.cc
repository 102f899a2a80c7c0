// The hostile member: that its lies are what they are said to be, and that the checker of cut-offs objects when a node
// lets them pass, cuts off somebody else, or loses anything by them.
#include "tests/sim/hostile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peer/core/data/limits.h"
#include "tests/core/mesh.h"
#include "tests/sim/checkers/cut_offs.h"

namespace leasemap::sim {
namespace {

using testing::HasSubstr;

const core::ReplicaId kEvil{"evil", 5}, kGood{"good", 7};

core::EntryPtr Written(uint64_t seq) {
  auto entry = std::make_shared<core::Entry>();
  entry->key = "k";
  entry->dot = {kEvil, seq};
  return entry;
}

// An adversary who goes this way.
Hostile Going(Hostile::Way way) {
  for (uint64_t seed = 1;; ++seed) {
    if (Hostile hostile(seed); hostile.goes(way)) return hostile;
  }
}

TEST(Hostile, SaysTheSameAgain) {
  for (uint64_t seed = 1; seed < 50; ++seed) {
    Hostile one(seed), two(seed);
    EXPECT_EQ(one.Describe(), two.Describe());
    for (int n = 0; n < 20; ++n) {
      const auto first = one.Tamper(kEvil, {kGood, 3}, core::Live{{Written(1)}});
      const auto second = two.Tamper(kEvil, {kGood, 3}, core::Live{{Written(1)}});
      EXPECT_EQ(first.size(), second.size());
    }
  }
}

TEST(Hostile, ReportsWhatTheReceiverNeverMade) {
  Hostile hostile = Going(Hostile::Way::kUnmade);
  int lies = 0;
  for (int n = 0; n < 100; ++n) {
    for (const auto& sent : hostile.Tamper(kEvil, {kGood, 3}, core::Report{})) {
      const auto* report = sent ? std::get_if<core::Report>(&*sent) : nullptr;
      if (report == nullptr) continue;
      const auto run = report->vector->runs().find(kGood);
      lies += run != report->vector->runs().end() && run->second.Top() > 3;
    }
  }
  EXPECT_GT(lies, 5);
}

TEST(Hostile, WritesFromTheFutureUnderItsOwnNameOnly) {
  Hostile hostile = Going(Hostile::Way::kBogus);
  auto others = std::make_shared<core::Entry>(*Written(1));
  others->dot.replica = kGood;
  int lies = 0;
  for (int n = 0; n < 100; ++n) {
    for (const auto& sent : hostile.Tamper(kEvil, {kGood, 3}, core::Live{{Written(1), others}})) {
      const auto* live = sent ? std::get_if<core::Live>(&*sent) : nullptr;
      if (live == nullptr || live->entries.empty()) continue;
      EXPECT_EQ(*live->entries[1], *others);
      lies += core::IsBogus(core::ReachOf({}, 0), *live->entries[0]);
    }
  }
  EXPECT_GT(lies, 20);
}

// good is linked with evil and with other.
class CutOffs : public testing::Test {
 protected:
  CutOffs() : checker_([](const std::string&) { return uint64_t{0}; }) {
    good_ = mesh_.Add("good");
    const int evil = mesh_.Add("evil"), other = mesh_.Add("other");
    link_ = mesh_.Connect(good_, evil);
    others_ = mesh_.Connect(good_, other);
    mesh_.Advance(500);
  }
  // What the checker says when good was sent this (null: junk) and did that.
  template <typename F>
  std::string Sent(bool hostile, const core::Message* message, F does) {
    const CutOffChecker::Sender sender{"evil", hostile, hostile};
    checker_.Before(mesh_[good_], link_, sender, message, mesh_.now(good_));
    does();
    return checker_.After(mesh_[good_], link_, sender);
  }
  void CutOff() { mesh_[good_].OnMalformed(mesh_.now(good_), link_, "junk"); }

  core::Mesh mesh_;
  CutOffChecker checker_;
  int good_ = 0;
  core::LinkId link_{}, others_{};
};

TEST_F(CutOffs, ThatDoNotCome) {
  const auto idle = [] {};
  core::VersionVector vector;
  vector.Add(mesh_[good_].self(), 1, 7);
  core::Report report;
  report.vector = std::make_shared<const core::VersionVector>(vector);
  const core::Message unmade = report, nothing = core::Live{}, session = core::SessionRequest{};
  EXPECT_THAT(Sent(true, nullptr, idle), HasSubstr("did not cut off evil"));
  EXPECT_THAT(Sent(true, &unmade, idle), HasSubstr("did not cut off evil"));
  for (int64_t n = 0; n < core::kSessionBurst + core::kSessionsPerSecond; ++n) {
    EXPECT_EQ(Sent(true, &session, idle), "");
  }
  EXPECT_THAT(Sent(true, &session, idle), HasSubstr("did not cut off evil"));
}

TEST_F(CutOffs, ThatAFloodDoesNotBring) {
  const auto idle = [] {};
  const core::Message nothing = core::Live{};
  for (int64_t n = 0; n < core::kControlBurst + core::kControlPerSecond; ++n) {
    ASSERT_EQ(Sent(true, &nothing, idle), "");
  }
  EXPECT_THAT(Sent(true, &nothing, idle), HasSubstr("did not cut off evil"));
}

TEST_F(CutOffs, ThatHitTheHonest) {
  EXPECT_THAT(Sent(false, nullptr, [&] { CutOff(); }), HasSubstr("an honest member"));
}

TEST_F(CutOffs, ThatAreInOrder) {
  EXPECT_EQ(Sent(true, nullptr, [&] { CutOff(); }), "");
  EXPECT_EQ(checker_.seen(), 1u);
}

TEST_F(CutOffs, WhoHearsOnWritesFromTheFuture) {
  auto bogus = std::make_shared<core::Entry>(*Written(1));
  bogus->lease.epoch = UINT64_MAX;
  const core::Message live = core::Live{{bogus}};
  EXPECT_THAT(Sent(true, &live, [] {}), HasSubstr("hears on"));
}

TEST_F(CutOffs, WhoLosesOthersOrItself) {
  const core::Message nothing = core::Live{};
  const auto lose = [&] {
    for (const core::LinkId link : {link_, others_}) mesh_[good_].OnClosed(mesh_.now(good_), link);
  };
  EXPECT_THAT(Sent(true, &nothing, lose), HasSubstr("lost links"));
  core::Accept accept;
  core::VersionVector vector;
  vector.Add({"good", mesh_[good_].self().incarnation + 1}, 1, 1);
  accept.report.vector = std::make_shared<const core::VersionVector>(vector);
  const auto outrun = [&] {
    const core::LinkId link = Next(mesh_.Dial(1, good_));
    core::Hello hello;
    hello.cluster = "leasemap";
    hello.period_ms = mesh_[good_].options().rules.period_ms;
    hello.self = {"evil", 99};
    hello.wall_ms = accept.wall_ms = mesh_.now(good_).wall_ms;
    mesh_[good_].OnMessage(mesh_.now(good_), link, hello);
    mesh_[good_].OnMessage(mesh_.now(good_), link, accept);
  };
  EXPECT_THAT(Sent(true, &nothing, outrun), HasSubstr("began anew"));
}

}  // namespace
}  // namespace leasemap::sim
