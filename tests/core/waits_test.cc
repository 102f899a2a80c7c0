// Calls that wait, alone: which reports count for an ack, what ends a wait, and what the answer says.
#include "peer/core/node/waits.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

using Level = Ack::Level;
const ReplicaId kSelf{"self", 1};
constexpr MonoTime kNow(1000), kDue(5000);

class WaitsTest : public testing::Test {
 protected:
  void Add(const std::string& node, uint64_t incarnation = 1) { members_[node].id = {node, incarnation}; }
  void Report(const std::string& node, const VersionVector& vector) {
    Member& member = members_.at(node);
    member.report = std::make_shared<const VersionVector>(vector);
    member.report_incarnation = member.id.incarnation;
  }
  // A vector that covers these of this node's writes, and this number of p's.
  static VersionVector Of(const std::vector<uint64_t>& own, uint64_t p = 0) {
    VersionVector vector;
    for (const uint64_t seq : own) vector.Add({kSelf, seq});
    if (p > 0) vector.Add({"p", 1}, 1, p);
    return vector;
  }
  // A write of this node, in the map.
  EntryPtr Put(uint64_t seq, const std::string& key = "") {
    auto entry = std::make_shared<Entry>();
    entry->key = key.empty() ? absl::StrCat("k", seq) : key;
    entry->dot = {kSelf, seq};
    entry->lease = {"h", 100 + seq, 7, 1000, 2000, false};
    entry->stamp = seq;
    vector_.Add(entry->dot);
    store_.Merge(entry);
    return entry;
  }
  WaitId Await(const EntryPtr& entry, Level level, uint32_t nodes = 0) {
    return waits_.AwaitAck(entry, {level, nodes}, kNow, kDue);
  }
  std::vector<Effects::Answered> Take(MonoTime mono = kNow) {
    std::vector<Effects::Answered> answered;
    waits_.Settle({mono, members_, vector_, store_, self_}, answered);
    return answered;
  }
  static std::string Shown(const std::vector<Effects::Answered>& answered) {
    std::string out;
    for (const auto& one : answered) {
      absl::StrAppend(&out, out.empty() ? "" : ", ", one.wait, " ", one.status.ok() ? "OK" : ReasonOf(one.status));
    }
    return out;
  }
  std::string Settle(MonoTime mono = kNow) { return Shown(Take(mono)); }

  Waits waits_;
  std::map<std::string, Member> members_;
  VersionVector vector_;
  Store store_;
  const std::string self_ = "self";
};

TEST(WaitMsTest, IsNineTenthsWithinTheBounds) {
  EXPECT_EQ(WaitMs(1000, 5000), 900);
  EXPECT_EQ(WaitMs(9, 5000), 8);
  EXPECT_EQ(WaitMs(19, 5000), 17);
  EXPECT_EQ(WaitMs(29, 5000), 26);
  EXPECT_EQ(WaitMs(5555, 5000), 4999);
  EXPECT_EQ(WaitMs(5556, 5000), 5000);
  EXPECT_EQ(WaitMs(INT64_MAX, 5000), 5000);
  EXPECT_EQ(WaitMs(0, 5000), 0);
  EXPECT_EQ(WaitMs(-1000, 5000), 0);
}

// --- how many acks

TEST_F(WaitsTest, EachLevelNeedsItsNumberOfNodes) {
  for (const char* node : {"a", "b", "c"}) Add(node);
  const EntryPtr entry = Put(1);
  const WaitId majority = Await(entry, Level::kMajority), all = Await(entry, Level::kAll);
  const WaitId two = Await(entry, Level::kNodes, 2), local = Await(entry, Level::kLocal);
  EXPECT_EQ(Settle(), absl::StrCat(local, " OK"));
  Report("a", Of({1}));
  EXPECT_EQ(Settle(), absl::StrCat(two, " OK"));
  Report("c", Of({1}));  // of four nodes three are a majority
  EXPECT_EQ(Settle(), absl::StrCat(majority, " OK"));
  Report("b", Of({}));
  EXPECT_EQ(Settle(), "");
  Report("b", Of({1}));
  EXPECT_EQ(Settle(), absl::StrCat(all, " OK"));
  EXPECT_TRUE(waits_.empty());
  EXPECT_FALSE(waits_.any_acks());
}

