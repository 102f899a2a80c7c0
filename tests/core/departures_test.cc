// Who leaves, who is taken for gone, and who crashed under a name that will not come back.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

TEST(GenerationTest, AnOwnWordStandsAboveWhatOthersSay) {
  const uint64_t left = Generation::Leave(0);
  EXPECT_TRUE(Generation::IsGone(left) && Generation::HasLeft(left));
  EXPECT_EQ(Generation::Leave(left), left);
  // Forgotten and back, again and again: never as high.
  uint64_t count = 0;
  for (int n = 0; n < 1000; ++n) {
    EXPECT_FALSE(Generation::IsGone(count));
    EXPECT_TRUE(Generation::IsGone(++count));
    EXPECT_FALSE(Generation::HasLeft(count));
    count = Generation::Back(count);
  }
  EXPECT_LT(count, left);
  EXPECT_GT(Generation::Leave(count), count);
  // What an older peer makes of it by raising it does not make it a member.
  EXPECT_TRUE(Generation::HasLeft(Generation::Settled(left + 1)));
  const uint64_t back = Generation::Back(left);
  EXPECT_FALSE(Generation::IsGone(back));
  EXPECT_GT(back, Generation::Settled(left + 1));
  EXPECT_GT(Generation::Leave(back), back);
}

// a leaves; what it says goes over three slow links. Each order in which b, c and d hear of it, from a itself or from
// one another, and with a's link to one of them ending before its word arrives.
class Leaving : public testing::TestWithParam<std::vector<int>> {};

TEST_P(Leaving, IsNotUndoneByWhoHearsOfItFromOthers) {
  for (int never = -1; never < 3; ++never) {
    Mesh mesh;
    for (const char* id : {"a", "b", "c", "d"}) mesh.Add(id);
    std::vector<LinkId> with_a;
    for (int i = 1; i < 4; ++i) with_a.push_back(mesh.Connect(0, i));
    for (int i = 1; i < 4; ++i) {
      for (int j = i + 1; j < 4; ++j) mesh.Connect(i, j);
    }
    mesh.Advance(1000);
    ASSERT_EQ(mesh[1].GetStatus().remembered, 4u);
    for (const LinkId link : with_a) mesh.Freeze(link);
    mesh[0].Leave(mesh.now(0));
    mesh.Settle();
    for (const int next : GetParam()) {
      if (next == never) continue;
      mesh.Thaw(with_a[static_cast<size_t>(next)]);
      mesh.Advance(300);
    }
    for (const LinkId link : with_a) mesh.Break(link);
    mesh.Advance(300);
    for (int i = 1; i < 4; ++i) EXPECT_EQ(mesh[i].GetStatus().remembered, 3u) << i << ", never heard: " << never;
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, Leaving,
                         testing::Values(std::vector{0, 1, 2}, std::vector{0, 2, 1}, std::vector{1, 0, 2},
                                         std::vector{1, 2, 0}, std::vector{2, 0, 1}, std::vector{2, 1, 0}));

// It was forgotten by mistake, and is there.
TEST(Returning, WhoIsThereAndDidNotSayThatItLeavesIsAMember) {
  Mesh mesh;
  for (const char* id : {"a", "b", "c"}) mesh.Add(id);
  const LinkId ab = mesh.Connect(0, 1);
  mesh.Connect(1, 2);
  mesh.Connect(0, 2);
  mesh.Advance(1000);
  mesh.Break(ab);
  ASSERT_THAT(mesh[1].Forget(mesh.now(1), "a"), IsOk());
  mesh.Advance(1000);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(mesh[i].GetStatus().remembered, 3u) << i;
}

TEST(Returning, ANewHandshakeOfTheSameProcessIsAReturn) {
  Mesh mesh;
  for (const char* id : {"a", "b", "c"}) mesh.Add(id);
  mesh.Connect(0, 1);
  mesh.Connect(1, 2);
  mesh.Advance(1000);
  mesh[0].Leave(mesh.now(0));
  mesh.Advance(300);
  ASSERT_EQ(mesh[2].GetStatus().remembered, 2u);
  const Image image = mesh[0].TakeImage();
  mesh.Restart(0, &image);
  mesh.Connect(0, 1);
  mesh.Advance(1000);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(mesh[i].GetStatus().remembered, 3u) << i;
}

// --- names that come and go

// Two that stay, and one place in which ever new names come, write one key each, and leave.
class ComeAndGo : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* id : {"A", "B"}) mesh_.Add(id);
    mesh_.Add("pod-0");
    mesh_.Connect(0, 1);
    mesh_.Advance(1000);
    ASSERT_THAT(mesh_.Set(0, "first", "x"), IsOk());
  }
  void Visit(int n) {
    mesh_.Skip(5);
    mesh_.Replace(2, Mesh::Options("pod-" + std::to_string(n)));
    Join();
    ASSERT_TRUE(mesh_[2].ready()) << n;
    ASSERT_THAT(mesh_.Set(2, "k" + std::to_string(n % 100), std::to_string(n), "h"), IsOk()) << n;
    mesh_.Settle();
    mesh_[2].Leave(mesh_.now(2));
    mesh_.Settle();
  }
  // Ten seconds, after which all look what can be folded: with some heartbeats, so that links stay.
  void Pass() {
    for (int64_t ms = 0; ms < kCollectEveryMs; ms += kSilentMs - 1000) {
      mesh_.Skip(kSilentMs - 1020);
      mesh_.Advance(20);
    }
  }
  void Join() {
    mesh_.Connect(2, 0);
    mesh_.Connect(2, 1);
    mesh_[2].Tick(mesh_.now(2));
    mesh_.Settle();
  }
  std::string CursorOf(int i) {
    auto watch = mesh_[i].StartWatch(mesh_.now(i), {}, true, "");
    EXPECT_THAT(watch, IsOk());
    for (auto batch = mesh_[i].ReadWatch(mesh_.now(i), *watch); batch.ok();
         batch = mesh_[i].ReadWatch(mesh_.now(i), *watch)) {
      if (!batch->cursor.empty()) return batch->cursor;
    }
    ADD_FAILURE();
    return "";
  }
  std::string Resume(int i, const std::string& cursor, size_t* events) {
    *events = 0;
    auto watch = mesh_[i].StartWatch(mesh_.now(i), {}, false, cursor);
    if (!watch.ok()) return ReasonOf(watch.status());
    for (int n = 0; n < 200; ++n) {
      auto batch = mesh_[i].ReadWatch(mesh_.now(i), *watch);
      if (!batch.ok()) return ReasonOf(batch.status());
      *events += batch->events.size();
      if (!batch->cursor.empty() || (batch->first && !batch->more)) return "";
      if (batch->empty()) mesh_.Advance(100);
    }
    return "never";
  }

  Mesh mesh_;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kNames = 2'500;  // more than twice what is known one by one
