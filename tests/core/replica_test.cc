// A replica alone: under which incarnation it writes, what becomes of an entry, and how a map is collected, given up,
// taken back and restored.
#include "peer/core/sync/replica.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

constexpr int64_t kWallMs = 1'700'000'000'000;
constexpr Now kNow{MonoTime(1000), kWallMs};

EntryPtr Ephemeral(const std::string& key, uint64_t seq, int64_t expire_ms) {
  auto entry = std::make_shared<Entry>();
  entry->key = key;
  entry->value = "value";
  entry->ephemeral = true;
  entry->dot = {{"n", 1}, seq};
  entry->lease = {"h", seq, 1, 10, expire_ms, false};
  return entry;
}
class ReplicaAlone : public testing::Test {
 protected:
  static NodeOptions Options() {
    NodeOptions options;
    options.node_id = "m";
    return options;
  }
  EntryPtr Write(const std::string& key, int64_t expire_ms = kWallMs + 1000) {
    auto entry = std::make_shared<Entry>(*Ephemeral(key, 1, expire_ms));
    entry->lease.epoch = replica_.own_log().end();
    entry->stamp = replica_.NextStamp(kWallMs, 0);
    const EntryPtr signed_entry = replica_.Sign(entry);
    replica_.Apply(signed_entry);
    return signed_entry;
  }

  Replica replica_{Options(), kNow, 0};
};

TEST(IncarnationTest, IsTheTimeOfTheStartAndAboveAllBefore) {
  EXPECT_EQ(NewIncarnation(kWallMs, 0, 7) >> 20, static_cast<uint64_t>(kWallMs));
  EXPECT_NE(NewIncarnation(kWallMs, 0, 7), NewIncarnation(kWallMs, 0, 8));
  EXPECT_EQ(NewIncarnation(-5, 0, 7) >> 20, 1u);
  const uint64_t above = (uint64_t{2} * kWallMs << 20) + 99;
  EXPECT_EQ(NewIncarnation(kWallMs, above, 7) >> 20, uint64_t{2} * kWallMs + 1);
  EXPECT_NE(NewIncarnation(kWallMs, above, 7) & 0xfffff, NewIncarnation(kWallMs, above + 1, 7) & 0xfffff);
  const uint64_t last_ms = (uint64_t{1} << 44) - 1;
  EXPECT_EQ(NewIncarnation(kWallMs, (last_ms - 1) << 20, 7) >> 20, last_ms);
  EXPECT_EQ(NewIncarnation(kWallMs, last_ms << 20, 7), (last_ms << 20) + 1);
}

TEST_F(ReplicaAlone, KnowsItsLatestIncarnationsAsItsOwn) {
  const ReplicaId first = replica_.self();
  Write("k");
  EXPECT_TRUE(replica_.IsOwn(first));
  EXPECT_FALSE(replica_.IsOwn({"other", first.incarnation}));
  EXPECT_FALSE(replica_.IsOwn({"m", first.incarnation + 1}));
  for (size_t n = 1; n < kMaxOwnIncarnations; ++n) replica_.TakeIncarnation(first.incarnation + n);
  EXPECT_TRUE(replica_.IsOwn(first));
  EXPECT_EQ(replica_.own_log().end(), 1u);  // another one begins again
  replica_.TakeIncarnation(first.incarnation + kMaxOwnIncarnations);
  EXPECT_FALSE(replica_.IsOwn(first));
  EXPECT_TRUE(replica_.IsOwn({"m", first.incarnation + 1}));
}

TEST_F(ReplicaAlone, AClaimOfItsWritesIsTrueUpToTheLast) {
  Write("k");
  VersionVector claim;
  EXPECT_FALSE(replica_.ClaimsUnmade(claim));
  claim.Add(replica_.self(), 1, 1);
  EXPECT_FALSE(replica_.ClaimsUnmade(claim));
  claim.Add({replica_.self(), 3});
  EXPECT_TRUE(replica_.ClaimsUnmade(claim));
}