TEST_F(WaitsTest, WhoIsForgottenIsNotWaitedForAndWhoComesIs) {
  for (const char* node : {"a", "b", "c"}) Add(node);
  const WaitId majority = Await(Put(1), Level::kMajority), all = Await(Put(2), Level::kAll);
  Report("a", Of({1, 2}));
  EXPECT_EQ(Settle(), "");
  members_.at("c").generation = 1;  // three nodes are left
  EXPECT_EQ(Settle(), absl::StrCat(majority, " OK"));
  Add("d");
  Report("b", Of({2}));
  EXPECT_EQ(Settle(), "");
  Report("d", Of({2}));
  EXPECT_EQ(Settle(), absl::StrCat(all, " OK"));
}

TEST_F(WaitsTest, WhoTakesThePlaceOfAnotherHasNotAckedForIt) {
  for (const char* node : {"a", "b"}) Add(node);
  const WaitId all = Await(Put(1), Level::kAll);
  Report("a", Of({1}));
  EXPECT_EQ(Settle(), "");
  members_.erase("a");
  Add("c");
  Report("b", Of({1}));
  EXPECT_EQ(Settle(), "");
  Report("c", Of({1}));
  EXPECT_EQ(Settle(), absl::StrCat(all, " OK"));
}

TEST_F(WaitsTest, ASuccessorHasToAckItself) {
  for (const char* node : {"a", "b"}) Add(node);
  const WaitId all = Await(Put(1), Level::kAll);
  Report("a", Of({1}));
  EXPECT_EQ(Settle(), "");
  members_.at("a").id.incarnation = 2;  // its report is that of the one before
  Report("b", Of({1}));
  EXPECT_EQ(Settle(), "");
  Report("a", Of({}));
  EXPECT_EQ(Settle(), "");
  Report("a", Of({1}));
  EXPECT_EQ(Settle(), absl::StrCat(all, " OK"));
}

// --- which reports count

TEST_F(WaitsTest, TheOldestReportThatIsNotCoveredYetIsKept) {
  Add("a");
  const WaitId first = Await(Put(1), Level::kAll);
  Report("a", Of({1}, 1));
  EXPECT_EQ(Settle(), "");
  Report("a", Of({1}, 2));
  EXPECT_EQ(Settle(), "");
  vector_.Add({"p", 1}, 1, 1);  // as the first of the two claimed
  EXPECT_EQ(Settle(), absl::StrCat(first, " OK"));
  const WaitId second = Await(Put(2), Level::kAll);
  Report("a", Of({1, 2}, 3));
  EXPECT_EQ(Settle(), "");
  vector_.Add({"p", 1}, 1, 2);
  EXPECT_EQ(Settle(), "");
  vector_.Add({"p", 1}, 1, 3);
  EXPECT_EQ(Settle(), absl::StrCat(second, " OK"));
}

TEST_F(WaitsTest, AReportOfTheMomentCountsAtOnce) {
  Add("a");
  const WaitId first = Await(Put(1), Level::kAll);
  Report("a", Of({}, 1));
  EXPECT_EQ(Settle(), "");
  vector_.Add({"p", 1}, 1, 1);
  Report("a", Of({1}, 1));  // the one before is covered, and this one, too
  EXPECT_EQ(Settle(), absl::StrCat(first, " OK"));
}

// What a mark stands for may be known only later, and by no one dot.
TEST_F(WaitsTest, AReportWithAPastIsLookedAtAgain) {
  Add("a");
  VersionVector report = Of({1});
  report.Add({"old", 1}, 1, 6);
  report.Fold({{"old", 1}});
  vector_.Add({"old", 1}, 1, 5);
  const WaitId wait = Await(Put(1), Level::kAll);
  Report("a", report.Brief());
  EXPECT_EQ(Settle(), "");
  vector_.Add({"old", 1}, 6, 6);
  EXPECT_EQ(Settle(), absl::StrCat(wait, " OK"));
}

TEST_F(WaitsTest, AReportThatWasSeenBeforeCountsForALaterWait) {
  for (const char* node : {"a", "b"}) Add(node);
  const EntryPtr one = Put(1), two = Put(2);
  Await(one, Level::kAll);
  Report("a", Of({1, 2}));
  EXPECT_EQ(Settle(), "");
  const WaitId later = Await(two, Level::kMajority);
  EXPECT_EQ(Settle(), absl::StrCat(later, " OK"));
}