#else
constexpr int kNames = 10'000;
#endif

TEST_F(ComeAndGo, TenThousandNamesLeaveNoTrace) {
  std::string early, late;
  for (int n = 1; n <= kNames; ++n) {
    Visit(n);
    if (n % 50 == 0) Pass();
    if (n == kNames / 2) early = CursorOf(0);
    if (n == kNames - 100) late = CursorOf(0);
    if (n % 500 != 0) continue;
    for (int i = 0; i < 2; ++i) {
      EXPECT_LT(mesh_[i].vector().runs().size(), 120u) << i;
      EXPECT_LE(mesh_[i].GetUsage().members, kMaxMembers);
      EXPECT_LE(mesh_[i].GetUsage().folded, kMaxFolded);
      EXPECT_LE(mesh_[i].GetUsage().targets, 8u);
    }
  }
  mesh_.Replace(2, Mesh::Options("nobody"));
  for (int n = 0; n < 3; ++n) Pass();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(mesh_[i].GetStatus().remembered, 2u) << i;
    EXPECT_EQ(mesh_[i].vector().runs().size(), 1u) << i;  // of A: B wrote nothing
    EXPECT_TRUE(mesh_[i].GetStatus().converged);
    const std::string cursor = CursorOf(i);
    EXPECT_LT(cursor.size(), 300u);
    for (int j = 0; j < 2; ++j) {
      size_t events = 0;
      EXPECT_EQ(Resume(j, cursor, &events), "") << i << j;
      EXPECT_EQ(events, 0u) << i << j;
      EXPECT_EQ(Resume(j, late, &events), "") << i << j;
      EXPECT_EQ(events, 100u) << i << j;                                 // what was written since, and nothing twice
      EXPECT_EQ(Resume(j, early, &events), "CURSOR_EXPIRED") << i << j;  // of too many names ago
    }
  }
  EXPECT_EQ(mesh_[0].store().hash(), mesh_[1].store().hash());
  // A joiner gets it all, and lets nobody think that it lacks something.
  mesh_.Replace(2, Mesh::Options("last"));
  Join();
  Pass();
  EXPECT_EQ(mesh_[2].store().hash(), mesh_[0].store().hash());
  EXPECT_TRUE(mesh_[2].vector().Covers(mesh_[0].vector()) && mesh_[0].vector().Covers(mesh_[2].vector()));
  // An ACK_ALL is complete at once.
  WriteCommand command = mesh_.Command(0, "acked");
  command.ack.level = Ack::Level::kAll;
  const auto submitted = mesh_.Submit(0, command);
  ASSERT_THAT(submitted, IsOk());
  mesh_.Advance(300);
  ASSERT_NE(mesh_.Answer(0, submitted->wait), nullptr);
  EXPECT_THAT(mesh_.Answer(0, submitted->wait)->status, IsOk());
}

