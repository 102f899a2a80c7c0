// Parts of the mesh layer, each alone: what a link was told, what its peer said, refusals, floors and handshakes.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/floors.h"
#include "peer/core/mesh/handshake.h"
#include "peer/core/mesh/outflow.h"
#include "peer/core/mesh/peer_report.h"
#include "peer/core/mesh/refusal_log.h"
#include "peer/core/mesh/reports.h"
#include "peer/core/mesh/told_report.h"
#include "peer/core/mesh/warnings.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

using Names = std::vector<std::string>;

VersionVector VectorOf(const std::vector<std::pair<ReplicaId, uint64_t>>& prefixes) {
  VersionVector vector;
  for (const auto& [replica, prefix] : prefixes) vector.Add(replica, 1, prefix);
  return vector;
}
VectorPtr Share(const VersionVector& vector) { return std::make_shared<const VersionVector>(vector); }

NodeOptions Options(const std::string& id) {
  NodeOptions options;
  options.node_id = id;
  return options;
}

// --- what a link was told

TEST(ToldReportTest, IsDueSoonerInAHurryAndLaterIfItWasCutShort) {
  const Timing timing;
  ToldReport told;
  told.Told(MonoTime(1000), 7, false);
  EXPECT_TRUE(told.IsUpToDate(7));
  EXPECT_FALSE(told.IsUpToDate(8));
  EXPECT_EQ(told.Due(1, timing), MonoTime(1000) + timing.report_every);
  told.Hurry();
  EXPECT_EQ(told.Due(0, timing), MonoTime(1000) + kReportNowMs);
  EXPECT_EQ(told.Due(7, timing), MonoTime(1000) + kReportNowMs);
  EXPECT_EQ(told.Due(8, timing), MonoTime(1000) + 2 * kReportNowMs);  // many links: each costs
  EXPECT_EQ(told.Due(100'000, timing), MonoTime(1000) + timing.report_every);
  told.Told(MonoTime(2000), 8, true);
  EXPECT_EQ(told.Due(1, timing), MonoTime(2000) + std::max(timing.lack, timing.report_every));
  EXPECT_NE(timing.lack, timing.report_every);
  told.Told(MonoTime(3000), 9, false);  // whole again, and the hurry is over
  EXPECT_EQ(told.Due(1, timing), MonoTime(3000) + timing.report_every);
}

TEST(ToldReportTest, RelaysWhoIsLinkedHereAndNotThere) {
  Membership membership({"self", 1}, {}, 1);
  for (const char* node : {"a", "b", "c", "peer"}) {
    ASSERT_TRUE(membership.Meet({node, 1}, absl::StrCat(node, ":1"), MonoTime(0)));
    membership.LinkUp({node, 1}, {});
  }
  ASSERT_TRUE(membership.Meet({"away", 1}, "away:1", MonoTime(0)));
  ToldReport told;
  told.UpdateRelayed(membership, "peer", {"b"});
  EXPECT_EQ(told.relayed(), (Names{"a", "c"}));
  EXPECT_TRUE(told.Relays("a") && told.Relays("c"));
  EXPECT_FALSE(told.Relays("b") || told.Relays("peer") || told.Relays("away"));
  // It is found again once the peer's links changed, or this node's.
  told.UpdateRelayed(membership, "peer", {"a", "b"});
  EXPECT_EQ(told.relayed(), (Names{"a", "c"}));
  told.PeersChanged();
  told.UpdateRelayed(membership, "peer", {"a", "b"});
  EXPECT_EQ(told.relayed(), Names{"c"});
  membership.LinkDown("c", 0, MonoTime(1));
  told.UpdateRelayed(membership, "peer", {"a", "b"});
  EXPECT_EQ(told.relayed(), Names{});
}

// --- what the peer of a link said

TEST(PeerReportTest, TellsWhatIsNews) {
  PeerReport theirs;
  Report report;
  report.vector = Share(VectorOf({{{"a", 1}, 3}}));
  PeerReport::News news = theirs.Take(report);
  EXPECT_TRUE(news.vector && news.any);
  EXPECT_FALSE(news.map);
  report.vector = Share(*report.vector);  // the same again
  news = theirs.Take(report);
  EXPECT_FALSE(news.vector || news.any || news.map);
  report.whole = true;
  news = theirs.Take(report);
  EXPECT_TRUE(news.any && news.map);
  EXPECT_FALSE(news.vector);
  news = theirs.Take(report);
  EXPECT_FALSE(news.any || news.map);
  report.vector = Share(VectorOf({{{"a", 1}, 4}}));
  report.cut_short = true;  // says little of the vector
  news = theirs.Take(report);
  EXPECT_FALSE(news.vector);
  EXPECT_TRUE(news.any);
  EXPECT_FALSE(theirs.complete());
  EXPECT_TRUE(theirs.Take(report).any);
  report.cut_short = false;
  report.vector = Share(VectorOf({{{"a", 1}, 5}}));
  EXPECT_TRUE(theirs.Take(report).vector);
  EXPECT_TRUE(theirs.complete() && theirs.has_map());
  EXPECT_FALSE(theirs.settled());
}

TEST(PeerReportTest, WhatItSaysOfMembersIsLookedAtOnce) {
  using Look = PeerReport::Look;
  PeerReport theirs;
  const auto peers = std::make_shared<const Peers>(Peers{{{{"a", 1}, "a:1", 0}}, {"a"}});
  EXPECT_EQ(theirs.TakePeers(peers, 5), Look::kTheirs);
  EXPECT_EQ(theirs.TakePeers(peers, 5), Look::kNo);
  EXPECT_EQ(theirs.TakePeers(std::make_shared<const Peers>(*peers), 5), Look::kNo);  // another list that says the same
  EXPECT_EQ(theirs.TakePeers(peers, 6), Look::kOurs);
  EXPECT_EQ(theirs.TakePeers(std::make_shared<const Peers>(Peers{{}, {"a"}}), 6), Look::kTheirs);
  EXPECT_EQ(theirs.peers().linked, Names{"a"});
}

// A member says on its own link that it leaves: that stands above all that was heard of it.
TEST(ReportsTest, WhoSaysThatItLeavesIsBelievedWhateverOthersSaidBefore) {
  for (const uint64_t known : {uint64_t{0}, uint64_t{2}, uint64_t{6}, uint64_t{2} << Generation::kOwnWords}) {
    Membership membership({"self", 1}, {}, 1);
    for (const char* node : {"a", "b", "peer"})
      ASSERT_TRUE(membership.Meet({node, 3}, absl::StrCat(node, ":1"), MonoTime(0)));
    membership.LinkUp({"peer", 3}, {});
    bool changed = false;
    membership.Learn({{"peer", 3}, "peer:1", known}, MonoTime(), &changed);
    const uint64_t before = membership.members().at("peer").generation;
    Reports reports{Timing()};
    Link link(MonoTime(), true, "peer:1", "self:1");
    Hello hello;
    hello.self = {"peer", 3};
    link.TakeHello(hello);
    const MemberInfo leaving{{"peer", 3}, "peer:1", 3};
    reports.NoteMembers(MonoTime(1), std::make_shared<const Peers>(Peers{{leaving}, {}}), "self", membership, link);
    const uint64_t after = membership.members().at("peer").generation;
    EXPECT_EQ(after, Generation::Leave(std::max<uint64_t>(before, 3))) << known;
    EXPECT_TRUE(Generation::HasLeft(after)) << known;
  }
}

// What a peer says of the members is taken where it is later than what is known.
TEST(ReportsTest, WhatAPeerSaysOfTheMembersIsLearned) {
  Membership membership({"self", 1}, {}, 1);
  for (const char* node : {"b", "peer"}) {
    ASSERT_TRUE(membership.Meet({node, 1}, absl::StrCat(node, ":1"), MonoTime(0)));
    membership.LinkUp({node, 1}, {});
  }
  const Replica replica(Options("self"), {MonoTime(0), 1'700'000'000'000}, 0);
  Reports reports{Timing()};
  Link link(MonoTime(), true, "peer:1", "self:1");
  Hello hello;
  hello.self = {"peer", 1};
  link.TakeHello(hello);
  // Whether it is something to tell on.
  const auto note = [&](const std::vector<MemberInfo>& members) {
    const uint64_t before = reports.change(replica);
    reports.NoteMembers(MonoTime(1), std::make_shared<const Peers>(Peers{members, {}}), "self", membership, link);
    return reports.change(replica) != before;
  };
  const auto generation = [&](const std::string& node) { return membership.members().at(node).generation; };
  EXPECT_FALSE(note({{{"b", 1}, "b:1", 0}, {{"peer", 1}, "peer:1", 0}}));
  EXPECT_EQ(membership.targets(), 0u);
  EXPECT_TRUE(note({{{"a", 1}, "a:1", 0}, {{"b", 1}, "b:1", 2}, {{"c", 1}, "c:1", 1}, {{"peer", 1}, "peer:1", 0}}));
  EXPECT_EQ(generation("b"), 2u);
  EXPECT_TRUE(membership.members().at("c").gone());
  EXPECT_EQ(membership.targets(), 1u);  // a is dialled; b is linked, and c is gone
  EXPECT_TRUE(note({{{"b", 2}, "b:1", 0}}));
  EXPECT_EQ(membership.members().at("b").id.incarnation, 2u);
  EXPECT_TRUE(note({{{"self", 1}, "", 1}}));  // it takes this node for gone
  EXPECT_EQ(membership.Peers()->members[0].generation, 2u);
  EXPECT_FALSE(note({{{"self", 1}, "", 2}}));
  EXPECT_TRUE(note({{{"b", 2}, "b:1", 1}}));  // who is linked is not gone
  EXPECT_EQ(generation("b"), 2u);
}

TEST(ReportsTest, SaysWhatIsSoAndWhomItRelays) {
  Membership membership({"self", 1}, {}, 1);
  for (const char* node : {"a", "b", "peer"}) {
    ASSERT_TRUE(membership.Meet({node, 1}, absl::StrCat(node, ":1"), MonoTime(0)));
    membership.LinkUp({node, 1}, {});
  }
  membership.Reported({"a", 1}, Share(VectorOf({{{"x", 1}, 3}})), MonoTime(0));
  Replica replica(Options("self"), {MonoTime(0), 1'700'000'000'000}, 0);
  replica.TakeCeiling(1'700'000'001'000);
  Reports reports{Timing()};
  Link link(MonoTime(), true, "peer:1", "self:1");
  Hello hello;
  hello.self = {"peer", 1};
  link.TakeHello(hello);
  Report report = reports.Make({true, false, true, true, true}, replica, membership, link);
  EXPECT_TRUE(report.whole && report.holds_map);
  EXPECT_FALSE(report.settled || report.cut_short);
  EXPECT_EQ(report.ceiling_ms, 1'700'000'001'000);
  EXPECT_EQ(report.map_hash, replica.store().hash());
  ASSERT_EQ(report.relays.size(), 1u);  // b has not reported
  EXPECT_EQ(report.relays[0].member, (ReplicaId{"a", 1}));
  EXPECT_EQ(*report.relays[0].vector, VectorOf({{{"x", 1}, 3}}));
  report = reports.Make({false, true, false, false, false}, replica, membership, link);
  EXPECT_TRUE(report.settled);
  EXPECT_FALSE(report.whole || report.holds_map);
  EXPECT_EQ(report.ceiling_ms, std::nullopt);
  EXPECT_EQ(report.map_hash, 0u);
  // Of many gaps only some are named.
  VersionVector gaps;
  for (uint64_t n = 1; n <= kReportExceptions; ++n) gaps.Add({{"q", 1}, 2 * n});
  replica.TakeSession(MonoTime(0), gaps, VersionVector());
  EXPECT_FALSE(reports.Make({}, replica, membership, link).cut_short);
  gaps.Add({{"q", 1}, 2 * kReportExceptions + 2});
  replica.TakeSession(MonoTime(0), gaps, VersionVector());
  report = reports.Make({}, replica, membership, link);
  EXPECT_TRUE(report.cut_short);
  EXPECT_EQ(report.vector->exceptions(), kReportExceptions);
}

TEST(FloorsTest, AFloorNamesOnlyWhatCanHaveBeenMade) {
  Replica replica(Options("m"), {MonoTime(1000), 1'700'000'000'000}, 0);
  auto entry = std::make_shared<Entry>();
  entry->key = "k";
  replica.Apply(replica.Sign(entry));
  Membership membership({"m", 1}, {}, 1);
  const auto credible = [&](const VersionVector& floor) { return IsCredible(floor, replica, membership); };
  EXPECT_TRUE(credible(VectorOf({{replica.self(), 1}})));
  EXPECT_FALSE(credible(VectorOf({{replica.self(), 2}})));
  // A stranger's writes may be any; those of a linked member are what it said itself.
  const VersionVector three = VectorOf({{{"p", 1}, 3}});
  EXPECT_TRUE(credible(three));
  ASSERT_TRUE(membership.Meet({"p", 1}, "p:1", MonoTime(0)));
  membership.Reported({"p", 1}, Share(VectorOf({{{"p", 1}, 2}})), MonoTime(0));
  EXPECT_TRUE(credible(three));
  membership.LinkUp({"p", 1}, {});
  EXPECT_FALSE(credible(three));
  membership.Reported({"p", 1}, Share(three), MonoTime(0));
  EXPECT_TRUE(credible(three));
  VersionVector folded = VectorOf({{{"p", 1}, 4}});
  folded.Fold({{"p", 1}});
  EXPECT_FALSE(credible(folded));
  EXPECT_TRUE(credible(VectorOf({{{"p", 2}, 9}})));
  EXPECT_FALSE(credible(VectorOf({{{"a", 1}, 1}, {{"p", 1}, 4}, {{"z", 1}, 1}})));
}

// --- refusals

TEST(RefusalLogTest, NamesEachOnceUntilItIsAnother) {
  RefusalLog log;
  const Refuse refuse{"REASON", "why", true};
  EXPECT_EQ(log.Note(MonoTime(0), "a", "a:1", RefusalLog::By::kPeer, refuse), "refused by a (a:1): REASON: why");
  EXPECT_EQ(log.Note(MonoTime(1), "a", "a:1", RefusalLog::By::kSelf, refuse), std::nullopt);
  EXPECT_EQ(log.Note(MonoTime(2), "a", "a:1", RefusalLog::By::kSelf, {"OTHER", "why", true}),
            "refusing a (a:1): OTHER: why");
  EXPECT_EQ(log.Lines(), Names{"refusing a (a:1): OTHER: why"});
  log.Forget("a");
  EXPECT_EQ(log.size(), 0u);
}

TEST(RefusalLogTest, TheOldestMakesRoomButNotAtOnce) {
  RefusalLog log;
  const auto note = [&](MonoTime mono, const std::string& who) {
    return log.Note(mono, who, "x:1", RefusalLog::By::kSelf, {"REASON", "why", true}).has_value();
  };
  ASSERT_TRUE(note(MonoTime(0), "oldest"));
  for (size_t n = 1; n < kMaxLoggedRefusals; ++n) ASSERT_TRUE(note(MonoTime(10), absl::StrCat("a", n)));
  EXPECT_EQ(log.size(), kMaxLoggedRefusals);
  EXPECT_FALSE(note(MonoTime(kLoggedRefusalMs - 1), "new"));
  EXPECT_FALSE(note(MonoTime(kLoggedRefusalMs - 1), "a1"));  // there is room for who is listed, who comes later by that
  EXPECT_TRUE(note(MonoTime(kLoggedRefusalMs), "new"));
  EXPECT_EQ(log.size(), kMaxLoggedRefusals);
  EXPECT_TRUE(note(MonoTime(kLoggedRefusalMs + 10), "oldest"));  // it had gone, and one of the others goes
  EXPECT_EQ(log.size(), kMaxLoggedRefusals);
  EXPECT_FALSE(note(MonoTime(kLoggedRefusalMs + 10), "a1"));
}

// --- floors and handshakes

TEST(FloorsTest, WhoIsBelowYieldsAndOfTwoTheGreaterName) {
  const Now now{MonoTime(1000), 1'700'000'000'000};
  Replica replica(Options("m"), now, 0);
  Report report;
  const auto judge = [&](bool has_full_map, const std::string& peer) {
    return JudgeFloors(replica, has_full_map, peer, report);
  };
  report.whole = true;
  EXPECT_EQ(judge(true, "a"), Yields::kNobody);
  // They collected what this node does not cover. One that holds nothing lacks none of it.
  report.vector = report.floor = Share(VectorOf({{{"p", 1}, 3}}));
  EXPECT_EQ(judge(true, "a"), Yields::kNobody);
  replica.TakeSession(MonoTime(1000), VectorOf({{{"x", 1}, 1}}), VersionVector());
  EXPECT_EQ(judge(true, "a"), Yields::kSelf);
  report.whole = false;
  EXPECT_EQ(judge(true, "a"), Yields::kPeer);  // but they have no map
  report.whole = true;
  // This node collected, too, what they do not cover.
  replica.TakeSession(MonoTime(1000), VectorOf({{{"q", 2}, 2}}), VectorOf({{{"q", 2}, 2}}));
  EXPECT_EQ(judge(true, "a"), Yields::kSelf);
  EXPECT_EQ(judge(true, "z"), Yields::kPeer);
  EXPECT_EQ(judge(false, "z"), Yields::kSelf);
  // They cover it: only this node is below. And this node covers theirs: only they are.
  report.vector = Share(VectorOf({{{"p", 1}, 3}, {{"q", 2}, 2}}));
  EXPECT_EQ(judge(true, "z"), Yields::kSelf);
  replica.TakeSession(MonoTime(1000), VectorOf({{{"p", 1}, 3}}), VersionVector());
  EXPECT_EQ(judge(true, "a"), Yields::kNobody);
  report.vector = Share(VectorOf({{{"p", 1}, 3}}));
  EXPECT_EQ(judge(true, "a"), Yields::kPeer);
}

TEST(LaterSelfTest, IsTheLatestProcessOfThisNameThatIsKnownThere) {
  Replica replica(Options("m"), {MonoTime(1000), 1'700'000'000'000}, 0);
  const uint64_t own = replica.self().incarnation;
  Report report;
  EXPECT_EQ(LaterSelf(report, replica), 0u);
  // Others, and earlier processes, are none.
  report.vector = Share(VectorOf({{{"a", own + 9}, 1}, {{"m", own - 1}, 7}, {{"z", own + 9}, 1}}));
  EXPECT_EQ(LaterSelf(report, replica), 0u);
  report.vector = Share(VectorOf({{{"a", own + 9}, 1}, {{"m", own + 2}, 7}, {{"m", own + 1}, 1}}));
  EXPECT_EQ(LaterSelf(report, replica), own + 2);
  report.vector = Share(VectorOf({{{"m", own}, 1}}));  // of this one, but it made none
  EXPECT_EQ(LaterSelf(report, replica), own);
  report.vector = Share(VectorOf({{{"m", UINT64_MAX}, 1}}));
  EXPECT_EQ(LaterSelf(report, replica), 0u);
  // Met, without a write.
  report.vector = Share({});
  report.peers = std::make_shared<const Peers>(Peers{{{{"a", own + 9}, "", 0}, {{"m", own + 3}, "", 0}}, {}});
  EXPECT_EQ(LaterSelf(report, replica), own + 3);
  report.peers = std::make_shared<const Peers>(Peers{{{{"m", own}, "", 0}}, {}});
  EXPECT_EQ(LaterSelf(report, replica), 0u);
}

TEST(LaterSelfTest, IsFoundInThePastToo) {
  Replica replica(Options("m"), {MonoTime(1000), 1'700'000'000'000}, 0);
  const uint64_t own = replica.self().incarnation;
  const auto later = [&](const std::string& node, uint64_t incarnation) {
    VersionVector vector = VectorOf({{{node, incarnation}, 5}});
    EXPECT_EQ(vector.Fold({{node, incarnation}}), 1u);
    Report report;
    report.vector = Share(vector);
    return LaterSelf(report, replica);
  };
  EXPECT_EQ(later("m", own + 4), own + 4);
  EXPECT_EQ(later("m", own), own);
  EXPECT_EQ(later("m", own - 1), 0u);
  EXPECT_EQ(later("other", own + 4), 0u);
}

// --- what is sent

TEST(OutflowTest, OfWhatWasMadeBeforeOnlyWhatStandsIsSent) {
  const Now now{MonoTime(1000), 1'700'000'000'000};
  Replica replica(Options("m"), now, 0);
  const auto write = [&](const std::string& key) {
    auto entry = std::make_shared<Entry>();
    entry->key = key;
    entry->lease.epoch = replica.own_log().end();
    entry->stamp = replica.NextStamp(now.wall_ms, 0);
    replica.Apply(replica.Sign(entry));
  };
  for (const char* key : {"k", "k", "k", "other", "k"}) write(key);
  Outflow out;
  out.Begin(replica.own_log(), 0);
  const auto keys = [](const std::optional<Message>& message) {
    std::vector<uint64_t> seqs;
    if (!message) return seqs;
    for (const auto& entry : std::get<Live>(*message).entries) seqs.push_back(entry->dot.seq);
    return seqs;
  };
  EXPECT_TRUE(out.HasLive(replica.own_log()) && out.IsAhead(1));
  EXPECT_EQ(keys(out.Next(replica, false, 100)), (std::vector<uint64_t>{4, 5}));
  EXPECT_FALSE(out.HasLive(replica.own_log()) || out.HasMore(replica.own_log()) || out.IsAhead(5));
  EXPECT_EQ(out.Next(replica, false, 100), std::nullopt);
  // All that is made from then on.
  for (const char* key : {"k", "k", "k"}) write(key);
  const auto next = out.Next(replica, true, 2);
  EXPECT_TRUE(std::get<Live>(*next).report_now);
  EXPECT_EQ(keys(next), (std::vector<uint64_t>{6, 7}));
  EXPECT_EQ(keys(out.Next(replica, false, 2)), (std::vector<uint64_t>{8}));
  // A peer that has some of it.
  out.Begin(replica.own_log(), 5);
  EXPECT_EQ(keys(out.Next(replica, false, 100)), (std::vector<uint64_t>{8}));
}

// --- warnings

TEST(WarningsTest, ComeOnceAStateLastsAndThenMoreRarely) {
  Warnings warnings;
  EXPECT_TRUE(warnings.Look(MonoTime(1000)));
  EXPECT_FALSE(warnings.Look(MonoTime(1999)));
  EXPECT_TRUE(warnings.Look(MonoTime(2000)));
  const std::map<std::string, std::string> state = {{"key", "text"}};
  MonoTime at(1000);
  EXPECT_TRUE(warnings.Due(at, state).empty());
  EXPECT_TRUE(warnings.Due(at + kWarnAfterMs - 1, state).empty());
  EXPECT_EQ(warnings.Due(at += kWarnAfterMs, state), Names{"text"});
  for (int64_t pause_ms = kWarnAgainMs; pause_ms < 3 * kWarnMostMs; pause_ms *= 2) {
    const int64_t wait_ms = std::min(pause_ms, kWarnMostMs);
    EXPECT_TRUE(warnings.Due(at + wait_ms - 1, state).empty()) << pause_ms;
    EXPECT_EQ(warnings.Due(at += wait_ms, state), Names{"text"}) << pause_ms;
  }
  EXPECT_TRUE(warnings.Due(at, {}).empty());
  EXPECT_TRUE(warnings.Due(at + kWarnMostMs, state).empty());  // it begins again
}

}  // namespace
}  // namespace leasemap::core
