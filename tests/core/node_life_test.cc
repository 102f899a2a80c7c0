// What a node does of its own over time, alone with peers made by hand: when it wakes up, what it makes of clocks,
// probes and lapses, and what it submits again after it yielded.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/refusals.h"
#include "tests/core/node_alone.h"

namespace leasemap::core {
namespace {

using Names = std::vector<std::string>;
constexpr LinkId kA{1}, kB{2}, kC{3};

class NodeLife : public NodeAlone {
 protected:
  using NodeAlone::NodeAlone;

  std::string Waits() const { return node_.waits_for().empty() ? "" : node_.waits_for()[0].text; }
  EntryPtr WriteEphemeral(const std::string& key, int64_t duration_ms) {
    WriteCommand command = Command(key);
    command.ephemeral = true;
    command.duration_ms = duration_ms;
    return Write(command);
  }
};

class NodeThatWaits : public NodeLife {
 protected:
  static NodeOptions Waiting() {
    NodeOptions options = Options();
    options.min_members = 3;
    return options;
  }
  NodeThatWaits() : NodeLife(Waiting()) {}
};

// --- when it wakes up

TEST_F(NodeThatWaits, WakesUpWhenItMayBeReady) {
  Later(2500);
  Tick();
  EXPECT_EQ(node_.NextDue(now_), now_.mono + 500);
  Later(500);
  Tick();
  EXPECT_EQ(node_.NextDue(now_), now_.mono + Timing().heartbeat);
}

TEST_F(NodeLife, WakesUpForLapsesReportsAndLinks) {
  Tick();
  WriteEphemeral("k", 2'300);
  Later(1500);
  Tick();
  EXPECT_EQ(node_.NextDue(now_), now_.mono + 800);
  Later(800);
  EXPECT_EQ(node_.NextDue(now_), now_.mono);
  Tick();
  EXPECT_TRUE(effects_.changed);
  EXPECT_EQ(node_.NextDue(now_), now_.mono + Timing().heartbeat);
  const LinkId a = Link("a");
  Later(300);
  Tick();
  Later(Timing().report_every);
  Write(Command("k2"));
  EXPECT_EQ(node_.NextDue(now_), now_.mono);  // a report is due
  Tick();
  EXPECT_EQ(Sent<Report>(a).size(), 1u);
  Write(Command("k2"));
  EXPECT_EQ(node_.NextDue(now_), now_.mono + Timing().report_every);
  Later(Timing().report_every - 1);
  Tick();
  EXPECT_TRUE(Sent<Report>(a).empty());
  Later(1);
  Tick();
  EXPECT_EQ(Sent<Report>(a).size(), 1u);
}

TEST_F(NodeLife, SaysOfItselfWhatIsSo) {
  Write(Command("k1"));
  Write(Command("k2"));
  Write(Command("k2", Change::kDelete));
  const LinkId a = Link("a");
  NodeStatus status = node_.GetStatus();
  EXPECT_EQ(status.self, node_.self());
  EXPECT_TRUE(status.ready);
  EXPECT_EQ(status.keys, 1u);
  EXPECT_EQ(status.bytes, node_.store().bytes());
  EXPECT_EQ(status.map_hash, node_.store().hash());
  EXPECT_EQ(*status.vector, node_.vector());
  EXPECT_FALSE(status.converged);
  EXPECT_EQ(status.remembered, 2u);
  EXPECT_EQ(status.held_bytes, node_.replica().held_bytes());
  EXPECT_EQ(status.max_bytes, kMaxMapBytes);
  EXPECT_TRUE(status.notes.empty());
  Deliver(a, ReportOf(node_.vector()));
  EXPECT_TRUE(effects_.changed);
  EXPECT_TRUE(node_.GetStatus().converged);
  node_.OnMalformed(now_, a, "nonsense");
  Take();
  EXPECT_EQ(Sent<Refuse>(a)[0].message, "what it sent can't be read: nonsense; refused for 1m0s");
  status = node_.GetStatus();
  EXPECT_EQ(status.quarantined, 1u);
  EXPECT_EQ(status.cut_offs, 1u);
  EXPECT_EQ(node_.GetUsage().quarantined, 1u);
  ASSERT_EQ(status.unreachable_members.size(), 1u);
  EXPECT_EQ(status.notes, (Names{"a is unreachable: a:1: not linked",
                                 "refusing a (a:9): QUARANTINED: what it sent can't be read: nonsense; refused for "
                                 "1m0s"}));
  // A stranger's nonsense is hung up on without a word.
  node_.OnAccepted(now_, kC, "m:1", "x:9");
  node_.OnMalformed(now_, kC, "nonsense");
  Take();
  EXPECT_EQ(HungUp(kC), "");
  EXPECT_EQ(node_.GetStatus().cut_offs, 1u);
}

TEST_F(NodeLife, AReportIsNewsIfItSaysOrRelaysSomethingElse) {
  const LinkId a = Link("a");
  Report report = ReportOf({});
  Deliver(a, report);
  EXPECT_FALSE(effects_.changed);
  report.peers = std::make_shared<const Peers>(Peers{{{{"far", 1}, "far:1", 0}}, {}});
  Deliver(a, report);
  EXPECT_TRUE(effects_.changed);
  Deliver(a, report);
  EXPECT_FALSE(effects_.changed);
  report.relays = {{{"far", 1}, std::make_shared<const VersionVector>(Covering(2))}};
  Deliver(a, report);
  EXPECT_TRUE(effects_.changed);
  EXPECT_EQ(*node_.GetStatus().members[1].report, Covering(2));
  // One that was cut short says nothing of what its sender covers.
  report.vector = std::make_shared<const VersionVector>(Covering(1));
  report.cut_short = true;
  Deliver(a, report);
  EXPECT_NE(*node_.GetStatus().members[0].report, Covering(1));
  report.cut_short = false;
  Deliver(a, report);
  EXPECT_EQ(*node_.GetStatus().members[0].report, Covering(1));
}

TEST_F(NodeThatWaits, OnlyOfWhoHasAMapItTakesHowFarThatWasCollected) {
  Report report = ReportOf({}, false);
  report.collected_epoch = 55;
  Link("a", report);
  EXPECT_EQ(node_.replica().ceiling().collected_epoch(), 0u);
  report = ReportOf(Covering(1));
  report.collected_epoch = UINT64_MAX;  // beyond every reason
  Link("b", report);
  EXPECT_EQ(node_.replica().ceiling().collected_epoch(), 0u);
  report.collected_epoch = 55;
  Link("c", report);
  EXPECT_EQ(node_.replica().ceiling().collected_epoch(), 55u);
}

// --- readiness is looked at whenever something happens

TEST_F(NodeThatWaits, WhatItWaitsForIsThatOfTheMoment) {
  const std::string members = "1 of 3 members, this node included, have been linked (--min-members)";
  EXPECT_EQ(Waits(), members);
  node_.OnAccepted(now_, LinkId{1}, "m:1", "stranger:9");
  node_.OnAccepted(now_, kB, "m:1", "a:9");
  node_.OnMessage(now_, kB, HelloOf("a"));
  node_.OnMessage(now_, kB, Accept{now_.wall_ms, ReportOf(Covering(3))});
  Take();
  EXPECT_EQ(Waits(), "catching up with a");
  node_.OnClosed(now_, kB);
  EXPECT_EQ(Waits(),
            "a holds what is not here and is not linked; waiting for its return (if it is gone for good: "
            "leasemap forget a)");
  ASSERT_THAT(node_.Forget(now_, "a"), IsOk());
  Tick();
  EXPECT_EQ(Waits(), "2 of 3 members, this node included, have been linked (--min-members)");
  node_.SetSeeds({"s:1"});
  Tick();
  EXPECT_EQ(Waits(), "waiting for s:1 to answer: its name is being resolved");
  node_.OnResolved(now_, "s:1", {}, "no such name");
  EXPECT_EQ(Waits(), "waiting for s:1 to answer: no such name");
  node_.OnResolved(now_, "s:1", {"10.0.0.1:1"});
  EXPECT_EQ(Waits(), "waiting for 10.0.0.1:1 to answer: no answer yet");
  node_.OnDialFailed(now_, "10.0.0.1:1", "refused");
  EXPECT_EQ(Waits(), "waiting for 10.0.0.1:1 to answer: refused");
  EXPECT_EQ(node_.GetStatus().notes[0], "not ready: waiting for 10.0.0.1:1 to answer: refused");
}

TEST_F(NodeThatWaits, OneEntryThatCameMayBeTheLastThatWasMissing) {
  Link("b");
  const LinkId a = Link("a", ReportOf(Covering(1, "a")));
  ASSERT_FALSE(node_.ready());
  Deliver(a, Live{{EntryOf("k", {"a", 1}, 1)}, false});
  EXPECT_TRUE(node_.ready());
  EXPECT_TRUE(effects_.changed);
  EXPECT_EQ(Logged(), Names{"ready: 1 keys"});
}

// --- links of one member

TEST_F(NodeLife, ASecondLinkWaitsForTheFirstAndTakesItsPlaceIfThatIsSilent) {
  const LinkId x = Link("x"), y = Link("y");
  Later(200);
  node_.OnAccepted(now_, kA, "m:1", "x:9");
  Deliver(kA, HelloOf("x"));
  ASSERT_EQ(Sent<Ping>(x).size(), 1u);  // the first is asked
  EXPECT_EQ(Sent<Ping>(x)[0].token, static_cast<uint64_t>(now_.mono.ms()));
  node_.OnAccepted(now_, kB, "m:1", "y:9");
  Deliver(kB, HelloOf("y"));
  Later(10);
  Deliver(y, Pong{static_cast<uint64_t>(now_.mono.ms()), now_.wall_ms});
  Tick();
  ASSERT_EQ(Sent<Refuse>(kB).size(), 1u);
  EXPECT_EQ(Sent<Refuse>(kB)[0].reason, kDuplicateReason);
  EXPECT_EQ(Sent<Refuse>(kB)[0].message, "m");
  EXPECT_TRUE(node_.links().contains(kA));
  EXPECT_TRUE(Sent<Hello>(kA).empty());
  Later(Timing().probe - 10);
  Tick();
  EXPECT_EQ(HungUp(x), "silent; x linked again");
  EXPECT_EQ(Sent<Hello>(kA).size(), 1u);
  Deliver(kA, Accept{now_.wall_ms, ReportOf({})});
  EXPECT_TRUE(Linked(kA));
}

TEST_F(NodeLife, AnEarlierProcessThatComesWhileALaterOneIsHeardIsRefused) {
  const LinkId x = Link("x", ReportOf({}), 5);
  Later(200);
  node_.OnAccepted(now_, kA, "m:1", "x:9");
  Deliver(kA, HelloOf("x", 4));
  Later(10);
  Deliver(x, Pong{static_cast<uint64_t>(now_.mono.ms()), now_.wall_ms});
  Tick();
  ASSERT_EQ(Sent<Refuse>(kA).size(), 1u);
  EXPECT_EQ(Sent<Refuse>(kA)[0].reason, kDuplicateIdReason);
  EXPECT_EQ(Sent<Refuse>(kA)[0].message, "another running node is named x");
}

TEST_F(NodeLife, ANameThatIsHeldIsRefusedWithAWord) {
  Link("x");
  Hello hello = HelloOf("x", 2);
  hello.advertise = "elsewhere:1";
  node_.OnAccepted(now_, kA, "m:1", "x:9");
  Deliver(kA, hello);
  ASSERT_EQ(Sent<Refuse>(kA).size(), 1u);
  EXPECT_EQ(Sent<Refuse>(kA)[0].reason, kDuplicateIdReason);
  EXPECT_EQ(Sent<Refuse>(kA)[0].message,
            "another node named x was heard less than 10s ago at another address; give each a --node-id of its own, or "
            "wait, if that one is gone");
  EXPECT_TRUE(Sent<Refuse>(kA)[0].has_map);
}

TEST_F(NodeLife, ASilentLinkEndsAndItsMemberIsLost) {
  const LinkId a = Link("a");
  Later(Timing().silent - 1);
  Tick();
  EXPECT_TRUE(Linked(a));
  Later(1);
  Tick();
  EXPECT_EQ(HungUp(a), "a (a:9) was silent for 3.0s");
  EXPECT_EQ(Logged(), Names{"lost a"});
}

// --- clocks and lapses

TEST_F(NodeLife, AJumpIsSeenByWatchesThoughNobodyIsThereToDisagree) {
  Tick();
  Tick();
  EXPECT_FALSE(effects_.changed);
  now_.wall_ms += 7'200'000;
  Tick();
  EXPECT_TRUE(effects_.changed);
  EXPECT_TRUE(node_.clock_trusted());
}

TEST_F(NodeLife, WhatHasNoValueAnyMoreIsGivenUpWhenTheClockGoesBack) {
  const EntryPtr written = WriteEphemeral("k", 10'000);
  Later(10'000);
  Tick();
  Later(Timing().keep_lapsed);
  Tick();
  Tick();
  ASSERT_TRUE((*node_.store().Find("k"))->value_gone);
  now_.wall_ms -= 3'600'000;
  Tick();
  Tick();
  const Entry& end = **node_.store().Find("k");
  EXPECT_TRUE(end.lease.released && end.value_gone);
  EXPECT_EQ(end.lease.expire_ms, now_.wall_ms);
  EXPECT_EQ(end.value_dot, written->dot);
  EXPECT_EQ(end.value_stamp, written->stamp);
  EXPECT_GT(end.stamp, written->stamp);
  EXPECT_EQ(end.dot, (Dot{node_.self(), 2}));
  EXPECT_FALSE(node_.store().gone_ahead());  // all of it was looked at
  Tick();
  EXPECT_EQ(node_.replica().own_log().end(), 3u);  // once
}

TEST_F(NodeLife, WhoIsSilentForDaysIsForgotten) {
  const LinkId a = Link("a");
  node_.OnClosed(now_, a);
  Later(kForgetAfterMs);
  Tick();
  EXPECT_EQ(node_.GetStatus().remembered, 2u);
  Tick();
  EXPECT_FALSE(effects_.changed);
  Later(1);
  Tick();
  EXPECT_EQ(node_.GetStatus().remembered, 1u);
  EXPECT_TRUE(effects_.changed);
  ASSERT_FALSE(Logged().empty());
  EXPECT_EQ(Logged().back(), "forgot a: it was silent for 72h0m");
}

class SmallNode : public NodeLife {
 protected:
  static NodeOptions Small() {
    NodeOptions options = Options();
    options.max_bytes = 100'000;
    return options;
  }
  SmallNode() : NodeLife(Small()) {}
};

TEST_F(SmallNode, WhatHasNoRoomIsLeftOutAndTheRestIsTaken) {
  const LinkId a = Link("a");
  auto large = std::make_shared<Entry>(*EntryOf("large", {"a", 1}, 1));
  large->value = std::string(200'000, 'v');
  Deliver(a, Live{{large, large, EntryOf("k", {"a", 1}, 2)}, false});
  EXPECT_EQ(node_.Get(now_, "large"), nullptr);
  EXPECT_NE(node_.Get(now_, "k"), nullptr);
  EXPECT_FALSE(node_.vector().Covers(large->dot));
  EXPECT_TRUE(node_.vector().Covers(Dot{{"a", 1}, 2}));
  const NodeStatus status = node_.GetStatus();
  EXPECT_EQ(status.left_out, 2u);
  EXPECT_EQ(status.max_bytes, 100'000u);
  ASSERT_EQ(Logged().size(), 1u);  // said once
  EXPECT_EQ(Logged()[0].substr(0, 20), "the map is full: wri");
  EXPECT_TRUE(status.notes.empty());  // there was room for the other
  Deliver(a, Live{{large}, false});
  EXPECT_EQ(Logged(), Names{node_.replica().room().Describe()});
  EXPECT_EQ(node_.GetStatus().notes, Logged());
}

TEST_F(NodeLife, AnOldEntryThatComesAgainIsNoNews) {
  const LinkId a = Link("a");
  const EntryPtr first = EntryOf("k", {"a", 1}, 1), second = EntryOf("k", {"a", 1}, 2);
  Deliver(a, Live{{first, second}, false});
  EXPECT_TRUE(effects_.changed);
  Deliver(a, Live{{first, second}, false});
  EXPECT_FALSE(effects_.changed);
}

// --- an image

TEST_F(NodeLife, AnImageHoldsAllThatItGoesOnWith) {
  Write(Command("k"));
  Link("a", ReportOf({}), 7);
  Link("b");
  node_.OnClosed(now_, next_);
  ASSERT_THAT(node_.Forget(now_, "b"), IsOk());
  Image image = node_.TakeImage();
  image.collected_epoch = 55;
  EXPECT_EQ(image.incarnation, node_.self().incarnation);
  EXPECT_TRUE(image.whole);
  EXPECT_EQ(image.vector, node_.vector());
  EXPECT_EQ(image.floor, node_.replica().floor());
  ASSERT_EQ(image.entries.size(), 1u);
  ASSERT_EQ(image.members.size(), 2u);
  EXPECT_EQ(image.members[0], (MemberInfo{{"a", 7}, "a:1", 0}));
  Node next(Options(), now_, &image);
  EXPECT_GT(next.self(), node_.self());
  EXPECT_EQ(next.TakeImage().members, image.members);
  EXPECT_EQ(next.vector(), image.vector);
  EXPECT_EQ(next.waits_for()[0].text, "waiting for a:1 to answer: no answer yet");
  Now later = now_;
  later.mono += 50;
  next.Tick(later);
  EXPECT_EQ(next.Take().dial, Names{"a:1"});  // nobody dials who is gone
  next.OnDialed(later, kA, "a:1", "m:1");
  next.Take();
  next.OnMessage(later, kA, HelloOf("a", 7));
  EXPECT_EQ(std::get<Accept>(next.Take().send[0].message).report.collected_epoch, 55u);
}

TEST_F(NodeLife, WhoLeavesSaysSoAtOnceAndOnce) {
  const LinkId a = Link("a");
  node_.Leave(now_);
  Take();
  ASSERT_EQ(Sent<Report>(a).size(), 1u);
  EXPECT_TRUE(Generation::HasLeft(Sent<Report>(a)[0].peers->members[0].generation));
  node_.Leave(now_);
  Take();
  EXPECT_TRUE(Sent<Report>(a).empty());
}

TEST_F(NodeLife, WhoIsForgottenIsNamedAndTheOthersHearOfIt) {
  Link("a");
  const LinkId b = Link("b");
  EXPECT_THAT(node_.Forget(now_, "m"), HasReason("REQUEST_INVALID"));
  EXPECT_THAT(node_.Forget(now_, "nobody"), HasReason("REQUEST_INVALID"));
  EXPECT_THAT(node_.Forget(now_, "b"), HasReason("REQUEST_INVALID"));
  WriteCommand command = Command("k");
  command.ack = {Ack::Level::kNodes, 2};
  ASSERT_THAT(node_.Submit(now_, command), IsOk());
  node_.OnClosed(now_, LinkId{static_cast<uint64_t>(b) - 1});
  Tick();
  ASSERT_THAT(node_.Forget(now_, "a"), IsOk());
  Take();
  EXPECT_EQ(Logged(), Names{"forgot a"});
  EXPECT_TRUE(effects_.changed);
  Later(200);
  Tick();
  ASSERT_EQ(Sent<Report>(b).size(), 1u);
  EXPECT_TRUE(Sent<Report>(b)[0].peers->members[1].gone());
}

}  // namespace
}  // namespace leasemap::core
