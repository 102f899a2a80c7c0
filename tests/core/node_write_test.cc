// What a node checks before it writes, to the last byte, what it writes, and what it says where it does not.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/node/explain.h"
#include "tests/core/node_alone.h"

namespace leasemap::core {
namespace {

class NodeWrites : public NodeAlone {
 protected:
  std::string Reason(const WriteCommand& command) {
    const auto written = node_.Write(now_, command);
    return written.ok() ? *written ? "OK" : "NOTHING" : ReasonOf(written.status());
  }
  std::string Text(const WriteCommand& command) { return std::string(node_.Submit(now_, command).status().message()); }
  static WriteCommand WithAck(WriteCommand command, uint32_t nodes) {
    command.ack = {Ack::Level::kNodes, nodes};
    return command;
  }
};

TEST_F(NodeWrites, SizesAreCheckedToTheByte) {
  WriteCommand command = Command("k");
  command.value = std::string(kMaxValueBytes, 'v');
  EXPECT_EQ(Reason(command), "OK");
  command.value += 'v';
  EXPECT_EQ(Reason(command), "VALUE_TOO_LARGE");
  command = Command(std::string(kMaxKeyBytes, 'k'));
  EXPECT_EQ(Reason(command), "OK");
  command.key += 'k';
  EXPECT_EQ(Reason(command), "KEY_INVALID");
  command = Command("k");
  command.holder = std::string(kMaxNameBytes + 1, 'h');
  EXPECT_EQ(Reason(command), "REQUEST_INVALID");
  command = Command("k2");
  command.request_id = std::string(kMaxRequestIdBytes, 'r');
  EXPECT_EQ(Reason(command), "OK");
  command.request_id += 'r';
  EXPECT_EQ(Reason(command), "REQUEST_INVALID");
  command.request_id = "\x01";
  EXPECT_EQ(Reason(command), "REQUEST_INVALID");
}

TEST_F(NodeWrites, AcksOfMoreNodesThanThereAreAreRefused) {
  EXPECT_EQ(Text(WithAck(Command("k"), 0)),
            "ack_nodes: a cluster never has 0 nodes; give 1 to 129, this node included");
  EXPECT_EQ(Text(WithAck(Command("k"), kMaxMembers + 2)),
            "ack_nodes: a cluster never has 130 nodes; give 1 to 129, this node included");
  EXPECT_EQ(Text(WithAck(Command("k"), kMaxMembers + 1)),
            "ack_nodes: 129 nodes can never have the write: the cluster has 1, this one included");
  EXPECT_EQ(Text(WithAck(Command("k"), 1)), "");
  Link("a");
  EXPECT_EQ(Text(WithAck(Command("k"), 2)), "");
  EXPECT_EQ(Text(WithAck(Command("k"), 3)),
            "ack_nodes: 3 nodes can never have the write: the cluster has 2, this one included");
}

TEST_F(NodeWrites, AnAckIsWaitedForForNineTenthsOfThePatience) {
  const LinkId a = Link("a");
  WriteCommand command = Command("k");
  command.patience_ms = 1000;
  auto submitted = node_.Submit(now_, command);
  ASSERT_THAT(submitted, IsOk());
  EXPECT_EQ(submitted->wait, 0u);
  Take();
  EXPECT_TRUE(Sent<Live>(a).empty());
  command.ack = {Ack::Level::kAll};
  command.validate_only = true;
  submitted = node_.Submit(now_, command);
  EXPECT_EQ(submitted->wait, 0u);
  command.validate_only = false;
  submitted = node_.Submit(now_, command);
  ASSERT_THAT(submitted, IsOk());
  EXPECT_NE(submitted->wait, 0u);
  Take();
  EXPECT_TRUE(Sent<Live>(a).empty());  // the write itself is still to be sent, and asks for it
  const auto live = node_.Pull(now_, a);
  ASSERT_TRUE(live.has_value());
  EXPECT_TRUE(std::get<Live>(*live).report_now);
  Later(899);
  Tick();
  EXPECT_TRUE(effects_.answered.empty());
  Later(1);
  Tick();
  ASSERT_EQ(effects_.answered.size(), 1u);
  EXPECT_EQ(effects_.answered[0].wait, submitted->wait);
  EXPECT_THAT(effects_.answered[0].status, HasReason("ACK_INCOMPLETE"));
  // A retry of what was sent already asks the neighbour by itself.
  command.request_id = "r";
  ASSERT_THAT(node_.Submit(now_, command), IsOk());
  node_.Pull(now_, a);
  Take();
  ASSERT_THAT(node_.Submit(now_, command), IsOk());
  Take();
  ASSERT_EQ(Sent<Live>(a).size(), 1u);
  EXPECT_TRUE(Sent<Live>(a)[0].report_now && Sent<Live>(a)[0].entries.empty());
}

TEST_F(NodeWrites, AVersionThatIsHereIsNotWaitedFor) {
  const EntryPtr entry = Write(Command("k"));
  EXPECT_EQ(*node_.AwaitVersion(now_, VersionOf(entry->dot), 1000), 0u);
  EXPECT_THAT(node_.AwaitVersion(now_, "nonsense", 1000), HasReason("REQUEST_INVALID"));
  const auto wait = node_.AwaitVersion(now_, VersionOf({{"a", 1}, 1}), 1000);
  ASSERT_THAT(wait, IsOk());
  EXPECT_NE(*wait, 0u);
  const LinkId a = Link("a");
  Deliver(a, Live{{EntryOf("k2", {"a", 1}, 1)}, false});
  ASSERT_EQ(effects_.answered.size(), 1u);
  EXPECT_THAT(effects_.answered[0].status, IsOk());
}

TEST_F(NodeWrites, WithLeasingOffThereIsNoneToRenew) {
  NodeOptions options = Options();
  options.rules.leasing = false;
  Node node(options, now_);
  const auto text = [&](const WriteCommand& command) {
    return std::string(node.Write(now_, command).status().message());
  };
  EXPECT_EQ(text(Command("k")), "");
  EXPECT_EQ(text(Command("k", Change::kRenew)), "Renew: leasing is off in this cluster");
  EXPECT_EQ(text(Command("k", Change::kRelease)), "Release: leasing is off in this cluster");
  EXPECT_EQ(text(Command("k", Change::kDelete)), "");
  WriteCommand ephemeral = Command("k");
  ephemeral.ephemeral = true;
  EXPECT_EQ(text(ephemeral), "on_lapse: leasing is off in this cluster, so no lease lapses");
}

TEST_F(NodeWrites, AnEphemeralKeyNeedsALease) {
  WriteCommand command = Command("k");
  command.ephemeral = true;
  command.duration_ms = 0;
  EXPECT_EQ(Text(command), "on_lapse: ON_LAPSE_DELETE needs a lease; leave lease_duration unset or above 0");
  command.duration_ms = 10'000;
  EXPECT_EQ(Reason(command), "OK");
  WriteCommand renew = Command("k", Change::kRenew);
  renew.duration_ms = 0;
  EXPECT_EQ(Text(renew), "lease_duration: 0 on an ephemeral key; Release it, or Set it again with ON_LAPSE_KEEP");
  renew.duration_ms = 20'000;
  EXPECT_EQ(Reason(renew), "OK");
  now_.wall_ms += 19'999;
  now_.mono += 19'999;
  EXPECT_NE(node_.Get(now_, "k"), nullptr);
  Later(1);
  EXPECT_EQ(node_.Get(now_, "k"), nullptr);
  EXPECT_EQ(Reason(renew), "KEY_NOT_FOUND");
}

TEST_F(NodeWrites, ConditionsSayWhatTheKeyIs) {
  WriteCommand absent = Command("k"), version = Command("k");
  absent.if_absent = true;
  version.if_version = VersionOf({{"x", 1}, 1});
  EXPECT_EQ(Text(version), "key \"k\" does not exist, so no if_version can match; use if_absent");
  const EntryPtr set = Write(Command("k"));
  EXPECT_EQ(Text(absent), absl::StrCat("key \"k\" is at version ", VersionOf(set->dot),
                                       ", and if_absent asks that it not exist; read the key again and retry"));
  EXPECT_EQ(Text(version), absl::StrCat("key \"k\" is at version ", VersionOf(set->dot),
                                        ", not the one in if_version; read the key again and retry"));
  EXPECT_EQ(MetadataOf(node_.Write(now_, version).status())["key"], "k");
  const EntryPtr renewed = Write(Command("k", Change::kRenew));
  version.if_version = VersionOf(renewed->dot);
  version.validate_only = true;
  EXPECT_EQ(Reason(version), "OK");
  version.if_version = VersionOf(set->dot);  // of the write that set the value
  EXPECT_EQ(Reason(version), "OK");
}

TEST_F(NodeWrites, ARenewalKeepsAllButTheLease) {
  const LinkId a = Link("a");
  auto sent = std::make_shared<Entry>(*EntryOf("k", {"a", 1}, 1));
  sent->value_is_text = true;
  sent->ephemeral = true;
  sent->unknown_fields = "later";
  sent->request = 77;
  Deliver(a, Live{{sent}, false});
  const EntryPtr renewed = Write(Command("k", Change::kRenew));
  EXPECT_EQ(renewed->value, "v");
  EXPECT_TRUE(renewed->value_is_text && renewed->ephemeral);
  EXPECT_EQ(renewed->unknown_fields, "later");
  EXPECT_EQ(renewed->request, 77u);
  EXPECT_EQ(renewed->value_dot, sent->dot);
  EXPECT_EQ(renewed->value_stamp, sent->stamp);
  EXPECT_GT(renewed->stamp, sent->stamp);
  EXPECT_EQ(renewed->dot, (Dot{node_.self(), 1}));
  const EntryPtr again = Write(Command("k", Change::kRenew));
  EXPECT_EQ(again->value_dot, sent->dot);
  const EntryPtr released = Write(Command("k", Change::kRelease));
  EXPECT_EQ(released->value_dot, sent->dot);
  EXPECT_TRUE(released->lease.released);
  // Another's renewal is not that request; a delete keeps nothing.
  WriteCommand plain = Command("p");
  plain.request_id = "r";
  plain.duration_ms = 0;
  EXPECT_NE(Write(plain)->request, 0u);
  WriteCommand other = Command("p", Change::kRenew);
  other.holder = "other";
  const EntryPtr taken = Write(other);
  EXPECT_EQ(taken->request, 0u);
  EXPECT_EQ(taken->value, "v");
  other.change = Change::kDelete;
  const EntryPtr deleted = Write(other);
  EXPECT_TRUE(deleted->tombstone && deleted->value.empty());
  EXPECT_EQ(deleted->value_dot.seq, 0u);
}

TEST_F(NodeWrites, ACheckWritesNothing) {
  WriteCommand command = Command("k");
  command.validate_only = true;
  command.request_id = "r";
  const EntryPtr would = Write(command);
  EXPECT_EQ(would->dot, (Dot{node_.self(), 0}));
  EXPECT_EQ(node_.store().keys(), 0u);
  EXPECT_EQ(node_.GetUsage().requests, 0u);
  command.validate_only = false;
  EXPECT_EQ(Write(command)->dot.seq, 1u);
  EXPECT_EQ(Write(command)->dot.seq, 1u);  // done already
}

TEST_F(NodeWrites, AClockThatJumpedRefusesUntilAMemberAgrees) {
  const LinkId a = Link("a");
  Write(Command("k"));
  Tick();
  now_.wall_ms += 2 * 3'600'000;
  Tick();
  EXPECT_EQ(Logged(), std::vector<std::string>{"writes are refused: this node's clock was set forward by 2h0m, and no "
                                               "other member has agreed with it since; check NTP"});
  EXPECT_TRUE(effects_.changed);
  const auto refused = node_.Write(now_, Command("k"));
  EXPECT_THAT(refused, HasReason("CLOCK_UNSAFE"));
  EXPECT_EQ(RetryMsOf(refused.status()), kClockRetryMs);
  EXPECT_EQ(refused.status().message(),
            "this node's clock was set forward by 2h0m, and no other member has agreed with it since; write through "
            "another node, and check NTP here");
  ASSERT_EQ(Sent<Ping>(a).size(), 1u);  // it asks at once
  Deliver(a, Pong{Sent<Ping>(a)[0].token, now_.wall_ms});
  EXPECT_EQ(Logged(), std::vector<std::string>{"other members agree with this node's clock"});
  EXPECT_EQ(Reason(Command("k2")), "OK");
}

TEST_F(NodeWrites, AtItsEndAllThatWaitIsAnswered) {
  Link("a");
  WriteCommand command = Command("k");
  command.ack = {Ack::Level::kAll};
  ASSERT_THAT(node_.Submit(now_, command), IsOk());
  ASSERT_THAT(node_.Explain(now_, "k", 1000), IsOk());
  Take();
  node_.EndWaits(now_);
  Take();
  ASSERT_EQ(effects_.answered.size(), 2u);
  EXPECT_THAT(std::string(effects_.answered[0].status.message()),
              testing::HasSubstr("1 of the 2 nodes asked for had it before this node began to shut down"));
  EXPECT_NE(effects_.answered[1].explanation, nullptr);
}

TEST_F(NodeWrites, UsageCountsConflictsAndWhatIsDueIsNeverInThePast) {
  Write(Command("k"));
  const LinkId a = Link("a");
  auto winner = std::make_shared<Entry>(*EntryOf("k", {"a", 1}, 1));
  winner->lease.holder = "g";
  winner->lease.start_s -= 5;
  Deliver(a, Live{{winner}, false});
  EXPECT_TRUE(effects_.changed);
  EXPECT_EQ(node_.GetUsage().conflicts, 1u);
  EXPECT_GT(node_.GetUsage().conflict_bytes, 0u);
  Later(100'000);
  EXPECT_EQ(node_.NextDue(now_), now_.mono);
}

// --- a clock that was ahead

class NodeAhead : public NodeAlone {
 protected:
  using NodeAlone::NodeAlone;
  static constexpr int64_t kAhead = 8 * 3'600'000LL;
  // Writes while all clocks are ahead, and sets them right.
  void WriteAhead(const std::string& key = "k") {
    now_.wall_ms += kAhead;
    Tick();
    Write(Command(key));
    now_.wall_ms -= kAhead;
  }
  bool Noted(const std::string& part) {
    for (const auto& note : node_.GetStatus().notes) {
      if (note.find(part) != std::string::npos) return true;
    }
    return false;
  }
};

TEST_F(NodeAhead, AloneItFixesACeilingAndSaysSo) {
  WriteAhead();
  Tick();
  const int64_t ceiling_ms = node_.replica().ceiling().at_ms();
  EXPECT_GT(ceiling_ms, now_.wall_ms + kAhead);
  EXPECT_TRUE(effects_.changed);
  ASSERT_FALSE(Logged().empty());
  EXPECT_TRUE(Noted("the map holds writes of a clock that was ahead; until 2023-11-15 "));
  EXPECT_TRUE(Noted("writes go on above them"));
  // Once the clock has passed it all is as before.
  now_.mono += ceiling_ms - now_.wall_ms;
  now_.wall_ms = ceiling_ms;
  Tick();
  EXPECT_FALSE(Noted("writes go on above them"));
  EXPECT_EQ(Logged()[0], "this node's clock has passed the ceiling: all is as it was before it was set back");
}

TEST_F(NodeAhead, TheOthersHearOfItAtOnce) {
  now_.wall_ms += kAhead;
  Tick();
  const LinkId a = Link("a");
  Write(Command("k"));
  Later(200);
  Tick();
  now_.wall_ms -= kAhead;
  Tick();
  EXPECT_EQ(node_.replica().ceiling().at_ms(), 0);  // nobody has confirmed the clock
  ASSERT_EQ(Sent<Ping>(a).size(), 1u);
  const uint64_t token = Sent<Ping>(a)[0].token;
  // In a handshake it tells the one that it would fix: the peer is about to confirm its clock.
  node_.OnAccepted(now_, LinkId{1}, "m:1", "b:9");
  node_.OnMessage(now_, LinkId{1}, HelloOf("b"));
  Deliver(LinkId{1}, Accept{now_.wall_ms + 600, ReportOf({})});
  EXPECT_FALSE(Linked(LinkId{1}));
  node_.OnDialed(now_, LinkId{2}, "b:1", "m:7");
  Deliver(LinkId{2}, HelloOf("b"));
  ASSERT_EQ(Sent<Accept>(LinkId{2}).size(), 1u);
  EXPECT_EQ(Sent<Accept>(LinkId{2})[0].report.ceiling_ms, node_.replica().ceiling().NeededAt(now_.wall_ms));
  EXPECT_GT(*Sent<Accept>(LinkId{2})[0].report.ceiling_ms, now_.wall_ms);
  EXPECT_EQ(node_.replica().ceiling().at_ms(), 0);
  Deliver(a, Pong{token, now_.wall_ms});
  EXPECT_GT(node_.replica().ceiling().at_ms(), 0);
  ASSERT_EQ(Sent<Report>(a).size(), 1u);
  EXPECT_EQ(Sent<Report>(a)[0].ceiling_ms, node_.replica().ceiling().at_ms());
}

TEST_F(NodeAhead, ItYieldsToAReadyMemberWithoutOneAndServesReads) {
  WriteAhead();
  Tick();
  const uint64_t incarnation = node_.self().incarnation;
  const LinkId a = Link("a", ReportOf(Covering(3)));
  EXPECT_FALSE(Linked(a));
  EXPECT_FALSE(Noted("writes go on above them"));
  EXPECT_EQ(node_.retirement().resets(), 1u);
  EXPECT_EQ(node_.GetStatus().resets, 1u);
  EXPECT_TRUE(node_.yielding() && node_.ready());
  EXPECT_GT(node_.self().incarnation, incarnation);
  EXPECT_EQ(
      Logged()[0],
      "reset: this node's map holds writes of a clock that was ahead, and that of a does not; taking the map from "
      "the others, and submitting again what they lack; reads go on from the old map meanwhile");
  EXPECT_NE(node_.Get(now_, "k"), nullptr);
  const auto refused = node_.Write(now_, Command("k2"));
  EXPECT_THAT(refused, HasReason("SYNCING"));
  EXPECT_EQ(RetryMsOf(refused.status()), kYieldRetryMs);
  EXPECT_TRUE(Noted("writes are refused: this node takes another map in place of its own"));
  EXPECT_EQ(node_.replica().ceiling().at_ms(), 0);
  ASSERT_FALSE(node_.waits_for().empty());
  EXPECT_EQ(node_.waits_for()[0].text,
            "this node gave its map up and takes it from a ready member; none is linked yet");
}

TEST_F(NodeAhead, AMemberThatIsHigherYieldsItself) {
  Write(Command("k"));
  Report report = ReportOf(Covering(3));
  report.ceiling_ms = now_.wall_ms + kAhead;
  const LinkId a = Link("a", report);
  EXPECT_EQ(HungUp(a), "a has writes of a clock that was ahead, and goes down to what the other one has");
  EXPECT_EQ(node_.retirement().resets(), 0u);
  // One that both clocks have passed is none.
  report.ceiling_ms = now_.wall_ms;
  EXPECT_TRUE(Linked(Link("b", report)));
}

class NodeWithoutMap : public NodeAhead {
 protected:
  static NodeOptions Waiting() {
    NodeOptions options = Options();
    options.min_members = 9;
    return options;
  }
  NodeWithoutMap() : NodeAhead(Waiting()) {}
};

// A part of a map goes down to the ceiling of a ready member.
TEST_F(NodeWithoutMap, GivesItsPartUpForAReadyMembersCeiling) {
  now_.wall_ms += kAhead;
  const LinkId a = Link("a", ReportOf({}, false));
  Deliver(a, Live{{EntryOf("k", {"a", 1}, 1)}, false});
  now_.wall_ms -= kAhead;
  Tick();
  ASSERT_EQ(Sent<Ping>(a).size(), 1u);
  Deliver(a, Pong{Sent<Ping>(a)[0].token, now_.wall_ms});
  const int64_t ceiling_ms = node_.replica().ceiling().at_ms();
  ASSERT_GT(ceiling_ms, now_.wall_ms + kAhead);  // nobody else has one to take
  Report report = ReportOf(Covering(3));
  report.ceiling_ms = ceiling_ms;
  const LinkId c = Link("c", report);
  ASSERT_TRUE(Linked(c));
  EXPECT_EQ(node_.retirement().resets(), 0u);
  report.ceiling_ms = 0;
  Deliver(c, report);
  EXPECT_EQ(node_.retirement().resets(), 1u);
  EXPECT_TRUE(node_.retirement().for_ceiling());
  EXPECT_FALSE(node_.retirement().for_part());
  EXPECT_EQ(Logged()[0],
            "reset: a peer has a lower ceiling; taking the map from the others, and submitting again what they lack");
  EXPECT_EQ(node_.replica().ceiling().at_ms(), 0);
  EXPECT_TRUE(node_.links().empty());  // all of them went
  EXPECT_EQ(HungUp(a), "");
}

// Where there is none, that of another part will do.
TEST_F(NodeWithoutMap, GivesItsPartUpForTheCeilingOfAnotherPart) {
  now_.wall_ms += kAhead;
  const LinkId a = Link("a", ReportOf({}, false));
  Deliver(a, Live{{EntryOf("k", {"a", 1}, 1)}, false});
  now_.wall_ms -= kAhead;
  Tick();
  Deliver(a, Pong{Sent<Ping>(a)[0].token, now_.wall_ms});
  ASSERT_GT(node_.replica().ceiling().at_ms(), 0);
  Link("b", ReportOf(Covering(3), false));
  EXPECT_EQ(node_.retirement().resets(), 1u);
  EXPECT_TRUE(node_.retirement().for_ceiling() && node_.retirement().for_part());
}

TEST_F(NodeAhead, OnALinkThatIsUpAPeersLowerCeilingIsAReasonToShakeHandsAgain) {
  WriteAhead();
  Tick();
  Report report = ReportOf(Covering(3));
  report.ceiling_ms = node_.replica().ceiling().at_ms();
  const LinkId a = Link("a", report);
  ASSERT_TRUE(Linked(a));
  Deliver(a, report);
  ASSERT_TRUE(Linked(a));
  report.ceiling_ms = 0;
  Deliver(a, report);
  EXPECT_FALSE(Linked(a));
  EXPECT_EQ(HungUp(a), "shaking hands again: the peer has a lower ceiling");
}

TEST_F(NodeWithoutMap, GoesByTheLowestCeilingOfThoseThatHaveOne) {
  const int64_t hour = 3'600'000;
  const auto with = [&](int64_t ceiling_ms) {
    Report report = ReportOf(Covering(3));
    report.ceiling_ms = ceiling_ms;
    return report;
  };
  const LinkId a = Link("a", with(now_.wall_ms + 3 * hour));
  EXPECT_TRUE(Linked(a));
  EXPECT_EQ(node_.replica().ceiling().at_ms(), now_.wall_ms + 3 * hour);
  EXPECT_TRUE(Noted("the map holds writes of a clock that was ahead, says a; until"));
  const LinkId b = Link("b", with(now_.wall_ms + 2 * hour));
  EXPECT_EQ(node_.replica().ceiling().at_ms(), now_.wall_ms + 2 * hour);
  const LinkId c = Link("c", with(now_.wall_ms + 4 * hour));
  Tick();
  const auto shunned = [&](LinkId id) { return node_.links().at(id).ceiling.shunned(); };
  EXPECT_TRUE(shunned(a) && shunned(c));
  EXPECT_FALSE(shunned(b));
  EXPECT_EQ(node_.replica().ceiling().at_ms(), now_.wall_ms + 2 * hour);
  Deliver(c, with(0));
  EXPECT_EQ(node_.replica().ceiling().at_ms(), 0);
  EXPECT_TRUE(shunned(b));
  EXPECT_FALSE(shunned(c));
  EXPECT_FALSE(Noted("until"));
}

}  // namespace
}  // namespace leasemap::core