// --- names that crashed

// A cluster of two, and as many others as it remembers, that were linked with A and are silent.
class Crowded : public testing::Test {
 protected:
  void Crash(size_t names) {
    mesh_.Add("A");
    mesh_.Add("B");
    mesh_.Add("dead-0");
    mesh_.Connect(0, 1);
    for (size_t n = 0; n < names; ++n) {
      mesh_.Skip(10);
      mesh_.Replace(2, Mesh::Options("dead-" + std::to_string(n)));
      for (int i = 0; i < 2; ++i) mesh_.Connect(2, i);
      mesh_[2].Tick(mesh_.now(2));
      ASSERT_THAT(mesh_.Set(2, "k", std::to_string(n), "h"), IsOk());
      mesh_.Settle();
    }
    mesh_.Replace(2, Mesh::Options("new"));
  }
  Mesh mesh_;
};

TEST_F(Crowded, ANewcomerIsToldWhoIsSilentAndWhatToDo) {
  Crash(kMaxMembers - 1);
  ASSERT_EQ(mesh_[0].GetStatus().remembered, kMaxMembers + 1);
  mesh_.Connect(2, 0);
  EXPECT_EQ(mesh_[0].links().up(), 1u);
  for (const int i : {0, 2}) {
    for (const char* part : {"MEMBER_LIMIT", "dead-0, dead-1", "leasemap forget"}) EXPECT_TRUE(mesh_.Logged(i, part));
  }
  ASSERT_THAT(mesh_[0].Forget(mesh_.now(0), "dead-77"), IsOk());
  mesh_.Connect(2, 0);
  EXPECT_EQ(mesh_[0].links().up(), 2u);
}

TEST_F(Crowded, TheLongestSilentMakeRoom) {
  Crash(kMaxMembers - 1);
  mesh_.Advance(kGoneMs + 3000);
  EXPECT_EQ(mesh_[0].GetStatus().remembered, kMaxMembers - kMemberRoom + 1);
  EXPECT_TRUE(mesh_.Logged(0, "forgot dead-0: "));
  EXPECT_FALSE(mesh_.Logged(0, "forgot dead-100: "));
  for (int i = 0; i < 2; ++i) mesh_.Connect(2, i);
  mesh_.Advance(1000);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(mesh_[i].links().up(), 2u) << i;
  EXPECT_EQ(mesh_.Value(2, "k"), std::to_string(kMaxMembers - 2));
}

// What it reported is not here: it may be the only one that tells of it.
TEST_F(Crowded, WhoHasWhatThisNodeLacksIsWaitedFor) {
  Crash(kMaxMembers - 2);
  mesh_.Replace(2, Mesh::Options("dead-0"));
  const LinkId link = mesh_.Connect(2, 0);
  VersionVector claimed = mesh_[2].vector();
  claimed.Add({"lost", 7}, 1, 1);
  Report report;
  report.vector = std::make_shared<const VersionVector>(claimed);
  mesh_[0].OnMessage(mesh_.now(0), Next(link), report);
  mesh_.Replace(2, Mesh::Options("new"));
  mesh_.Advance(kGoneMs + 3000);
  EXPECT_LT(mesh_[0].GetStatus().remembered, kMaxMembers);
  EXPECT_FALSE(mesh_.Logged(0, "forgot dead-0: "));
  EXPECT_TRUE(mesh_.Logged(0, "forgot dead-1: "));
}

}  // namespace
}  // namespace leasemap::core
