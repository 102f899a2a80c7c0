// What a node that yielded to another map had alone: what it submits again, what is told of the rest, and what reads
// see.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/core/node_alone.h"

namespace leasemap::core {
namespace {

class Yielding : public NodeAlone {
 protected:
  static constexpr int64_t kAhead = 8 * 3'600'000LL;

  void SetUp() override {
    now_.wall_ms += kAhead;
    Tick();
    Write(Command("mine"));
    Write(Command("shared"));
    Write(Command("gone"));
    Write(Command("gone", Change::kDelete));
    Write(Command("theirs"));
    WriteEphemeral("short", 2000);
    WriteCommand free = Command("free");
    free.duration_ms = 0;
    Write(free);
    Write(Command("mine", Change::kRenew));
    first_ = node_.self();
    now_.wall_ms -= kAhead;
    Tick();
    shared_ = *node_.store().Find("shared");
  }
  // It yields to a, which has a write of its own and knows one of this node's.
  void Yield() {
    const auto theirs = std::make_shared<Entry>(*EntryOf("theirs", {"a", 1}, 1));
    theirs->lease.holder = "other";
    theirs_ = theirs;
    VersionVector vector = Covering(1, "a");
    vector.Add({first_, 2});
    Link("a", ReportOf(vector));
    ASSERT_TRUE(node_.yielding());
    a_ = Link("a", ReportOf(vector));
    ASSERT_EQ(Sent<SessionRequest>(a_).size(), 1u);
    const uint64_t session = Sent<SessionRequest>(a_)[0].session;
    Deliver(a_, SessionEntries{session, {theirs_}});
    Deliver(a_, SessionEnd{session, std::make_shared<const VersionVector>(vector)});
  }

  EntryPtr WriteEphemeral(const std::string& key, int64_t duration_ms) {
    WriteCommand command = Command(key);
    command.ephemeral = true;
    command.duration_ms = duration_ms;
    return Write(command);
  }

  ReplicaId first_;
  EntryPtr shared_, theirs_;
  LinkId a_;
};

TEST_F(Yielding, IsSubmittedAgainAndWhatLostIsTold) {
  Later(2000);
  Tick();
  Yield();
  EXPECT_TRUE(node_.yielding());
  EXPECT_EQ(node_.NextDue(now_), now_.mono + 1);
  Tick();
  EXPECT_FALSE(node_.yielding());
  EXPECT_TRUE(effects_.changed && effects_.pull);
  std::string keys;
  for (const auto& [key, slot] : node_.store().by_key()) absl::StrAppend(&keys, key, " ");
  EXPECT_EQ(keys, "free mine theirs ");  // no delete of nothing, nothing that lapsed, nothing that a knows
  const Entry& mine = **node_.store().Find("mine");
  EXPECT_EQ(mine.dot.replica, node_.self());
  EXPECT_EQ(mine.value, "v");
  EXPECT_EQ(mine.value_dot.seq, 0u);
  EXPECT_EQ(mine.value_stamp, 0u);
  EXPECT_LE(StampMs(mine.stamp), now_.wall_ms);
  EXPECT_LE(mine.lease.expire_ms, now_.wall_ms + LeaseRules().period_ms);
  EXPECT_GT(mine.lease.expire_ms, now_.wall_ms + LeaseRules().period_ms - 5000);
  EXPECT_EQ((*node_.store().Find("free"))->lease.duration_ms, 0);
  EXPECT_EQ((*node_.store().Find("theirs"))->dot, theirs_->dot);
  ASSERT_EQ(node_.replica().conflicts().total(), 1u);
  EXPECT_EQ(node_.replica().conflicts().at(1).loser->key, "theirs");
  EXPECT_EQ(node_.replica().conflicts().at(1).winner->dot, theirs_->dot);
  EXPECT_EQ(Logged().back(), "reads and writes go on with the new map: 3 keys");
  EXPECT_THAT(node_.Write(now_, Command("new")), IsOk());
}

TEST_F(Yielding, CallsThatWaitAreAnsweredAndRequestsForgotten) {
  WriteCommand command = Command("mine");
  command.request_id = "r";
  ASSERT_THAT(node_.Submit(now_, command), IsOk());
  ASSERT_THAT(node_.AwaitVersion(now_, VersionOf({{"z", 1}, 1}), 5000), IsOk());
  ASSERT_EQ(node_.GetUsage().requests, 1u);
  VersionVector vector = Covering(1, "a");
  Link("a", ReportOf(vector));
  ASSERT_TRUE(node_.yielding());
  ASSERT_EQ(effects_.answered.size(), 1u);
  EXPECT_THAT(std::string(effects_.answered[0].status.message()),
              testing::HasSubstr("before this node had to take the map of the others in place of its own"));
  EXPECT_EQ(node_.GetUsage().requests, 0u);
}

TEST_F(Yielding, WhatLapsesInTheOldMapIsSeenMeanwhile) {
  WriteEphemeral("soon", 3000);
  Link("a", ReportOf(Covering(1, "a")));
  ASSERT_TRUE(node_.yielding());
  Later(2999);
  Tick();
  Tick();
  EXPECT_FALSE(effects_.changed);
  EXPECT_NE(node_.Get(now_, "soon"), nullptr);
  Later(1);
  Tick();
  EXPECT_TRUE(effects_.changed);
  EXPECT_EQ(node_.Get(now_, "soon"), nullptr);
}

TEST_F(Yielding, WithNobodyLeftTheOldMapIsTakenBack) {
  Link("a", ReportOf(Covering(1, "a")));
  ASSERT_TRUE(node_.yielding());
  Later(2 * Timing().silent - 1);
  Tick();
  EXPECT_TRUE(node_.yielding());
  const auto wait = node_.AwaitVersion(now_, VersionOf({first_, 1}), 5000);
  ASSERT_THAT(wait, IsOk());
  ASSERT_NE(*wait, 0u);
  Later(1);
  Tick();
  EXPECT_FALSE(node_.yielding());
  EXPECT_TRUE(node_.ready());
  EXPECT_EQ(Logged().back(), "reset: no other node was found; going on with the map as it was");
  EXPECT_NE(node_.Get(now_, "mine"), nullptr);
  Tick();
  ASSERT_EQ(effects_.answered.size(), 1u);  // it came back with the map
  EXPECT_THAT(effects_.answered[0].status, IsOk());
}

// A process that comes back with a map from the future and knows of members goes by its clock only once one confirms
// it.
TEST_F(Yielding, AMapThatIsAheadIsNotWrittenToBeforeAMemberConfirmsTheClock) {
  Link("a", ReportOf({}, false));
  Image image = node_.TakeImage();
  image.ceiling_ms = 0;
  Node next(Options(), now_, &image);
  const auto refused = next.Write(now_, Command("k"));
  EXPECT_THAT(refused, HasReason("CLOCK_UNSAFE"));
  EXPECT_EQ(RetryMsOf(refused.status()), kClockRetryMs);
  EXPECT_EQ(refused.status().message(),
            "the map holds writes that are ahead of this node's clock, and no other member has confirmed it yet; try "
            "again in a moment, or write through another node");
  next.OnAccepted(now_, LinkId{1}, "m:1", "a:9");
  next.OnMessage(now_, LinkId{1}, HelloOf("a"));
  next.OnMessage(now_, LinkId{1}, Accept{now_.wall_ms, ReportOf({}, false)});
  ASSERT_TRUE(next.links().IsUp(LinkId{1}));
  EXPECT_THAT(next.Write(now_, Command("k")), IsOk());
}

}  // namespace
}  // namespace leasemap::core
