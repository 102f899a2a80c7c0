// A watch that reconnects prints nothing twice, nothing older than it printed, and leaves nothing out.
#include "clients/cli/core/resume.h"

#include <gtest/gtest.h>

#include "clients/cli/core/request.h"

namespace leasemap::cli {
namespace {

v1::Event Make(v1::Event::Kind kind, const std::string& key, const std::string& version, int rank) {
  v1::Event event;
  event.set_kind(kind);
  PutKey(key, *event.mutable_entry());
  event.mutable_entry()->set_version(version);
  event.mutable_entry()->mutable_lease()->set_fencing_token(std::to_string(1000 + rank));
  return event;
}
v1::Event Set(const std::string& key, const std::string& version, int rank) {
  return Make(v1::Event::KIND_SET, key, version, rank);
}

TEST(ResumeFilter, DropsWhatWasPrintedSinceTheLastCursor) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v1", 1)));
  EXPECT_TRUE(filter.Admit(Set("b", "v2", 1)));
  filter.OnRestart();
  EXPECT_FALSE(filter.Admit(Set("a", "v1", 1)));
  EXPECT_TRUE(filter.Admit(Set("b", "v3", 2))) << "replaced meanwhile";
  EXPECT_TRUE(filter.Admit(Set("c", "v4", 1)));
}

TEST(ResumeFilter, ForgetsAtACursor) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v1", 1)));
  filter.OnCursor();
  EXPECT_TRUE(filter.Admit(Set("a", "v1", 1))) << "nothing from before a cursor comes again, so nothing is held";
}

TEST(ResumeFilter, NeverGoesBackWithinAKey) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v2", 2)));
  filter.OnRestart();
  EXPECT_FALSE(filter.Admit(Set("a", "v1", 1))) << "a node that has not caught up";
  EXPECT_FALSE(filter.Admit(Set("a", "v2", 2)));
  EXPECT_TRUE(filter.Admit(Make(v1::Event::KIND_DELETED, "a", "v3", 3)));
}

TEST(ResumeFilter, PrintsAStreamInItsOwnOrder) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v2", 2)));
  EXPECT_TRUE(filter.Admit(Set("a", "v1", 1))) << "the node's copy changed so";
}

TEST(ResumeFilter, PrintsWhatStandsInPlaceOfWhatDiedWithANode) {
  ResumeFilter filter;
  for (const char* key : {"a", "b", "c", "d", "e"}) EXPECT_TRUE(filter.Admit(Set(key, "v9", 9)));
  filter.OnRestart();
  EXPECT_FALSE(filter.Admit(Set("a", "v1", 1)));
  EXPECT_FALSE(filter.Admit(Make(v1::Event::KIND_DELETED, "b", "v2", 2)));
  EXPECT_EQ(filter.Unknown(), (std::vector<std::string>{"c", "d", "e"}));
  const v1::Event stands = Set("c", "v3", 3), same = Set("e", "v9", 9);
  filter.Learn("c", &stands.entry());
  filter.Learn("d", nullptr);
  filter.Learn("e", &same.entry());
  std::vector<std::string> printed;
  for (const v1::Event& event : filter.OnCursor()) {
    printed.push_back(KeyOf(event.entry()) + " " + v1::Event::Kind_Name(event.kind()) + " " + event.entry().version());
  }
  EXPECT_EQ(printed,
            (std::vector<std::string>{"a KIND_SET v1", "b KIND_DELETED v2", "c KIND_SET v3", "d KIND_DELETED "}));
  EXPECT_FALSE(filter.Admit(stands)) << "the stream brings what the node was asked for";
  EXPECT_TRUE(filter.Admit(Set("a", "v9", 9))) << "it was on its way after all";
}

TEST(ResumeFilter, AWriteThatComesAgainBeforeTheCursorWins) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v9", 9)));
  filter.OnRestart();
  EXPECT_FALSE(filter.Admit(Set("a", "v1", 1)));
  EXPECT_FALSE(filter.Admit(Set("a", "v9", 9)));
  EXPECT_TRUE(filter.OnCursor().empty());
}

