// Parts of the data and sync layers, and what a node holds beside its map, each alone.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "peer/core/data/cursor.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/error.h"
#include "peer/core/data/lease.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/retirement.h"
#include "peer/core/node/requests.h"
#include "peer/core/node/waits.h"
#include "peer/core/sync/conflicts.h"
#include "peer/core/sync/replica.h"
#include "tests/core/matchers.h"
#include "tests/matchers/status.h"

namespace leasemap::core {
namespace {

constexpr int64_t kWallMs = 1'700'000'000'000;

EntryPtr Make(const std::string& key, uint64_t seq, const std::string& value = "value") {
  auto entry = std::make_shared<Entry>();
  entry->key = key;
  entry->value = value;
  entry->dot = {{"n", 1}, seq};
  entry->lease.epoch = seq;
  return entry;
}

TEST(FencingTokenTest, IsTheEpochAndTheStartTurnedRound) {
  Lease lease;
  lease.epoch = 0x0123456789abcdef;
  lease.start_s = 0x10;
  EXPECT_EQ(FencingToken(lease), "0123456789abcdefffffffffffffffef");
  lease.start_s = 0x7edcba9876543210;
  EXPECT_EQ(FencingToken(lease), "0123456789abcdef8123456789abcdef");
}

TEST(LeaseEndTest, OneThatHasEndedEndedWhenItSays) {
  const LeaseRules rules;
  Entry entry;
  entry.lease.duration_ms = 10'000;
  entry.lease.expire_ms = kWallMs;
  // However long ago it came: renewals that this node did not see made it longer.
  for (const int64_t age_ms : {int64_t{0}, int64_t{10'000}, int64_t{3'600'000}}) {
    EXPECT_EQ(LeaseEnd(rules, entry, kWallMs, age_ms), kWallMs) << age_ms;
    EXPECT_EQ(LeaseEnd(rules, entry, kWallMs + 5, age_ms), kWallMs) << age_ms;
  }
}

TEST(CursorCodec, NamesOneWithoutAWriteOnlyWhereTheMarkWouldStandForIt) {
  Cursor cursor;
  cursor.vector.Add({"a", 5}, 1, 3);
  cursor.vector.Fold({{"a", 5}});
  cursor.vector = cursor.vector.Naming({{"b", 4}, {"b", 5}, {"b", 6}});
  EXPECT_TRUE(cursor.vector.runs().contains({"b", 5}));
  EXPECT_FALSE(cursor.vector.runs().contains({"b", 6}));
  const auto back = DecodeCursor(EncodeCursor(cursor));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->vector.runs(), cursor.vector.runs());
}

TEST(ConflictsTest, BeyondTheBytesOnlyTheLatestStays) {
  Conflicts conflicts(1000);
  const std::string large(800, 'v');
  for (uint64_t seq = 1; seq <= 4; ++seq) {
    conflicts.Add({Make("k", seq, large), Make("k", 100 + seq, large), kWallMs});
    EXPECT_EQ(conflicts.end() - conflicts.first(), 1u);
    EXPECT_EQ(conflicts.at(conflicts.first()).loser->dot.seq, seq);
    EXPECT_EQ(conflicts.total(), seq);
  }
  // Who is listed is not listed again; who went may be.
  conflicts.Add({Make("k", 4, large), Make("k", 105, large), kWallMs});
  EXPECT_EQ(conflicts.total(), 4u);
  conflicts.Add({Make("k", 1, large), Make("k", 105, large), kWallMs});
  EXPECT_EQ(conflicts.total(), 5u);
  EXPECT_EQ(conflicts.bytes(), Weight(*conflicts.at(5).loser) + Weight(*conflicts.at(5).winner));
}

// --- what a session brings

TEST(ReplicaTest, ASessionBringsWhatItsPeerCoversAndItsFloor) {
  NodeOptions options;
  options.node_id = "m";
  Replica replica(options, {MonoTime(1000), kWallMs}, 0);
  const uint64_t change = replica.change();
  VersionVector vector, floor;
  vector.Add({"p", 1}, 1, 9);
  floor.Add({"p", 1}, 1, 4);
  replica.TakeSession(MonoTime(1000), vector, floor);
  EXPECT_TRUE(replica.vector().Covers(vector));
  EXPECT_TRUE(replica.floor().Covers(floor));
  EXPECT_FALSE(replica.floor().Covers(Dot{{"p", 1}, 5}));
  EXPECT_GT(replica.change(), change);
  EXPECT_TRUE(replica.TakeNews().changed);
  EXPECT_FALSE(replica.TakeNews().changed);
}

TEST(ReplicaTest, AWriteOfItsOwnIsStampedAboveAllThatItSaw) {
  NodeOptions options;
  options.node_id = "m";
  Replica replica(options, {MonoTime(1000), kWallMs}, 0);
  auto entry = std::make_shared<Entry>(*Make("k", 1));
  entry->stamp = StampAt(kWallMs + 1000) + 7;
  replica.Apply(entry);
  EXPECT_GT(replica.NextStamp(kWallMs, 0), entry->stamp);
  EXPECT_EQ(replica.last_stamp(), entry->stamp);
}

// --- requests

WriteCommand Request(const std::string& value) {
  WriteCommand command;
  command.key = "k";
  command.value = value;
  command.holder = "h";
  command.request_id = "r";
  return command;
}

TEST(RequestsTest, EveryFieldMakesAnotherRequest) {
  std::vector<WriteCommand> others(11, Request("v"));
  others[0].value = "w";
  others[1].key = "other";
  others[2].value_is_text = !others[2].value_is_text;
  others[3].duration_ms = 5000;
  others[4].duration_ms = 0;
  others[5].if_version = "version";
  others[6].if_absent = true;
  others[7].only_if_held = true;
  others[8].allow_missing = true;
  others[9].ephemeral = true;
  others[10].change = Change::kDelete;
  for (size_t n = 0; n < others.size(); ++n) {
    Requests requests;
    const Store store;
    requests.Remember(MonoTime(0), Request("v"), Make("k", 1));
    const auto same = requests.FindDone(MonoTime(1), Request("v"), store);
    ASSERT_TRUE(same.ok() && same->has_value());
    EXPECT_EQ((**same)->dot.seq, 1u);
    EXPECT_FALSE(requests.FindDone(MonoTime(1), others[n], store).ok()) << n;
    // And the other way round.
    Requests turned;
    turned.Remember(MonoTime(0), others[n], Make("k", 1));
    EXPECT_FALSE(turned.FindDone(MonoTime(1), Request("v"), store).ok()) << n;
  }
}

TEST(RequestsTest, AnotherNodeKnowsARequestByItsEntry) {
  Store store;
  auto entry = std::make_shared<Entry>(*Make("k", 1, "v"));
  entry->lease.holder = "h";
  entry->request = RequestHash("h", "r");
  store.Merge(entry);
  Requests requests;
  const auto same = requests.FindDone(MonoTime(1), Request("v"), store);
  ASSERT_TRUE(same.ok() && same->has_value());
  std::vector<WriteCommand> others(4, Request("v"));
  others[0].value = "w";
  others[1].value_is_text = true;
  others[2].ephemeral = true;
  others[3].change = Change::kDelete;
  for (size_t n = 0; n < others.size(); ++n) {
    Requests fresh;
    EXPECT_FALSE(fresh.FindDone(MonoTime(1), others[n], store).ok()) << n;
  }
  WriteCommand unknown = Request("v");
  unknown.request_id = "another";
  EXPECT_EQ(requests.FindDone(MonoTime(1), unknown, store)->has_value(), false);
}

TEST(RequestsTest, AreRememberedForATime) {
  Requests requests;
  const Store store;
  requests.Remember(MonoTime(1000), Request("v"), Make("k", 1));
  EXPECT_TRUE(requests.FindDone(MonoTime(999 + kRequestMs), Request("v"), store)->has_value());
  EXPECT_FALSE(requests.FindDone(MonoTime(1000 + kRequestMs), Request("v"), store)->has_value());
}

// --- calls that wait

class WaitsAlone : public testing::Test {
 protected:
  std::vector<Effects::Answered> Settle(MonoTime mono = MonoTime(1000)) {
    std::vector<Effects::Answered> answered;
    waits_.Settle({mono, members_, vector_, store_, self_}, answered);
    return answered;
  }

  Waits waits_;
  std::map<std::string, Member> members_;
  VersionVector vector_;
  Store store_;
  const std::string self_ = "self";
};

TEST_F(WaitsAlone, AVersionThatCameWithTheWholeVectorIsFound) {
  const WaitId wait = waits_.AwaitVersion({{"p", 1}, 3}, MonoTime(1000), MonoTime(5000));
  waits_.AwaitVersion({{"p", 1}, 4}, MonoTime(1000), MonoTime(5000));
  EXPECT_TRUE(Settle().empty());
  vector_.Add({"p", 1}, 1, 3);
  waits_.LookAgain();
  const auto answered = Settle();
  ASSERT_EQ(answered.size(), 1u);
  EXPECT_EQ(answered[0].wait, wait);
  EXPECT_THAT(answered[0].status, IsOk());
  EXPECT_EQ(waits_.size(), 1u);
  const auto late = Settle(MonoTime(5000));
  ASSERT_EQ(late.size(), 1u);
  EXPECT_THAT(late[0].status, HasReason("NOT_CAUGHT_UP"));
  EXPECT_EQ(RetryMsOf(late[0].status), 1000);
  EXPECT_TRUE(waits_.empty());
  EXPECT_EQ(waits_.NextDue(), MonoTime::Never());
}

TEST_F(WaitsAlone, AWriteThatTheMapLostIsNotWaitedFor) {
  members_["m"].id = {"m", 1};
  const EntryPtr entry = Make("k", 1);
  waits_.AwaitAck(entry, {Ack::Level::kAll}, MonoTime(1000), MonoTime(5000));
  store_.Merge(entry);
  waits_.LookAgain();
  EXPECT_TRUE(Settle().empty());
  store_ = Store();
  waits_.LookAgain();
  const auto answered = Settle();
  ASSERT_EQ(answered.size(), 1u);
  EXPECT_FALSE(answered[0].status.ok());
}

// --- a map that was given up

TEST(RetirementTest, ThePeersMapIsWaitedForWithPatience) {
  NodeOptions options;
  options.node_id = "m";
  const Timing timing;
  Replica replica(options, {MonoTime(1000), kWallMs}, 0);
  Retirement retirement(options.rules, timing);
  VersionVector theirs;
  theirs.Add({"p", 1}, 1, 3);
  EXPECT_TRUE(retirement.HasPeersMap({MonoTime(1000), kWallMs}, replica));  // nothing was given up
  Retirement::Reason reason{true, true, std::make_shared<const VersionVector>(theirs), LowerCeiling{}};
  retirement.GiveUp({MonoTime(1000), kWallMs}, replica.self().incarnation + 1, reason, replica);
  EXPECT_TRUE(retirement.serves() && retirement.for_ceiling());
  EXPECT_FALSE(retirement.for_part());
  EXPECT_FALSE(retirement.HasPeersMap({MonoTime(999 + 2 * timing.silent), kWallMs}, replica));
  Retirement another = retirement;
  EXPECT_TRUE(another.HasPeersMap({MonoTime(1000 + 2 * timing.silent), kWallMs}, replica));
  replica.TakeSession(MonoTime(1000), theirs, VersionVector());
  EXPECT_TRUE(retirement.HasPeersMap({MonoTime(1001), kWallMs}, replica));
}

}  // namespace
}  // namespace leasemap::core