TEST_F(WaitsTest, AnEarlierWriteIsLookedAtThoughALaterOneWasAcked) {
  for (const char* node : {"a", "b"}) Add(node);
  const EntryPtr one = Put(1), two = Put(2), five = Put(5);
  const WaitId second = Await(two, Level::kMajority), fifth = Await(five, Level::kAll);
  Report("a", Of({5}));
  EXPECT_EQ(Settle(), "");
  Report("a", Of({2, 5}));
  EXPECT_EQ(Settle(), absl::StrCat(second, " OK"));
  const WaitId first = Await(one, Level::kMajority);
  EXPECT_EQ(Settle(), "");
  Report("a", Of({1, 2, 5}));
  EXPECT_EQ(Settle(), absl::StrCat(first, " OK"));
  Report("b", Of({5}));
  EXPECT_EQ(Settle(), absl::StrCat(fifth, " OK"));
}

// --- what ends a wait

TEST_F(WaitsTest, VersionsComeOneByOne) {
  const Dot dot{{"p", 1}, 3}, next{{"p", 1}, 4};
  const WaitId a = waits_.AwaitVersion(dot, kNow, kDue), b = waits_.AwaitVersion(dot, kNow, kDue);
  const WaitId c = waits_.AwaitVersion(next, kNow, kDue);
  EXPECT_EQ(Settle(), "");
  waits_.Covered({{"p", 1}, 2});
  EXPECT_EQ(Settle(), "");
  waits_.Covered(dot);
  EXPECT_TRUE(waits_.Cancel(b));
  EXPECT_EQ(Settle(), absl::StrCat(a, " OK"));
  EXPECT_FALSE(waits_.Cancel(a));
  EXPECT_FALSE(waits_.Cancel(b));
  EXPECT_EQ(waits_.size(), 1u);
  waits_.Covered(next);
  EXPECT_EQ(Settle(), absl::StrCat(c, " OK"));
  EXPECT_FALSE(waits_.Cancel(c + 1));
}

TEST_F(WaitsTest, TimeIsOverToTheMillisecond) {
  const WaitId late = waits_.AwaitVersion({{"p", 1}, 1}, kNow, kDue + 1);
  const WaitId early = waits_.AwaitVersion({{"p", 1}, 1}, kNow, kDue);
  EXPECT_EQ(waits_.NextDue(), kDue);
  EXPECT_EQ(Settle(kDue - 1), "");
  EXPECT_EQ(Settle(kDue), absl::StrCat(early, " NOT_CAUGHT_UP"));
  EXPECT_EQ(waits_.NextDue(), kDue + 1);
  EXPECT_TRUE(waits_.Cancel(late));
  EXPECT_EQ(waits_.NextDue(), MonoTime::Never());
}

TEST_F(WaitsTest, AreBounded) {
  for (size_t n = 1; n < kMaxWaits; ++n) waits_.AwaitVersion({{"p", 1}, n}, kNow, kDue);
  EXPECT_THAT(waits_.CheckRoom(), IsOk());
  waits_.AwaitVersion({{"p", 1}, 1}, kNow, kDue);
  EXPECT_THAT(waits_.CheckRoom(), HasReason("WAIT_LIMIT"));
  EXPECT_EQ(RetryMsOf(waits_.CheckRoom()), 100);
}

TEST_F(WaitsTest, AWriteThatIsOutrankedIsSupersededBeforeItsAcksCount) {
  Add("a");
  const EntryPtr mine = Put(1, "k");
  const WaitId wait = Await(mine, Level::kAll);
  EXPECT_EQ(Settle(), "");
  Report("a", Of({1}));
  auto winner = std::make_shared<Entry>(*mine);
  winner->dot = {{"p", 1}, 9};
  winner->lease.holder = "other";
  winner->lease.epoch += 1;
  store_.Merge(winner);
  waits_.Replaced(mine->dot);
  const auto answered = Take();
  EXPECT_EQ(Shown(answered), absl::StrCat(wait, " SUPERSEDED"));
  EXPECT_EQ(answered[0].entry, mine);
  auto metadata = MetadataOf(answered[0].status);
  EXPECT_EQ(metadata["key"], "k");
  EXPECT_EQ(metadata["winner_holder"], "other");
  EXPECT_EQ(metadata["winner_version"], VersionOf(winner->dot));
  EXPECT_EQ(metadata["version"], VersionOf(mine->dot));
}

TEST_F(WaitsTest, AWriteThatWentWithItsMapIsUndecided) {
  for (const bool lower : {false, true}) {  // or a lower one is there now
    store_ = Store();
    const EntryPtr mine = Put(2, "k");
    store_ = Store();
    const WaitId wait = Await(mine, Level::kAll);
    Add("a");
    if (lower) Put(1, "k");
    waits_.Replaced(mine->dot);
    const auto answered = Take();
    EXPECT_EQ(Shown(answered), absl::StrCat(wait, " ACK_INCOMPLETE"));
    auto metadata = MetadataOf(answered[0].status);
    EXPECT_EQ(metadata["key"], "k");
    EXPECT_EQ(metadata["version"], VersionOf(mine->dot));
    EXPECT_FALSE(metadata.contains("acked"));
  }
}