TEST_F(ReplicaAlone, SaysWhatBecameOfAnEntry) {
  const EntryPtr first = Write("k");
  replica_.TakeNews();
  EXPECT_TRUE(replica_.IsPresent(*first));
  const auto renewal = std::make_shared<Entry>(*first);
  renewal->dot = {{"p", 1}, 1};
  renewal->stamp += 1;
  renewal->value_dot = first->dot;
  renewal->value_stamp = first->stamp;
  const uint64_t change = replica_.change();
  Replica::Applied applied = replica_.Apply(renewal);
  EXPECT_TRUE(applied.won);
  EXPECT_FALSE(applied.again);
  EXPECT_EQ(applied.loser, first);
  EXPECT_EQ(applied.winner, renewal);
  EXPECT_GT(replica_.change(), change);
  Replica::News news = replica_.TakeNews();
  EXPECT_TRUE(news.renewed);
  EXPECT_FALSE(news.changed);
  EXPECT_FALSE(replica_.IsPresent(*first));
  applied = replica_.Apply(first);
  EXPECT_FALSE(applied.won);
  EXPECT_TRUE(applied.again);
  EXPECT_EQ(applied.loser, first);
  EXPECT_EQ(applied.winner, renewal);
  EXPECT_TRUE(replica_.TakeNews().changed);
  EXPECT_EQ(replica_.last_stamp(), renewal->stamp);
  EXPECT_TRUE(replica_.vector().Covers(renewal->dot));
}

TEST_F(ReplicaAlone, SaysWhetherALossIsAConflict) {
  const EntryPtr loser = Write("k");
  const auto winner = std::make_shared<Entry>(*loser);
  winner->dot = {{"p", 1}, 1};
  EXPECT_FALSE(replica_.NoteConflict(loser, winner, kWallMs));  // of the same lease
  winner->lease.holder = "other";
  EXPECT_TRUE(replica_.NoteConflict(loser, winner, kWallMs));
  ASSERT_EQ(replica_.conflicts().total(), 1u);
  EXPECT_EQ(replica_.conflicts().at(1).winner, winner);
  EXPECT_EQ(replica_.conflicts().at(1).found_ms, kWallMs);
}

TEST_F(ReplicaAlone, ItsVectorIsMadeOnceAndNamesWhoIsPresent) {
  int asked = 0;
  std::vector<ReplicaId> there;
  const auto present = [&] { return ++asked, there; };
  const VectorPtr first = replica_.Shared(1, present);
  EXPECT_EQ(replica_.Shared(1, present), first);
  EXPECT_EQ(replica_.Shared(2, present), first);  // there is no past that could mean somebody
  EXPECT_EQ(asked, 1);
  VersionVector past;
  past.Add({"gone", 5}, 1, 3);
  replica_.TakeSession(kNow.mono, past, VersionVector());
  replica_.Fold({{"gone", 5}});
  const VectorPtr folded = replica_.Shared(2, present);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(replica_.Shared(2, present), folded);
  EXPECT_EQ(replica_.Shared(3, present), folded);  // the same again
  EXPECT_EQ(asked, 3);
  there = {{"p", 4}};
  EXPECT_EQ(replica_.Shared(3, present), folded);
  const VectorPtr named = replica_.Shared(4, present);
  EXPECT_TRUE(named->runs().contains({"p", 4}));
  EXPECT_EQ(named->past(), nullptr);
  EXPECT_TRUE(replica_.Whole(present)->runs().contains({"p", 4}));
  EXPECT_NE(replica_.Whole(present)->past(), nullptr);
}

TEST_F(ReplicaAlone, WhatIsCollectedIsInTheFloor) {
  const EntryPtr first = Write("k1", kWallMs + 1), second = Write("k2", kWallMs + 2);
  auto gone = std::make_shared<Entry>(*Ephemeral("k3", 1, kWallMs + 50));
  gone->tombstone = true;
  gone->lease.epoch = 77;
  gone->dot = {{"p", 1}, 4};
  replica_.Apply(gone);
  replica_.FollowClock({kNow.mono, kWallMs + 2}, LeaseRules(), 1000);
  replica_.Collect({"k2", "k1", "k3"});
  EXPECT_EQ(replica_.store().keys(), 0u);
  EXPECT_TRUE(replica_.floor().Covers(second->dot) && replica_.floor().Covers(Dot{{"p", 1}, 4}));
  EXPECT_FALSE(replica_.floor().Covers(Dot{replica_.self(), 3}));
  EXPECT_EQ(replica_.map().lapses_gone_ms, kWallMs + 2);  // a delete is no lapse
  EXPECT_EQ(replica_.ceiling().collected_epoch(), 77u);
  // What is of the past here is of the past in the floor.
  replica_.TakeSession(kNow.mono, replica_.floor(), VersionVector());
  replica_.Fold({{"p", 1}});
  EXPECT_FALSE(replica_.floor().runs().contains({"p", 1}));
  EXPECT_TRUE(replica_.floor().runs().contains(replica_.self()));
  EXPECT_TRUE(replica_.floor().Covers(Dot{{"p", 1}, 4}));
}

