// Rules of leases, repeats, requests, room and sessions, both sides of each edge.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/lease.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/explain.h"
#include "peer/core/node/requests.h"
#include "peer/core/sync/ceiling.h"
#include "peer/core/sync/repeat.h"
#include "peer/core/sync/replica.h"
#include "peer/core/sync/room.h"
#include "peer/core/sync/session.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

constexpr int64_t kHour = 3'600'000;
constexpr int64_t kPeriod = 472'222LL * kHour;  // the start of some hour
constexpr int64_t kBound = 500;

Entry Written(uint64_t seq, uint64_t stamp) {
  Entry entry;
  entry.key = "k";
  entry.value = absl::StrCat("v", seq);
  entry.dot = {{"n", 1}, seq};
  entry.stamp = stamp;
  entry.lease = {"h", 100, 7, 1000, 9000, false};
  return entry;
}
Entry Renewed(const Entry& entry, uint64_t seq, uint64_t stamp, int64_t expire_ms) {
  Entry out = entry;
  out.dot.seq = seq;
  out.stamp = stamp;
  out.value_dot = ValueDot(entry);
  out.value_stamp = ValueStamp(entry);
  out.lease.expire_ms = expire_ms;
  return out;
}

// --- leases

TEST(LeaseEndRule, ALeaseThatIsTooLongEndsItsDurationAfterItCame) {
  const LeaseRules rules;
  const int64_t margin = kBogusBounds * kBound;
  Entry entry;
  entry.lease.duration_ms = 8000;
  const auto end = [&](int64_t expire_ms, int64_t wall_ms, int64_t age_ms) {
    entry.lease.expire_ms = expire_ms;
    return LeaseEnd(rules, entry, wall_ms, age_ms);
  };
  EXPECT_EQ(end(8000 + margin, 0, 0), 8000 + margin);
  EXPECT_EQ(end(8000 + margin + 1, 0, 0), 8000);
  // Less than it is left: told by an eighth of its duration.
  EXPECT_EQ(end(13'000 + 1000 + margin, 10'000, 5000), 13'000 + 1000 + margin);
  EXPECT_EQ(end(13'000 + 1000 + margin + 1, 10'000, 5000), 13'000);
  entry.tombstone = true;
  EXPECT_EQ(end(10'000 + margin, 10'000, 0), 10'000 + margin);
  EXPECT_EQ(end(10'000 + margin + 1, 10'000, 0), 10'000);
}

TEST(LeaseRule, OneLeaseIsAnAcquisitionAndItsRenewals) {
  const Lease lease{"h", uint64_t{5} << kEpochShift, 7, 1000, 9000, false};
  Lease other = lease;
  EXPECT_TRUE(IsSameLease(lease, other));
  other.epoch += 1;
  EXPECT_FALSE(IsSameLease(lease, other));  // acquired once more within the period
  other.epoch = uint64_t{6} << kEpochShift;
  EXPECT_TRUE(IsSameLease(lease, other));
  other.start_s = 8;
  EXPECT_FALSE(IsSameLease(lease, other));
  other = lease;
  other.holder = "g";
  EXPECT_FALSE(IsSameLease(lease, other));
}

TEST(LeaseRule, IsHeldUntilItsEndByWhoGotIt) {
  const Entry entry = Written(1, 1);
  EXPECT_TRUE(IsHeld(entry.lease, &entry, 8999));
  EXPECT_FALSE(IsHeld(entry.lease, &entry, 9000));
  EXPECT_FALSE(IsHeld(entry.lease, nullptr, 0));
  for (const int n : {0, 1, 2}) {
    Entry now = entry;
    now.tombstone = n == 0;
    now.lease.released = n == 1;
    if (n == 2) now.lease.holder = "g";
    EXPECT_FALSE(IsHeld(entry.lease, &now, 0)) << n;
  }
}

TEST(LeaseRule, ARenewalKeepsALiveLeaseAndItsValue) {
  const Entry before = Written(1, 1), after = Renewed(before, 2, 2, 9500);
  EXPECT_TRUE(IsRenewal(before, after));
  EXPECT_FALSE(IsRenewal(before, Written(2, 2)));
  const auto changed = [&](auto change) {
    Entry one = before, two = after;
    change(one);
    change(two);
    return std::pair(IsRenewal(one, after), IsRenewal(before, two));
  };
  const std::pair none(false, false);
  EXPECT_EQ(changed([](Entry& e) { e.tombstone = true; }), none);
  EXPECT_EQ(changed([](Entry& e) { e.value_gone = true; }), none);
  EXPECT_EQ(changed([](Entry& e) { e.lease.released = true; }), none);
  EXPECT_EQ(changed([](Entry& e) { e.lease.duration_ms = 0; }), none);
  EXPECT_EQ(changed([](Entry& e) { e.lease.start_s = 9; }), none);
}

TEST(AdmissionRule, GoesByWhatTheNodeKnowsBeside) {
  const LeaseRules rules;
  const int64_t now = kPeriod + 600'000;
  const LeaseRequest request{Change::kSet, "k", "a", {}};
  const uint64_t epoch = static_cast<uint64_t>(kPeriod) << kEpochShift;
  const auto admit = [&](const Entry* previous, const Standing& standing) {
    return Admit(rules, previous, request, now, standing);
  };
  // No token falls below what was collected.
  EXPECT_EQ((*admit(nullptr, {{}, 0, 0}))->epoch, epoch);
  EXPECT_EQ((*Admit(rules, nullptr, request, 10))->epoch, 0u);
  EXPECT_EQ((*admit(nullptr, {{}, 0, epoch + 5}))->epoch, epoch + 6);
  EXPECT_EQ((*admit(nullptr, {{}, 0, epoch - 9}))->epoch, epoch);
  Entry entry = Written(1, 1);
  entry.lease.epoch = epoch;
  entry.lease.expire_ms = now + 9 * kHour;
  EXPECT_THAT(admit(&entry, {}), HasReason("LEASE_HELD"));
  // The lease ended before it says, since it was made by a clock that was ahead.
  const auto taken = admit(&entry, {now - kBound, 0, epoch + 50});
  ASSERT_THAT(taken, IsOk());
  EXPECT_EQ((*taken)->epoch, epoch + 1);
  const auto held = admit(&entry, {now - kBound + 1, 0, 0});
  EXPECT_THAT(held, HasReason("LEASE_HELD"));
  EXPECT_EQ(RetryMsOf(held.status()), 1);
  EXPECT_EQ(MetadataOf(held.status()).at("key"), "k");
  // A ceiling allows epochs up to it.
  entry.lease.released = true;
  entry.lease.epoch = static_cast<uint64_t>(kPeriod + 5 * kHour) << kEpochShift;
  EXPECT_THAT(admit(&entry, {}), HasReason("EPOCH_LIMIT"));
  EXPECT_THAT(admit(&entry, {{}, kPeriod + 6 * kHour, 0}), IsOk());
}

TEST(AdmissionRule, StartsNoEarlierThanTheLeaseBeforeEnded) {
  for (const int64_t more_ms : {1, 999, 1000}) {
    Entry entry = Written(1, 1);
    entry.lease.expire_ms = kPeriod + 5000 + more_ms;
    const auto taken = Admit({}, &entry, {Change::kSet, "k", "a", {}}, kPeriod + 5000 + more_ms + kBound);
    ASSERT_THAT(taken, IsOk());
    EXPECT_EQ((*taken)->start_s, kPeriod / 1000 + 6) << more_ms;
  }
}

TEST(AdmissionRule, SaysWhoHoldsTheKeyAndForHowLong) {
  Entry entry = Written(1, 1);
  entry.lease.holder = "b";
  entry.lease.expire_ms = kPeriod + 5000;
  const auto held = Admit({}, &entry, {Change::kSet, "k", "a", {}}, kPeriod);
  EXPECT_EQ(
      held.status().message(),
      "key \"k\" is leased by b for 5.0s; write through n, wait, or, if the lease is yours, name b as the holder");
  EXPECT_EQ(MetadataOf(held.status()).at("expire_time"), "2023-11-14T22:00:05.000Z");
  EXPECT_EQ(RetryMsOf(held.status()), 5000 + kBound);
  const auto lost = Admit({}, &entry, {Change::kRenew, "k", "a", {}, true}, kPeriod + 9000);
  EXPECT_THAT(lost, HasReason("LEASE_NOT_HELD"));
  EXPECT_EQ(MetadataOf(lost.status()).at("key"), "k");
  EXPECT_EQ(MetadataOf(lost.status()).at("holder"), "a");
  entry.lease.holder = "a";
  EXPECT_THAT(Admit({}, &entry, {Change::kRenew, "k", "a", {}, true}, kPeriod), IsOk());
  entry.lease.duration_ms = 0;  // its own, without a lease
  EXPECT_THAT(Admit({}, &entry, {Change::kRenew, "k", "a", {}, true}, kPeriod), HasReason("LEASE_NOT_HELD"));
}

// --- a write that lost is made once more

TEST(RepeatRule, ANewerValueUnderAnOlderRenewalComesOnTop) {
  const Entry old = Written(1, 10);
  Entry newer = Written(2, 20), winner = Renewed(old, 3, 30, 12'000);
  winner.lease.epoch = uint64_t{9} << kEpochShift;
  newer.request = 5;
  newer.unknown_fields = "later";
  newer.value_is_text = newer.ephemeral = true;
  auto repeat = RepeatOf(newer, winner);
  ASSERT_TRUE(repeat.has_value());
  EXPECT_EQ(repeat->key, "k");
  EXPECT_EQ(repeat->value, "v2");
  EXPECT_TRUE(repeat->value_is_text && repeat->ephemeral);
  EXPECT_EQ(repeat->request, 5u);
  EXPECT_EQ(repeat->unknown_fields, "later");
  EXPECT_EQ(repeat->value_dot, newer.dot);
  EXPECT_EQ(repeat->value_stamp, 20u);
  EXPECT_EQ(repeat->lease, winner.lease);
  EXPECT_EQ(repeat->stamp, 31u);
  newer.stamp = 90;
  EXPECT_EQ(RepeatOf(newer, winner)->stamp, 90u);
  // A delete gives the lease up, at the earlier of the two ends.
  newer.tombstone = true;
  newer.lease.released = true;
  newer.lease.expire_ms = 8000;
  repeat = RepeatOf(newer, winner);
  EXPECT_TRUE(repeat->tombstone && repeat->lease.released);
  EXPECT_EQ(repeat->lease.expire_ms, 8000);
  newer.lease.expire_ms = 13'000;
  EXPECT_EQ(RepeatOf(newer, winner)->lease.expire_ms, 12'000);
}

TEST(RepeatRule, ALongerRenewalOfAnOlderValueComesOnTop) {
  const Entry old = Written(1, 10), winner = Written(2, 20);
  Entry renewal = Renewed(old, 3, 30, 9001);
  renewal.lease.duration_ms = 4321;
  auto repeat = RepeatOf(renewal, winner);
  ASSERT_TRUE(repeat.has_value());
  EXPECT_EQ(repeat->value, "v2");
  EXPECT_EQ(repeat->value_dot, winner.dot);
  EXPECT_EQ(repeat->lease.expire_ms, 9001);
  EXPECT_EQ(repeat->lease.duration_ms, 4321);
  EXPECT_FALSE(repeat->lease.released);
  renewal.lease.expire_ms = 9000;  // no longer than what stands
  EXPECT_EQ(RepeatOf(renewal, winner), std::nullopt);
  renewal.lease.released = true;  // a release counts whenever it ends
  renewal.lease.expire_ms = 5000;
  repeat = RepeatOf(renewal, winner);
  ASSERT_TRUE(repeat.has_value());
  EXPECT_TRUE(repeat->lease.released);
  EXPECT_EQ(repeat->lease.expire_ms, 5000);
  EXPECT_EQ(repeat->lease.duration_ms, winner.lease.duration_ms);
  renewal.lease.duration_ms = 0;
  EXPECT_TRUE(RepeatOf(renewal, winner).has_value());
  renewal.stamp = 20;  // before the value that it would be on top of
  EXPECT_EQ(RepeatOf(renewal, winner), std::nullopt);
  renewal.stamp = 21;
  EXPECT_TRUE(RepeatOf(renewal, winner).has_value());
}

TEST(RepeatRule, NothingElseIsMadeOnceMore) {
  const Entry old = Written(1, 10), winner = Written(2, 20), renewal = Renewed(old, 3, 30, 9001);
  ASSERT_TRUE(RepeatOf(renewal, winner).has_value());
  EXPECT_EQ(RepeatOf(old, winner), std::nullopt);  // an older value
  EXPECT_EQ(RepeatOf(winner, winner), std::nullopt);
  const auto without = [&](auto change_loser, auto change_winner) {
    Entry loser = renewal, other = winner;
    change_loser(loser);
    change_winner(other);
    return RepeatOf(loser, other) == std::nullopt;
  };
  const auto same = [](Entry&) {};
  EXPECT_TRUE(without([](Entry& e) { e.lease.duration_ms = 0; }, same));
  EXPECT_TRUE(without([](Entry& e) { e.lease.holder = "g"; }, same));
  EXPECT_TRUE(without([](Entry& e) { e.value_gone = true; }, same));
  EXPECT_TRUE(without(same, [](Entry& e) { e.value_gone = true; }));
  EXPECT_TRUE(without(same, [](Entry& e) { e.tombstone = true; }));
  EXPECT_TRUE(without(same, [](Entry& e) { e.lease.released = true; }));
}

// --- requests

TEST(RequestRule, TheOldestIsForgottenBeyondTheBound) {
  Requests requests;
  const Store store;
  WriteCommand command;
  command.key = "k";
  command.holder = "h";
  const auto done = [&](const std::string& id) {
    command.request_id = id;
    return requests.FindDone(MonoTime(0), command, store)->has_value();
  };
  const auto remember = [&](const std::string& id) {
    command.request_id = id;
    requests.Remember(MonoTime(0), command, nullptr);
  };
  remember("");
  EXPECT_EQ(requests.size(), 0u);
  command.validate_only = true;
  remember("r");
  EXPECT_EQ(requests.size(), 0u);
  command.validate_only = false;
  for (size_t n = 0; n < kMaxRequests; ++n) remember(absl::StrCat("r", n));
  EXPECT_EQ(requests.size(), kMaxRequests);
  EXPECT_TRUE(done("r0"));
  remember("new");
  EXPECT_EQ(requests.size(), kMaxRequests);
  EXPECT_FALSE(done("r0"));
  EXPECT_TRUE(done("r1") && done("new"));
  EXPECT_FALSE(done(""));
  requests.Remember(MonoTime(kRequestMs), command, nullptr);
  command.request_id = "later";
  requests.Remember(MonoTime(kRequestMs), command, nullptr);
  EXPECT_EQ(requests.size(), 1u);  // the others are over
}

TEST(RequestRule, KeepsNoValue) {
  Requests requests;
  const Store store;
  WriteCommand command;
  command.key = "k";
  command.holder = "h";
  command.request_id = "r";
  auto entry = std::make_shared<Entry>(Written(1, 1));
  entry->unknown_fields = "later";
  EXPECT_EQ(requests.Remember(MonoTime(0), command, entry), EntryPtr(entry));
  const auto found = requests.FindDone(MonoTime(0), command, store);
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((**found)->dot, entry->dot);
  EXPECT_TRUE((**found)->value.empty() && (**found)->unknown_fields.empty());
}

TEST(KeptValueRule, IsLeftOutFromACertainSizeOn) {
  const auto renewal = std::make_shared<const Entry>(Renewed(Written(1, 1), 2, 2, 9500));  // of two bytes
  EXPECT_EQ(WithoutKeptValue(renewal, 3), renewal);
  const EntryPtr without = WithoutKeptValue(renewal, 2);
  EXPECT_TRUE(without->value_left_out && without->value.empty());
  const auto set = std::make_shared<const Entry>(Written(1, 1));
  EXPECT_EQ(WithoutKeptValue(set, 1), set);
}

// --- room

TEST(RoomRule, IsFullToTheByte) {
  Room room(8000);
  EXPECT_EQ(room.reserve(), 1000u);
  EXPECT_EQ(room.side_bytes(100), 100u);
  EXPECT_EQ(room.side_bytes(1000), 500u);
  EXPECT_THAT(room.Check(7000, 1000), IsOk());
  EXPECT_THAT(room.Check(7000, 1001), HasReason("BYTES_LIMIT"));
  EXPECT_THAT(room.Check(9000, 0), IsOk());
  EXPECT_THAT(room.Check(9000, -1), IsOk());
  EXPECT_TRUE(room.Takes(8000, 1000));
  EXPECT_FALSE(room.full());
  EXPECT_EQ(room.Describe(), "");
  EXPECT_FALSE(room.Takes(8000, 1001));
  EXPECT_TRUE(room.full());
  EXPECT_EQ(room.left_out(), 1u);
  EXPECT_EQ(room.Describe(),
            "the map is full: writes of other nodes are left out beyond 9000 bytes; delete or shrink values, or start "
            "this node with a larger --max-bytes");
  EXPECT_TRUE(room.Takes(8000, 1));
  EXPECT_TRUE(room.full());  // there is none for a local write
  EXPECT_TRUE(room.Takes(9500, -5));
  EXPECT_TRUE(room.full());
  EXPECT_TRUE(room.Takes(7999, 1));
  EXPECT_FALSE(room.full());
}

TEST(RoomRule, AReplicaCountsWhatAnEntryGrowsBy) {
  NodeOptions options;
  options.node_id = "m";
  const std::string value(100, 'v');
  options.max_bytes = Footprint(Entry()) + 2 * 1 + 100;
  Replica replica(options, {MonoTime(0), kPeriod}, 0);
  EXPECT_THAT(replica.CheckRoom(nullptr, "k", &value), IsOk());
  const std::string larger = value + "v";
  EXPECT_THAT(replica.CheckRoom(nullptr, "k", &larger), HasReason("BYTES_LIMIT"));
  EXPECT_THAT(replica.CheckRoom(nullptr, "kk", &value), HasReason("BYTES_LIMIT"));
  EXPECT_THAT(replica.CheckRoom(nullptr, "k", nullptr), IsOk());
  Entry entry = Written(1, 1);
  entry.value = value;
  const auto held = std::make_shared<const Entry>(entry);
  replica.Apply(held);
  EXPECT_THAT(replica.CheckRoom(held.get(), "k", &value), IsOk());
  EXPECT_THAT(replica.CheckRoom(held.get(), "k", &larger), HasReason("BYTES_LIMIT"));
  Entry other = Written(2, 2);
  other.value = std::string(5000, 'v');
  other.lease.epoch = 99;
  EXPECT_TRUE(replica.HasRoomFor(other));  // it will not be kept
  other.lease.epoch = 101;
  EXPECT_FALSE(replica.HasRoomFor(other));
  other.tombstone = true;
  EXPECT_TRUE(replica.HasRoomFor(other));
  other.tombstone = false;
  other.value = std::string(100 + options.max_bytes / kReserveParts, 'v');
  EXPECT_TRUE(replica.HasRoomFor(other));
  other.value = std::string(101 + options.max_bytes / kReserveParts, 'v');
  EXPECT_FALSE(replica.HasRoomFor(other));
}

// --- sessions

class SessionRule : public testing::Test {
 protected:
  void Put(const std::string& key, size_t bytes = 1) {
    ++seq_;
    auto entry = std::make_shared<Entry>(Written(seq_, seq_));
    entry->key = key;
    entry->value = std::string(bytes, 'v');
    store_.Merge(entry);
    v0_->Add(entry->dot);
  }
  // The keys of each message, up to the end.
  std::vector<std::string> Messages(ServedSession& session, size_t most) {
    std::vector<std::string> out;
    while (!session.done() && out.size() < 100) {
      const Message message = session.Next(store_, most);
      out.emplace_back(std::holds_alternative<SessionEnd>(message) ? "end" : "");
      if (const auto* entries = std::get_if<SessionEntries>(&message)) {
        for (const EntryPtr& entry : entries->entries) out.back() += entry->key;
      }
    }
    return out;
  }

  Store store_;
  std::shared_ptr<VersionVector> v0_ = std::make_shared<VersionVector>(), none_ = std::make_shared<VersionVector>();
  uint64_t seq_ = 0;
};

TEST_F(SessionRule, MessagesHaveAtMostSoManyEntriesAndBytes) {
  for (const char* key : {"a", "b", "c", "d", "e"}) Put(key);
  ServedSession two(7, none_, v0_);
  EXPECT_EQ(Messages(two, 2), (std::vector<std::string>{"ab", "cd", "e", "end"}));
  Put("1", kBatchBytes / 2 - 201);
  Put("2", kBatchBytes / 2 - 201);  // both just fit
  ServedSession fits(7, none_, v0_);
  EXPECT_EQ(Messages(fits, 100), (std::vector<std::string>{"12", "abcde", "end"}));
  Put("2", kBatchBytes / 2 - 200);
  ServedSession more(7, none_, v0_);
  EXPECT_EQ(Messages(more, 100), (std::vector<std::string>{"1", "2abcde", "end"}));
  Put("1", 2 * kBatchBytes);  // travels alone
  ServedSession large(7, none_, v0_);
  EXPECT_EQ(Messages(large, 100), (std::vector<std::string>{"1", "2abcde", "end"}));
}

TEST_F(SessionRule, OnlyWhatIsNotCoveredIsSentUnlessTheBucketDiffers) {
  for (const char* key : {"a", "b", "c"}) Put(key);
  auto theirs = std::make_shared<VersionVector>();
  theirs->Add({{"n", 1}, 2});
  ServedSession session(7, theirs, v0_);
  EXPECT_EQ(Messages(session, 100), (std::vector<std::string>{"ac", "end"}));
  std::vector<uint64_t> buckets(store_.hashes().begin(), store_.hashes().end());
  ServedSession same(7, v0_, v0_, none_, buckets);
  EXPECT_EQ(Messages(same, 100), std::vector<std::string>{"end"});
  buckets[BucketOf("b")] ^= 1;
  ServedSession differs(7, v0_, v0_, none_, buckets);
  EXPECT_EQ(Messages(differs, 100), (std::vector<std::string>{"b", "end"}));
}

TEST_F(SessionRule, LooksAtSoManyKeysAtOnce) {
  for (size_t n = 0; n <= kSessionWalk; ++n) Put(absl::StrCat("k", 10'000 + n));
  ServedSession session(7, v0_, v0_);
  EXPECT_EQ(Messages(session, 100), (std::vector<std::string>{"", "end"}));
}

// --- what is told for people

TEST(LagRule, CountsWhatTheOtherLacks) {
  VersionVector ours, theirs;
  ours.Add({"a", 1}, 1, 5);
  ours.Add({"a", 1}, 8, 9);
  ours.Add({"b", 1}, 1, 3);
  EXPECT_EQ(CountLacking(theirs, ours), 10u);
  theirs.Add({"a", 1}, 1, 2);
  theirs.Add({"a", 1}, 9, 12);
  EXPECT_EQ(CountLacking(theirs, ours), 7u);
  theirs.Add({"b", 1}, 1, 4);
  EXPECT_EQ(CountLacking(theirs, ours), 4u);
  EXPECT_EQ(CountLacking(ours, ours), 0u);
}

TEST(CeilingRule, PartsAreComparedWithPartsAndMapsWithMaps) {
  const auto word = [](int64_t ceiling_ms, bool map, bool part) { return CeilingWord{ceiling_ms, map, 100, part}; };
  EXPECT_EQ(CompareCeilings(word(2000, false, true), word(1000, false, true)), 1);
  EXPECT_EQ(CompareCeilings(word(1000, false, true), word(2000, false, true)), -1);
  EXPECT_EQ(CompareCeilings(word(2000, false, true), word(1000, true, false)), 0);
  EXPECT_EQ(CompareCeilings(word(2000, true, false), word(1000, false, true)), 0);
  EXPECT_EQ(CompareCeilings(word(2000, false, true), word(1000, false, false)), 0);
  EXPECT_EQ(CompareCeilings(word(2000, false, false), word(1000, false, true)), 0);
  EXPECT_EQ(CompareCeilings(word(100, true, false), word(0, true, false)), 0);
  EXPECT_EQ(CompareCeilings(word(101, true, false), word(0, true, false)), 1);
}

}  // namespace
}  // namespace leasemap::core
