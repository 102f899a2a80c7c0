// Small promises of a node that no other test looks at: what it logs and reports of itself, and what it hears.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/explain.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

TEST(NodeStatusTest, IsConvergedWhileAllLinkedMembersCoverTheSame) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  mesh.Advance(1000);
  EXPECT_TRUE(mesh[a].GetStatus().converged);
  ASSERT_THAT(mesh.Set(a, "k", "v"), IsOk());
  EXPECT_FALSE(mesh[a].GetStatus().converged);
  mesh.Advance(1000);
  EXPECT_TRUE(mesh[a].GetStatus().converged);
  EXPECT_TRUE(mesh[b].GetStatus().converged);
  // Who is not linked does not count.
  mesh.Break(link);
  ASSERT_THAT(mesh.Set(a, "k", "w"), IsOk());
  EXPECT_TRUE(mesh[a].GetStatus().converged);
}

TEST(NodeLogTest, ReadyIsNoWarning) {
  Node node(Mesh::Options("a"), {MonoTime(1000), Mesh::kStart});
  int found = 0;
  for (int64_t mono = 1000; mono < 60'000; mono += 100) {
    node.Tick({MonoTime(mono), Mesh::kStart + mono - 1000});
    for (const auto& line : node.Take().log) {
      if (line.text.rfind("ready: ", 0) != 0) continue;
      ++found;
      EXPECT_FALSE(line.warning) << line.text;
    }
  }
  EXPECT_EQ(found, 1);
}

TEST(ForgetTest, SaysWhomItForgotOnce) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  mesh.Advance(500);
  mesh.Break(link);
  ASSERT_THAT(mesh[a].Forget(mesh.now(a), "b"), IsOk());
  mesh.Settle();
  EXPECT_TRUE(mesh.Logged(a, "forgot b"));
  const size_t lines = mesh.peer(a).log.size();
  ASSERT_THAT(mesh[a].Forget(mesh.now(a), "b"), IsOk());
  mesh.Settle();
  EXPECT_EQ(mesh.peer(a).log.size(), lines);
}

// A piece of a large message is a sign of life of its member, too.
TEST(PieceTest, ItsMemberIsHeard) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  mesh.Advance(500);
  const MonoTime before = mesh[a].GetStatus().members.at(0).heard_mono;
  mesh.Skip(700);
  mesh[a].OnPiece(mesh.now(a), link);
  EXPECT_EQ(mesh[a].GetStatus().members.at(0).heard_mono, mesh.mono());
  EXPECT_LT(before, mesh.mono());
  mesh[a].OnPiece(mesh.now(a), LinkId{1000});  // no link of this node
}

// A member that knows a later process of this name: the node reports itself under the new incarnation from then on.
TEST(OutrunTest, TheNewIncarnationIsWhatOthersKnow) {
  Mesh mesh;
  NodeOptions options = Mesh::Options("a");
  const int early = mesh.Add(options), b = mesh.Add("b");
  NodeOptions later = options;
  later.seed = 99;
  mesh.Advance(5000);
  const int old = mesh.Add(later);  // started later, and met b
  mesh.Connect(old, b);
  mesh.Advance(500);
  const ReplicaId met = mesh[old].self();
  ASSERT_LT(mesh[early].self(), met);
  mesh.Kill(old);
  mesh.Advance(kSilentMs + kNameHoldMs);
  mesh.Connect(early, b);
  mesh.Connect(early, b);
  mesh.Advance(500);
  EXPECT_LT(met, mesh[early].self());
  const NodeStatus status = mesh[b].GetStatus();
  ASSERT_EQ(status.members.size(), 1u);
  EXPECT_EQ(status.members[0].id, mesh[early].self());
  EXPECT_TRUE(status.members[0].linked);
  EXPECT_TRUE(mesh[b].GetStatus().converged);
}