TEST_F(ReplicaAlone, WhatIsCollectedOfAProcessOfThePastIsOfThePastInTheFloor) {
  auto gone = std::make_shared<Entry>(*Ephemeral("k", 4, kWallMs));
  gone->tombstone = true;
  gone->dot = {{"p", 1}, 4};
  replica_.Apply(gone);
  VersionVector all;
  all.Add({"p", 1}, 1, 4);
  replica_.TakeSession(kNow.mono, all, VersionVector());
  replica_.Fold({{"p", 1}});
  replica_.Collect({"k"});
  EXPECT_TRUE(replica_.floor().runs().empty());
  EXPECT_TRUE(replica_.floor().Covers(Dot{{"p", 1}, 4}));
}

TEST_F(ReplicaAlone, AMapIsGivenUpAndTakenBack) {
  const EntryPtr mine = Write("k");
  Write("k2");
  replica_.JoinFloor(kNow.mono, [] {
    VersionVector floor;
    floor.Add({"q", 1}, 1, 2);
    return floor;
  }());
  replica_.FollowClock(kNow, LeaseRules(), 1000);
  const uint64_t head = replica_.store().head(), change = replica_.change();
  replica_.TakeNews();
  MapState old = replica_.GiveUp({kNow.mono + 5, kWallMs - 3}, kWallMs + 9, replica_.self().incarnation + 1);
  EXPECT_EQ(old.store.keys(), 2u);
  EXPECT_TRUE(replica_.vector().empty() && replica_.floor().empty());
  EXPECT_EQ(replica_.store().head(), head);
  EXPECT_EQ(replica_.store().horizon_ms(), kWallMs - 3);
  EXPECT_EQ(replica_.ceiling().at_ms(), kWallMs + 9);
  EXPECT_EQ(replica_.last_stamp(), 0u);
  EXPECT_GT(replica_.change(), change);
  EXPECT_TRUE(replica_.TakeNews().changed);
  VersionVector floor;
  floor.Add({"p", 1}, 1, 2);
  replica_.TakeSession(kNow.mono, floor, floor);
  auto high = std::make_shared<Entry>(*Ephemeral("high", 1, kWallMs + 1000));
  high->dot = {{"p", 1}, 3};
  high->lease.epoch = static_cast<uint64_t>(kWallMs + 100 * 3'600'000LL) << kEpochShift;
  replica_.Apply(high);
  replica_.TakeNews();
  const int64_t old_ceiling_ms = old.ceiling.at_ms();
  replica_.TakeBack(kNow.mono, std::move(old));
  EXPECT_EQ(replica_.store().keys(), 3u);
  EXPECT_GT(replica_.store().head(), head);
  EXPECT_TRUE(replica_.vector().Covers(mine->dot) && replica_.vector().Covers(high->dot));
  EXPECT_FALSE(replica_.floor().Covers(Dot{{"p", 1}, 1}));
  EXPECT_TRUE(replica_.floor().Covers(Dot{{"q", 1}, 2}));
  EXPECT_EQ(replica_.last_stamp() >= mine->stamp, true);
  EXPECT_EQ(replica_.ceiling().at_ms(), old_ceiling_ms);
  EXPECT_FALSE(replica_.ceiling().Fits(old_ceiling_ms, kWallMs));  // the entries that were taken meanwhile count
  EXPECT_TRUE(replica_.TakeNews().changed);
}

TEST_F(ReplicaAlone, AnImageIsWhatTheNextProcessBeginsWith) {
  const EntryPtr mine = Write("k");
  Image image;
  image.vector = replica_.vector();
  image.floor.Add({"q", 1}, 1, 2);
  image.ceiling_ms = kWallMs + 7;
  image.collected_epoch = 55;
  image.entries = {mine};
  Replica next(Options(), kNow, replica_.self().incarnation);
  next.Restore(kNow.mono, image);
  EXPECT_GT(next.self().incarnation, replica_.self().incarnation);
  EXPECT_EQ(next.vector(), image.vector);
  EXPECT_TRUE(next.floor().Covers(Dot{{"q", 1}, 2}));
  EXPECT_EQ(next.ceiling().at_ms(), kWallMs + 7);
  EXPECT_EQ(next.ceiling().collected_epoch(), 55u);
  EXPECT_TRUE(next.IsPresent(*mine));
  EXPECT_TRUE(next.ceiling().Fits(0, kWallMs));
  EXPECT_FALSE(next.ceiling().Fits(0, kWallMs - 3'600'000));  // by a write of the future
  EXPECT_EQ(next.last_stamp(), mine->stamp);
}

}  // namespace
}  // namespace leasemap::core
