// When a node serves: never with a map that is not there, and in the end always. Nodes dial and resolve by themselves
// here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

NodeOptions WithSeeds(const std::string& id, std::vector<std::string> seeds) {
  NodeOptions options = Mesh::Options(id);
  options.seeds = std::move(seeds);
  return options;
}

class ReadinessTest : public testing::Test {
 protected:
  ReadinessTest() { mesh_.DialThemselves(); }

  int Add(const std::string& id, std::vector<std::string> seeds = {}) {
    return mesh_.Add(WithSeeds(id, std::move(seeds)));
  }
  void Fill(int node, int keys = 2000) {
    for (int i = 0; i < keys; ++i) ASSERT_THAT(mesh_.Set(node, absl::StrCat("k", i), std::string(1000, 'v')), IsOk());
  }
  bool ready(int node) { return mesh_[node].ready(); }
  // The first thing that the node waits for.
  std::string Waits(int node) { return mesh_[node].waits_for().empty() ? "" : mesh_[node].waits_for().front().text; }
  // Moves on until the node is ready, for at most that long; it must have the map of `has` then.
  void ExpectReadyWithMapOf(int node, int has, int64_t within_ms) {
    for (int64_t ms = 0; ms < within_ms && !ready(node); ms += 10) {
      mesh_.Advance(10);
    }
    ASSERT_TRUE(ready(node)) << Waits(node);
    EXPECT_TRUE(mesh_[node].vector().Covers(mesh_[has].vector()));
  }

  Mesh mesh_;
};

#define EXPECT_HAS(text, part) EXPECT_THAT(text, testing::HasSubstr(part))

TEST_F(ReadinessTest, WithoutSeedsAtOnce) { EXPECT_TRUE(ready(Add("a"))); }

TEST_F(ReadinessTest, WaitsForTheReportOfWhoAnswers) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add(WithSeeds("b", {"a:1"}));
  for (int i = 0; i < 2000; ++i) ASSERT_THAT(mesh.Set(a, absl::StrCat("k", i), "v"), IsOk());
  mesh[b].Tick(mesh.now(b));
  mesh[b].OnResolved(mesh.now(b), "a:1", {"a:1"});
  mesh.Settle();
  EXPECT_FALSE(mesh[b].ready());
  ASSERT_EQ(mesh.peer(b).dialed, std::vector<std::string>{"a:1"});
  mesh.Dial(b, a);
  // However few messages were delivered: never ready before all is there.
  bool told = false;
  while (mesh.Settle(1) == 1) {
    mesh[b].Tick(mesh.now(b));
    for (const auto& wait : mesh[b].waits_for()) told |= absl::StrContains(wait.text, "keys of 2000 are here");
    if (mesh[b].ready()) {
      EXPECT_TRUE(mesh[b].vector().Covers(mesh[a].vector()));
    }
  }
  EXPECT_TRUE(mesh[b].ready());
  EXPECT_TRUE(told);
}

// A member that moved is refused for ten seconds by those who heard it elsewhere: that is no matter of their own names.
TEST_F(ReadinessTest, WhoRefusesAMemberThatMovedIsReadyAllTheSame) {
  const int a = Add("a"), b = Add("b", {"a:1"});
  Fill(a, 10);
  mesh_.Advance(500);
  ASSERT_TRUE(ready(b));
  mesh_.Hang("slow:1");
  const int c = Add("c", {"a:1", "b:1", "moved:1", "slow:1"});
  mesh_.Advance(500);
  ASSERT_FALSE(ready(c));  // it has a map, and gives "slow:1" three seconds
  mesh_.Kill(a);
  NodeOptions moved = WithSeeds("a", {"b:1"});
  moved.advertise = "moved:1";
  mesh_.Add(moved);
  mesh_.Advance(4000);
  ASSERT_TRUE(mesh_.Logged(c, "refusing a (moved:1): DUPLICATE_NODE_ID")) << mesh_.peer(c).log.back();
  EXPECT_TRUE(ready(c)) << Waits(c);
}