TEST_F(WaitsTest, ARenewalOfTheSameLeaseKeepsTheWrite) {
  Add("a");
  const EntryPtr mine = Put(1, "k");
  const WaitId wait = Await(mine, Level::kAll);
  const auto replace = [&](auto change) {
    auto next = std::make_shared<Entry>(**store_.Find("k"));
    next->dot = {{"p", 1}, next->stamp + 1};
    next->stamp += 1;
    next->value_dot = mine->dot;
    next->value_stamp = mine->stamp;
    change(*next);
    ASSERT_TRUE(store_.Merge(next));
    waits_.LookAgain();
    waits_.Replaced(mine->dot);
  };
  replace([](Entry&) {});
  EXPECT_EQ(Settle(), "");
  replace([](Entry& next) { next.lease.released = true; });
  EXPECT_EQ(Settle(), absl::StrCat(wait, " SUPERSEDED"));
  const WaitId another = Await(mine, Level::kAll);
  replace([](Entry& next) { next.lease.released = false, next.lease.epoch += 1; });
  EXPECT_EQ(Settle(), absl::StrCat(another, " SUPERSEDED"));
}

// --- what the answer says

TEST_F(WaitsTest, IncompleteAcksAreNamed) {
  for (const char* node : {"a", "b"}) Add(node);
  const EntryPtr entry = Put(1);
  const WaitId wait = Await(entry, Level::kAll);
  Report("a", Of({1}));
  EXPECT_EQ(Settle(kDue - 1), "");
  const auto answered = Take(kDue);
  EXPECT_EQ(Shown(answered), absl::StrCat(wait, " ACK_INCOMPLETE"));
  EXPECT_EQ(answered[0].status.message(),
            absl::StrCat("key \"k1\": the write is in the map, with version ", VersionOf(entry->dot),
                         ", but 2 of the 3 nodes asked for had it in time (4.0s): acked by self, a; not by b; they get "
                         "it when they can be reached"));
  auto metadata = MetadataOf(answered[0].status);
  EXPECT_EQ(metadata["key"], "k1");
  EXPECT_EQ(metadata["version"], VersionOf(entry->dot));
  EXPECT_EQ(metadata["acked"], "self, a");
  EXPECT_EQ(metadata["not_acked"], "b");
}

TEST_F(WaitsTest, NamesAreEightAtMost) {
  for (int n = 0; n < 8; ++n) Add(absl::StrCat("m", n));
  Await(Put(1), Level::kAll);
  EXPECT_EQ(MetadataOf(Take(kDue)[0].status)["not_acked"], "m0, m1, m2, m3, m4, m5, m6, m7");
  Add("m8");
  Await(Put(2), Level::kAll);
  EXPECT_EQ(MetadataOf(Take(kDue)[0].status)["not_acked"], "m0, m1, m2, m3, m4, m5, m6, m7 and 1 more");
  members_.clear();
  Await(Put(3), Level::kNodes, 2);
  EXPECT_EQ(MetadataOf(Take(kDue)[0].status)["not_acked"], "nobody");
}

TEST_F(WaitsTest, AtTheEndAllAreAnsweredWithWhatIsKnown) {
  Add("a");
  const WaitId ack = Await(Put(1), Level::kAll), acked = Await(Put(2), Level::kAll);
  const WaitId version = waits_.AwaitVersion({{"p", 1}, 1}, kNow, kDue);
  Report("a", Of({2}));
  std::vector<Effects::Answered> answered;
  waits_.EndAll({kNow + 500, members_, vector_, store_, self_}, "before the end", answered);
  EXPECT_EQ(Shown(answered), absl::StrCat(acked, " OK, ", ack, " ACK_INCOMPLETE, ", version, " NOT_CAUGHT_UP"));
  EXPECT_TRUE(waits_.empty());
  EXPECT_EQ(answered[2].status.message(),
            "min_version: the write of this version did not come to this node before the end (0.5s); try again, or "
            "another node");
  EXPECT_THAT(std::string(answered[1].status.message()),
              testing::HasSubstr("1 of the 2 nodes asked for had it before the end (0.5s)"));
}

}  // namespace
}  // namespace leasemap::core