TEST(ResumeFilter, WaitsAgainWhenTheStreamBreaksBeforeACursor) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v9", 9)));
  filter.OnRestart();
  EXPECT_FALSE(filter.Admit(Set("a", "v1", 1)));
  filter.OnRestart();
  EXPECT_EQ(filter.Unknown(), std::vector<std::string>{"a"});
  EXPECT_FALSE(filter.Admit(Set("a", "v9", 9)));
  EXPECT_TRUE(filter.OnCursor().empty());
}

TEST(ResumeFilter, ComparesHolderAndTimeWithinAToken) {
  ResumeFilter filter;
  v1::Event event = Set("a", "v1", 1);
  event.mutable_entry()->mutable_lease()->set_holder("m");
  event.mutable_entry()->mutable_update_time()->set_seconds(100);
  EXPECT_TRUE(filter.Admit(event));
  filter.OnRestart();
  event.mutable_entry()->set_version("v2");
  event.mutable_entry()->mutable_update_time()->set_seconds(99);
  EXPECT_FALSE(filter.Admit(event)) << "an earlier write of the same lease";
  event.mutable_entry()->mutable_update_time()->set_seconds(100);
  EXPECT_TRUE(filter.Admit(event)) << "not to be told apart: shown";
  filter.OnRestart();
  event.mutable_entry()->set_version("v3");
  event.mutable_entry()->mutable_lease()->set_holder("n");
  event.mutable_entry()->mutable_update_time()->set_seconds(101);
  EXPECT_FALSE(filter.Admit(event)) << "the smaller holder stands";
}

TEST(ResumeFilter, TellsALapseOnce) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v1", 1)));
  EXPECT_TRUE(filter.Admit(Make(v1::Event::KIND_EXPIRED, "a", "v1", 1)));
  filter.OnRestart();
  EXPECT_FALSE(filter.Admit(Make(v1::Event::KIND_EXPIRED, "a", "v1", 1)));
}

TEST(ResumeFilter, TellsALostWriteOnceWhateverStands) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v2", 2)));
  EXPECT_TRUE(filter.Admit(Make(v1::Event::KIND_LOST, "a", "v1", 1)));
  filter.OnRestart();
  EXPECT_FALSE(filter.Admit(Make(v1::Event::KIND_LOST, "a", "v1", 1)));
}

TEST(ResumeFilter, TellsWhatVanishedBetweenTwoSnapshots) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v1", 1)));
  EXPECT_TRUE(filter.Admit(Set("b\xff", "v2", 1)));
  filter.OnRestart();
  EXPECT_FALSE(filter.Admit(Set("a", "v1", 1)));
  const auto vanished = filter.OnSnapshotEnd();
  ASSERT_EQ(vanished.size(), 1u);
  EXPECT_EQ(vanished[0].kind(), v1::Event::KIND_DELETED);
  EXPECT_EQ(KeyOf(vanished[0].entry()), "b\xff");
  EXPECT_TRUE(filter.OnSnapshotEnd().empty());
  EXPECT_TRUE(filter.Admit(Set("b\xff", "v2", 1))) << "it was only late";
}

TEST(ResumeFilter, TakesARenewedKeyForOneThatIsThere) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v1", 1)));
  EXPECT_TRUE(filter.Admit(Make(v1::Event::KIND_LEASE, "a", "v2", 1)));
  filter.OnRestart();
  EXPECT_FALSE(filter.Admit(Set("a", "v2", 1))) << "the renewal was told";
  filter.OnRestart();
  ASSERT_EQ(filter.OnSnapshotEnd().size(), 1u) << "it is gone";
}

TEST(ResumeFilter, AFirstSnapshotLacksNothing) {
  ResumeFilter filter;
  EXPECT_TRUE(filter.Admit(Set("a", "v1", 1)));
  EXPECT_TRUE(filter.OnSnapshotEnd().empty());
}

}  // namespace
}  // namespace leasemap::cli