TEST_F(ReadinessTest, ALinkThatIsLostInTheMiddleOfTheSessionIsWaitedFor) {
  const int a = Add("a");
  Fill(a, 500);
  const int b = Add("b", {"a:1"});
  while (mesh_[b].store().live_keys() < 100) mesh_[b].Tick(mesh_.now(b)), mesh_.Settle(1);
  mesh_.Cut(a, b);
  mesh_.Advance(30'000);
  EXPECT_FALSE(ready(b));
  EXPECT_HAS(Waits(b), "a holds what is not here and is not linked");
  EXPECT_TRUE(mesh_.Logged(b, "not ready: a holds what is not here"));
  mesh_.Mend(a, b);
  ExpectReadyWithMapOf(b, a, 10'000);
}

TEST_F(ReadinessTest, AHelloCountsAsHeard) {
  const int a = Add("a");
  Fill(a, 10);
  const int b = Add("b", {"a:1"});
  mesh_[b].Tick(mesh_.now(b));
  while (!absl::StrContains(Waits(b), "handshake")) mesh_[b].Tick(mesh_.now(b)), mesh_.Settle(1);
  mesh_.Cut(a, b);
  mesh_.Advance(30'000);
  EXPECT_FALSE(ready(b));
  mesh_.Mend(a, b);
  ExpectReadyWithMapOf(b, a, 10'000);
}

// Seed 40758 of cold_start: the only seed said Hello, was still without a map itself, and the link broke. Readiness
// took the seed for one that had answered.
TEST_F(ReadinessTest, TheHelloOfWhoHasNoMapYetIsNoAnswer) {
  const int a = Add("a");
  Fill(a);
  const int seed = Add("seed", {"a:1"});
  mesh_[seed].Tick(mesh_.now(seed));
  mesh_.Settle(8);
  mesh_.Cut(a, seed);
  mesh_.Advance(1'000);
  const int b = Add("b", {"seed:1"});
  for (int i = 0; i < 50 && !absl::StrContains(Waits(b), "handshake"); ++i) {
    mesh_[b].Tick(mesh_.now(b));
    mesh_.Settle(1);
  }
  ASSERT_THAT(Waits(b), testing::HasSubstr("the handshake with seed"));
  ASSERT_FALSE(ready(seed));
  mesh_.Cut(seed, b);
  mesh_.Advance(5'000);
  EXPECT_FALSE(ready(b));
  EXPECT_HAS(Waits(b), "the handshake with seed was cut");
  mesh_.Mend(seed, b);
  mesh_.Mend(a, seed);
  ExpectReadyWithMapOf(b, a, 10'000);
}

// Seeds 60316 and 60581 of faults: the Hello of an earlier process was long on its way, and came after the handshake
// with the later one.
TEST_F(ReadinessTest, TheHelloOfAnEarlierProcessIsOfNoConsequence) {
  Readiness readiness({}, 1, MonoTime());
  const auto vector = std::make_shared<const VersionVector>();
  const Membership nobody({"self", 1}, {}, 1);
  const auto waits = [&] {
    Readiness::Link link;
    link.node = "peer";
    link.up = link.settled = true;
    link.report = vector;
    const ReplicaId self{"self", 1};
    Readiness judged = readiness;  // once it is ready it judges no more
    judged.Update({MonoTime(kReadyAfterMs), self, *vector, 0, false, false, nobody, {link}, [] { return true; }});
    return judged.waits_for().size();
  };
  readiness.OnLinked({"peer", 2}, vector, false, 0);
  EXPECT_EQ(waits(), 0u);
  readiness.OnHello({"peer", 1}, false);
  EXPECT_EQ(waits(), 0u);
  readiness.OnHello({"peer", 3}, false);
  EXPECT_EQ(waits(), 1u);  // until the handshake with it ends
}

TEST_F(ReadinessTest, WhatADeadMemberHeldIsGivenUpWhenAReadyOneAnswersWithoutIt) {
  const int a = Add("a");
  Fill(a, 500);
  const int b = Add("b", {"a:1", "c:1"});
  while (mesh_[b].store().live_keys() < 100) mesh_[b].Tick(mesh_.now(b)), mesh_.Settle(1);
  mesh_.Kill(a);
  mesh_.Advance(30'000);
  EXPECT_FALSE(ready(b));
  const int c = Add("c");
  ASSERT_TRUE(ready(c));
  ExpectReadyWithMapOf(b, c, 10'000);
}

TEST_F(ReadinessTest, WhatADeadMemberHeldIsGivenUpWhenItIsForgotten) {
  const int a = Add("a");
  Fill(a, 500);
  const int b = Add("b", {"a:1"});
  while (mesh_[b].store().live_keys() < 100) mesh_[b].Tick(mesh_.now(b)), mesh_.Settle(1);
  mesh_.Kill(a);
  mesh_.Advance(30'000);
  ASSERT_FALSE(ready(b));
  EXPECT_THAT(mesh_[b].Forget(mesh_.now(b), "a"), IsOk());
  mesh_.Advance(2000);
  EXPECT_TRUE(ready(b)) << Waits(b);
}

TEST_F(ReadinessTest, WithoutAMapASeedIsAbsentAfterTenSeconds) {
  const int b = Add("b", {"a:1"});
  mesh_.Advance(kAbsentAfterMs - 100);
  EXPECT_FALSE(ready(b));
  EXPECT_HAS(Waits(b), "waiting for a:1 to answer: connection refused");
  mesh_.Advance(1200);
  EXPECT_TRUE(ready(b));
}

TEST_F(ReadinessTest, WithAMapASeedIsAbsentOnceItFailed) {
  const int a = Add("a");
  Fill(a, 10);
  const Image image = mesh_[a].TakeImage();
  const int b = Add("b", {"c:1"});
  mesh_.Restart(b, &image);
  mesh_.Advance(100);
  EXPECT_TRUE(ready(b)) << Waits(b);
  // The map of a ready member is one, too.
  const int d = Add("d", {"a:1", "c:1"});
  ExpectReadyWithMapOf(d, a, 1000);
}

TEST_F(ReadinessTest, ANameThatHangsHoldsUpNoOther) {
  const int a = Add("a");
  Fill(a, 100);
  mesh_.Hang("dead:1");
  const int b = Add("b", {"dead:1", "a:1"});
  ExpectReadyWithMapOf(b, a, kReadyAfterMs + 100);
}

TEST_F(ReadinessTest, ANameIsAbsentOnlyOnceItsResolutionFailed) {
  mesh_.Hang("slow:1");
  const int b = Add("b", {"slow:1"});
  mesh_.Advance(kAbsentAfterMs + 5000);
  EXPECT_FALSE(ready(b));
  mesh_[b].OnResolved(mesh_.now(b), "slow:1", {}, "no such name");
  mesh_.Settle();
  EXPECT_TRUE(ready(b));
}

TEST_F(ReadinessTest, SeedsThatAreOnlyOneself) {
  mesh_.Name("all:1", {"a:1"});
  const int a = Add("a", {"all:1", "a:1"});
  mesh_.Advance(1000);
  EXPECT_TRUE(ready(a)) << Waits(a);
  EXPECT_TRUE(mesh_[a].GetStatus().unlinked_seeds.empty());
}

// A seed that has just begun again itself, and has not found the others yet.
TEST_F(ReadinessTest, ASeedWithoutAMapIsWaitedForUntilItHasOne) {
  const int a = Add("a");
  Fill(a, 500);
  const int b = Add("b", {"a:1"}), c = Add("c", {"b:1"});
  mesh_.Cut(a, b);
  mesh_.Cut(a, c);
  mesh_.Advance(5000);
  EXPECT_EQ(mesh_[c].links().up(), 1u);
  EXPECT_FALSE(ready(c));
  EXPECT_HAS(Waits(c), "b has no map yet either");
  mesh_.Mend(a, b);
  ExpectReadyWithMapOf(c, a, 10'000);
}

// Seed 80231 of faults: each time it started, the others began to wait for what it might hear.
TEST_F(ReadinessTest, AMemberThatCrashesAgainAndAgainHoldsUpNobody) {
  const std::vector<std::string> seeds = {"a:1", "b:1", "loops:1", "absent:1"};
  const int a = Add("a", seeds), b = Add("b", seeds), loops = Add("loops", seeds);
  for (int i = 0; i < 6 && !ready(a); ++i) {
    mesh_.Advance(5000);
    mesh_.Restart(loops);
  }
  EXPECT_TRUE(ready(a)) << Waits(a);
  EXPECT_TRUE(ready(b)) << Waits(b);
}

TEST_F(ReadinessTest, OneNameForAll) {
  mesh_.Name("all:1", {"a:1", "b:1", "c:1"});
  const int a = Add("a", {"all:1"}), b = Add("b", {"all:1"}), c = Add("c", {"all:1"});
  mesh_.Advance(1000);
  EXPECT_TRUE(ready(a) && ready(b) && ready(c));
  EXPECT_EQ(mesh_[a].links().up(), 2u);
}

TEST_F(ReadinessTest, ARefusalKeepsOutWhoWasNeverLinked) {
  NodeOptions other = Mesh::Options("a");
  other.cluster = "other";
  mesh_.Add(other);
  const int b = Add("b", {"a:1"});
  mesh_.Advance(30'000);
  EXPECT_FALSE(ready(b));
  EXPECT_HAS(Waits(b), "refused by");
  EXPECT_HAS(Waits(b), "CLUSTER_MISMATCH");
}

// An address that went to another cluster, or a member whose clock is off, has no say once the node is linked.
TEST_F(ReadinessTest, OneRefusalBlocksNobodyWhoIsLinkedWithTheMap) {
  const int a = Add("a");
  Fill(a, 10);
  NodeOptions other = Mesh::Options("x");
  other.cluster = "other";
  mesh_.Add(other);
  mesh_.Add(Mesh::Options("late"), 60'000);
  const int b = Add("b", {"a:1", "x:1", "late:1"});
  ExpectReadyWithMapOf(b, a, 1000);
}

TEST_F(ReadinessTest, AColdStartIsNotHeldUpByOneBadClockOrAnotherCluster) {
  NodeOptions other = Mesh::Options("x");
  other.cluster = "other";
  mesh_.Add(other);
  const std::vector<std::string> seeds = {"a:1", "b:1", "c:1", "x:1"};
  const int a = Add("a", seeds), b = Add("b", seeds), c = mesh_.Add(WithSeeds("c", seeds), 60'000);
  mesh_.Advance(kAbsentAfterMs + 2000);
  EXPECT_TRUE(ready(a)) << Waits(a);
  EXPECT_TRUE(ready(b)) << Waits(b);
  EXPECT_FALSE(ready(c));
  EXPECT_HAS(Waits(c), "MISMATCH");
}

// --lease-duration is changed by a rolling restart: the new ones link each other, and the last old one has the map.
TEST_F(ReadinessTest, LinkedWithWhoHasNoMapItIsStillKeptOut) {
  const std::vector<std::string> seeds = {"a:1", "b:1", "c:1"};
  const int a = Add("a");
  Fill(a, 10);
  NodeOptions options = WithSeeds("b", seeds);
  options.rules.period_ms = 60'000;
  const int b = mesh_.Add(options);
  options.node_id = "c";
  options.advertise = "c:1";
  const int c = mesh_.Add(options);
  mesh_.Advance(30'000);
  EXPECT_EQ(mesh_[b].links().up(), 1u);
  EXPECT_FALSE(ready(b));
  EXPECT_FALSE(ready(c));
  EXPECT_HAS(Waits(b), "LEASING_MISMATCH");
  // The old one is gone for good.
  mesh_.Kill(a);
  mesh_.Advance(kAbsentAfterMs + 8000);
  EXPECT_TRUE(ready(b)) << Waits(b);
  EXPECT_TRUE(mesh_.Logged(b, "begins with an empty map, though a:1 refused it")) << mesh_.peer(b).log.back();
}

TEST_F(ReadinessTest, WaitsForAsManyMembersAsAsked) {
  NodeOptions options = WithSeeds("a", {});
  options.min_members = 3;
  const int a = mesh_.Add(options);
  EXPECT_FALSE(ready(a));
  EXPECT_HAS(Waits(a), "1 of 3 members");
  const int b = Add("b", {"a:1"});
  mesh_.Advance(2000);
  EXPECT_FALSE(ready(a));
  mesh_.Kill(b);
  Add("c", {"a:1"});
  mesh_.Advance(kAbsentAfterMs + 500);  // c takes b for absent, and says so
  EXPECT_TRUE(ready(a)) << Waits(a);    // b was linked once
}

TEST_F(ReadinessTest, WhoLeavesTakesItsMapAlong) {
  const int a = Add("a");
  Fill(a, 500);
  const int b = Add("b", {"a:1"});
  while (mesh_[b].store().live_keys() < 100) mesh_[b].Tick(mesh_.now(b)), mesh_.Settle(1);
  mesh_[a].Leave(mesh_.now(a));
  mesh_.Settle(3);
  mesh_.Kill(a);
  mesh_.Advance(kAbsentAfterMs + 2000);
  EXPECT_TRUE(ready(b) || absl::StrContains(Waits(b), "a holds"));
}

// --- what is said of whom is not reached

TEST_F(ReadinessTest, ASeedThatIsNotLinkedIsWarnedOf) {
  const int a = Add("a", {"typo:1", "b:1"});
  mesh_.Name("typo:1", {});
  mesh_.Advance(5000);
  EXPECT_TRUE(mesh_.Logged(a, "seed typo:1 is not linked: no such name"));
  EXPECT_TRUE(mesh_.Logged(a, "seed b:1 is not linked: connection refused"));
  const auto status = mesh_[a].GetStatus();
  ASSERT_EQ(status.unlinked_seeds.size(), 2u);
  EXPECT_EQ(status.unlinked_seeds[1].name, "b:1");
  const auto lines = [&] {
    return std::count_if(mesh_.peer(a).log.begin(), mesh_.peer(a).log.end(),
                         [](const auto& line) { return absl::StrContains(line, "seed b:1"); });
  };
  mesh_.Advance(95'000);
  EXPECT_EQ(lines(), 4);  // after 3, 13, 33 and 73 s
  Add("b");
  mesh_.Advance(5000);
  EXPECT_EQ(mesh_[a].GetStatus().unlinked_seeds.size(), 1u);
}

TEST_F(ReadinessTest, AMemberThatIsAwayIsNamed) {
  const int a = Add("a"), b = Add("b", {"a:1"});
  mesh_.Advance(1000);
  EXPECT_TRUE(mesh_[a].GetStatus().unreachable_members.empty());
  mesh_.Kill(b);
  mesh_.Advance(1000);
  const auto status = mesh_[a].GetStatus();
  ASSERT_EQ(status.unreachable_members.size(), 1u);
  EXPECT_EQ(status.unreachable_members[0].name, "b");
  EXPECT_EQ(status.unreachable_members[0].cause, "b:1: connection refused");
}

// --- an address that leads back to this node

TEST_F(ReadinessTest, AnAddressThatLedBackIsTriedAgain) {
  mesh_.Name("service:1", {"service:1"});
  const int a = Add("a", {"service:1"}), b = Add("b");
  mesh_.Lead("service:1", a);
  mesh_.Advance(2000);
  EXPECT_TRUE(ready(a)) << Waits(a);
  mesh_.Lead("service:1", b);
  mesh_.Advance(kSelfRetryMs + 2000);
  EXPECT_EQ(mesh_[a].links().up(), 1u);
}

}  // namespace
}  // namespace leasemap::core
