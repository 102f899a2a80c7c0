// Explain: every member's view of one key, and what is said of members that do not answer.
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

TEST(Explain, TheTextOfARankComparesAsTheRankDoes) {
  std::mt19937 random(7);
  const auto name = [&](std::initializer_list<const char*> names) {
    return *(names.begin() + random() % names.size());
  };
  const auto number = [&](std::initializer_list<uint64_t> all) { return *(all.begin() + random() % all.size()); };
  const auto make = [&] {
    Entry entry;
    entry.key = "k";
    entry.lease.epoch = number({1, 2, UINT64_MAX});
    entry.lease.start_s = static_cast<int64_t>(number({0, 1, uint64_t{1} << 40}));
    entry.lease.holder = name({"a", "ab", "b", "\xc3\xbc"});
    entry.stamp = number({1, uint64_t{1} << 60});
    entry.dot.replica.node = name({"a", "ab", "b"});
    entry.dot.replica.incarnation = number({1, uint64_t{1} << 63});
    entry.dot.seq = number({1, 300});
    entry.value_dot.seq = number({0, 1});  // 0: it set its value itself
    entry.value_stamp = entry.value_dot.seq == 0 ? 0 : number({1, uint64_t{1} << 59});
    return entry;
  };
  for (int i = 0; i < 20'000; ++i) {
    const Entry a = make(), b = make();
    EXPECT_EQ(CompareRank(a, b), RankText(a) <=> RankText(b)) << RankText(a) << "\n" << RankText(b);
  }
}

class Explained : public ::testing::Test {
 protected:
  void Start(const std::vector<std::string>& ids) {
    for (const auto& id : ids) mesh_.Add(id);
    for (size_t i = 0; i < ids.size(); ++i) {
      for (size_t j = i + 1; j < ids.size(); ++j) links_[{i, j}] = mesh_.Connect(i, j);
    }
    mesh_.Advance(500);
  }
  WaitId Ask(const std::string& key, int64_t patience_ms = INT64_MAX) {
    const auto wait = mesh_[0].Explain(mesh_.now(0), key, patience_ms);
    EXPECT_THAT(wait, IsOk());
    return wait.ok() ? *wait : 0;
  }
  Mesh mesh_;
  std::map<std::pair<int, int>, LinkId> links_;
};

TEST_F(Explained, AllMembersAnswerAtOnce) {
  Start({"a", "b", "c"});
  ASSERT_THAT(mesh_.Set(1, "k", "value"), IsOk());
  mesh_.Settle();
  const WaitId wait = Ask("k"), none = Ask("nothing");
  mesh_.Settle();
  const auto* answer = mesh_.Answer(0, wait);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->explanation->views.size(), 3u);
  for (const auto& view : answer->explanation->views) {
    EXPECT_TRUE(view.asked);
    EXPECT_TRUE(view.answered);
    ASSERT_TRUE(view.entry);
    EXPECT_EQ(VersionOf(view.entry->dot), VersionOf(mesh_[1].Get(mesh_.now(1), "k")->dot));
    EXPECT_EQ(RankText(*view.entry), RankText(*mesh_[0].Get(mesh_.now(0), "k")));
    EXPECT_TRUE(view.lag_known);
    EXPECT_EQ(view.lag, 0u);
  }
  ASSERT_TRUE(mesh_.Answer(0, none));
  for (const auto& view : mesh_.Answer(0, none)->explanation->views) EXPECT_FALSE(view.entry);
}

TEST_F(Explained, ASilentMemberIsShownByWhatItReportedLast) {
  Start({"a", "b", "c"});
  mesh_.Freeze(links_[{0, 2}]);
  mesh_.Freeze(links_[{1, 2}]);
  for (int i = 0; i < 5; ++i) ASSERT_THAT(mesh_.Set(0, "k", absl::StrCat(i)), IsOk());
  mesh_.Settle();
  const WaitId wait = Ask("k"), hurried = Ask("k", 100);
  mesh_.Advance(90);
  EXPECT_TRUE(mesh_.Answer(0, hurried));
  EXPECT_FALSE(mesh_.Answer(0, wait));
  mesh_.Advance(920);
  const auto* answer = mesh_.Answer(0, wait);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->explanation->views[1].answered);
  const MemberView& silent = answer->explanation->views[2];
  EXPECT_TRUE(silent.asked);
  EXPECT_FALSE(silent.answered);
  EXPECT_EQ(silent.lag, 5u);
  EXPECT_GE(silent.age_ms, 0);
}

TEST_F(Explained, VersionsThatDoNotMeetAreRefused) {
  mesh_.Add("a");
  NodeOptions later = Mesh::Options("b");
  later.protocol_min = later.protocol_max = kProtocolMax + 1;
  mesh_.Add(later);
  mesh_.Connect(0, 1);
  EXPECT_TRUE(mesh_.Logged(0, "PROTOCOL_MISMATCH"));
}

TEST_F(Explained, IsBoundedAndCanBeCancelled) {
  Start({"a", "b"});
  mesh_.Freeze(links_[{0, 1}]);
  WaitId last = 0;
  for (size_t i = 0; i < kMaxExplains; ++i) last = Ask("k");
  EXPECT_THAT(mesh_[0].Explain(mesh_.now(0), "k", 1000), HasReason("WAIT_LIMIT"));
  EXPECT_TRUE(mesh_[0].CancelWait(last));
  EXPECT_NE(Ask("k"), 0u);
  EXPECT_THAT(mesh_[0].Explain(mesh_.now(0), "", 1000), HasReason("KEY_INVALID"));
}

}  // namespace
}  // namespace leasemap::core