TEST(UsageTest, CountsWhatIsHeld) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  mesh.Add("c");
  const LinkId link = mesh.Connect(a, b);
  mesh.Connect(a, 2);
  mesh.Advance(500);
  Usage usage = mesh[a].GetUsage();
  EXPECT_EQ(usage.links, 2u);
  EXPECT_EQ(usage.members, 2u);
  EXPECT_EQ(usage.own_log + usage.own_log_bytes + usage.requests + usage.waits + usage.explains, 0u);
  EXPECT_EQ(usage.conflicts + usage.conflict_bytes + usage.refusals + usage.quarantined + usage.folded, 0u);
  mesh.Freeze(link);
  WriteCommand command = mesh.Command(a, "k");
  command.request_id = "r";
  command.ack.level = Ack::Level::kAll;
  ASSERT_THAT(mesh.Submit(a, command), IsOk());
  ASSERT_THAT(mesh[a].Explain(mesh.now(a), "k", 1000), IsOk());
  usage = mesh[a].GetUsage();
  EXPECT_EQ(usage.own_log, 1u);
  EXPECT_GT(usage.own_log_bytes, 0u);
  EXPECT_EQ(usage.requests, 1u);
  EXPECT_EQ(usage.waits, 1u);
  EXPECT_EQ(usage.explains, 1u);
  EXPECT_EQ(usage.targets, 2u);
}

// Who comes when too many wait already is told when to try again.
TEST(LimitsTest, SayWhenToTryAgain) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  mesh.Freeze(mesh.Connect(a, b));
  for (size_t n = 0; n < kMaxExplains; ++n) {
    ASSERT_THAT(mesh[a].Explain(mesh.now(a), "k", INT64_MAX), IsOk());
  }
  const auto full = mesh[a].Explain(mesh.now(a), "k", INT64_MAX);
  EXPECT_THAT(full, HasReason("WAIT_LIMIT"));
  EXPECT_EQ(RetryMsOf(full.status()), 1000);
}

// Conflicts are told in messages of a bounded size, each of them once.
TEST(LostTest, ManyConflictsComeInSeveralMessages) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  WatchFilter lost;
  lost.kinds = {EventKind::kLost};
  Watch watch = *mesh[b].StartWatch(mesh.now(b), lost, false, "");
  ASSERT_THAT(mesh[b].ReadWatch(mesh.now(b), watch), IsOk());
  const std::string large(kWatchBatchBytes / 4, 'v');
  for (const char* key : {"k1", "k2", "k3", "k4", "k5"}) {
    ASSERT_THAT(mesh.Set(a, key, large), IsOk());
    ASSERT_THAT(mesh.Set(b, key, large + "b"), IsOk());
  }
  mesh.Connect(a, b);
  mesh.Advance(3000);
  ASSERT_EQ(mesh[b].replica().conflicts().total(), 5u);
  std::vector<size_t> sizes;
  for (bool more = true; more;) {
    const auto batch = mesh[b].ReadWatch(mesh.now(b), watch);
    ASSERT_THAT(batch, IsOk());
    sizes.push_back(batch->events.size());
    more = batch->more;
    ASSERT_LT(sizes.size(), 10u);
  }
  EXPECT_EQ(sizes, (std::vector<size_t>{1, 1, 1, 1, 1}));  // two entries each, of a quarter and a bit
}

TEST(ExplainTest, SaysHowOldWhatItKnowsOfAMemberIs) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  const LinkId link = mesh.Connect(a, b);
  mesh.Advance(500);
  mesh.Break(link);
  mesh.Advance(3000);
  const auto wait = mesh[a].Explain(mesh.now(a), "k", 1000);
  ASSERT_THAT(wait, IsOk());
  mesh.Settle();
  mesh.Advance(2000);
  const Effects::Answered* answer = mesh.Answer(a, *wait);
  ASSERT_NE(answer, nullptr);
  ASSERT_EQ(answer->explanation->views.size(), 2u);
  EXPECT_GE(answer->explanation->views[1].age_ms, 3000);
  EXPECT_LT(answer->explanation->views[1].age_ms, 10'000);
}

}  // namespace
}  // namespace leasemap::core
