// Acks: which reports count, what ends a wait, and that of racing writers at most one gets all acks.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

struct AckMesh {
  // n nodes a, b, c …, each linked with each.
  void Start(int n) {
    for (int i = 0; i < n; ++i) mesh_.Add(std::string(1, static_cast<char>('a' + i)));
    for (int i = 0; i < n; ++i) {
      for (int j = i + 1; j < n; ++j) links_[{i, j}] = mesh_.Connect(i, j);
    }
    mesh_.Advance(500);
  }
  WaitId Set(int i, const std::string& key, Ack ack, int64_t patience_ms = INT64_MAX, const std::string& id = "") {
    WriteCommand command = mesh_.Command(i, key, std::string("of ").append(1, static_cast<char>('a' + i)));
    command.ack = ack;
    command.patience_ms = patience_ms;
    command.request_id = id;
    const auto submitted = mesh_.Submit(i, command);
    EXPECT_THAT(submitted, IsOk());
    EXPECT_TRUE(submitted->entry);
    return submitted.ok() ? submitted->wait : 0;
  }
  std::string Reason(int i, WaitId wait) const {
    const auto* answer = mesh_.Answer(i, wait);
    if (answer == nullptr) return "waiting";
    return answer->status.ok() ? "OK" : ReasonOf(answer->status);
  }
  std::string Message(int i, WaitId wait) const { return std::string(mesh_.Answer(i, wait)->status.message()); }
  // Cuts the two off from one another, without a word.
  void Cut(int i, int j) { mesh_.Freeze(links_.at({i, j})); }

  static constexpr Ack kMajority{Ack::Level::kMajority, 0}, kAll{Ack::Level::kAll, 0};
  static Ack Nodes(uint32_t n) { return {Ack::Level::kNodes, n}; }

  Mesh mesh_;
  std::map<std::pair<int, int>, LinkId> links_;
};

class Acks : public ::testing::Test, protected AckMesh {};

TEST_F(Acks, LocalWaitsForNobodyAndALoneNodeIsAMajority) {
  Start(1);
  EXPECT_EQ(Set(0, "k", {}), 0u);
  EXPECT_EQ(Set(0, "k", Nodes(1)), 0u);
  const WaitId majority = Set(0, "k", kMajority), all = Set(0, "k2", kAll);
  mesh_.Settle();
  EXPECT_EQ(Reason(0, majority), "OK");
  EXPECT_EQ(Reason(0, all), "OK");
}

TEST_F(Acks, ComeWithoutWaitingForTheNextReport) {
  Start(3);
  const WaitId majority = Set(0, "k1", kMajority), all = Set(0, "k2", kAll), two = Set(0, "k3", Nodes(2));
  EXPECT_EQ(Reason(0, all), "waiting");
  mesh_.Settle();  // no time goes by
  EXPECT_EQ(Reason(0, majority), "OK");
  EXPECT_EQ(Reason(0, all), "OK");
  EXPECT_EQ(Reason(0, two), "OK");
  EXPECT_EQ(mesh_.Answer(0, all)->entry->value, "of a");
  // Reports are asked for so often as acks need them, at most once a millisecond.
  const WaitId next = Set(0, "k4", kAll);
  mesh_.Settle();
  mesh_.Advance(10);
  EXPECT_EQ(Reason(0, next), "OK");
}

TEST_F(Acks, AMajorityIsOneOfTheRememberedNotOfTheLiving) {
  Start(3);
  mesh_.Break(links_[{0, 1}]);
  mesh_.Break(links_[{0, 2}]);
  mesh_.Advance(40'000);  // long gone, and remembered still
  const WaitId majority = Set(0, "k", kMajority, 3000);
  mesh_.Advance(2690);
  EXPECT_EQ(Reason(0, majority), "waiting");
  mesh_.Advance(20);
  ASSERT_EQ(Reason(0, majority), "ACK_INCOMPLETE");
  const auto& status = mesh_.Answer(0, majority)->status;
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(Message(0, majority).find("1 of the 2 nodes"), std::string::npos) << status;
  EXPECT_NE(Message(0, majority).find("acked by a; not by b, c"), std::string::npos) << status;
  EXPECT_NE(Message(0, majority).find("the write is in the map"), std::string::npos) << status;
  EXPECT_EQ(MetadataOf(status)["version"], VersionOf(mesh_[0].Get(mesh_.now(0), "k")->dot));
}

TEST_F(Acks, OneSilentMemberHoldsUpAllButNoMajority) {
  Start(3);
  Cut(0, 2);
  Cut(1, 2);
  const WaitId majority = Set(0, "k1", kMajority), all = Set(0, "k2", kAll);
  mesh_.Settle();
  EXPECT_EQ(Reason(0, majority), "OK");
  mesh_.Advance(4990);
  EXPECT_EQ(Reason(0, all), "waiting");
  mesh_.Advance(20);  // 5 s at most, however patient the caller is
  EXPECT_EQ(Reason(0, all), "ACK_INCOMPLETE");
  EXPECT_NE(Message(0, all).find("acked by a, b; not by c"), std::string::npos) << Message(0, all);
}

TEST_F(Acks, MoreNodesThanThereAreAreRefusedAtOnce) {
  Start(3);
  WriteCommand command = mesh_.Command(0, "k", "v");
  command.ack = Nodes(4);
  const auto refused = mesh_.Submit(0, command).status();
  EXPECT_THAT(refused, HasReason("REQUEST_INVALID"));
  EXPECT_NE(refused.message().find("the cluster has 3"), std::string::npos) << refused;
  EXPECT_EQ(mesh_.Value(0, "k"), "(none)");
}

// A leader renews by its own heartbeat while the acks of its write are awaited.
TEST_F(Acks, ARenewalOfItsOwnLeaseSupersedesNoWrite) {
  Start(3);
  Cut(0, 2);
  const WaitId all = Set(0, "k", kAll);
  WriteCommand renew = mesh_.Command(0, "k");
  renew.change = Change::kRenew;
  ASSERT_THAT(mesh_.Write(0, renew), IsOk());
  mesh_.Settle();
  EXPECT_EQ(Reason(0, all), "waiting");
  mesh_.Thaw(links_.at({0, 2}));
  mesh_.Advance(2000);
  EXPECT_EQ(Reason(0, all), "OK");
  // Another value of the same holder does.
  Cut(0, 2);
  const WaitId first = Set(0, "k", kAll);
  Set(0, "k", {});
  mesh_.Settle();
  EXPECT_EQ(Reason(0, first), "SUPERSEDED");
}

// b's report has a write of c that a lacks: it may be one that outranks a's.
TEST_F(Acks, AReportCountsOnlyOnceAllOfItIsCoveredHere) {
  Start(3);
  Cut(0, 2);
  ASSERT_THAT(mesh_.Set(2, "other", "x"), IsOk());
  mesh_.Settle();
  const WaitId two = Set(0, "k", Nodes(2));
  mesh_.Settle();
  EXPECT_EQ(mesh_.Value(1, "k"), "of a");
  EXPECT_EQ(Reason(0, two), "waiting");
  mesh_.Advance(1300);  // a second later a asks b for what it lacks
  EXPECT_EQ(mesh_.Value(0, "other"), "x");
  EXPECT_EQ(Reason(0, two), "OK");
}

// Under a steady flow the latest report is never covered when it comes; the oldest that was not is.
TEST_F(Acks, ComeUnderASteadyFlowOfOthersWrites) {
  Start(3);
  const WaitId all = Set(0, "k", kAll);
  for (int i = 0; i < 200 && Reason(0, all) == "waiting"; ++i) {
    ASSERT_THAT(mesh_.Set(1, "flow1", std::to_string(i)), IsOk());
    ASSERT_THAT(mesh_.Set(2, "flow2", std::to_string(i)), IsOk());
    mesh_.Settle(3);  // messages are always under way
  }
  EXPECT_EQ(Reason(0, all), "OK");
}

TEST_F(Acks, OfRacingWritersAtMostOneHasAll) {
  for (int steps = 0; steps < 60; ++steps) {
    AckMesh race;
    race.Start(3);
    const WaitId a = race.Set(0, "k", kAll);
    race.mesh_.Settle(steps);
    WriteCommand command = race.mesh_.Command(1, "k", "of b");
    command.ack = kAll;
    const auto b = race.mesh_.Submit(1, command);
    race.mesh_.Advance(6000);
    const std::string of_a = race.Reason(0, a), of_b = b.ok() ? race.Reason(1, b->wait) : ReasonOf(b.status());
    EXPECT_EQ(of_a, "OK") << steps;  // a began in the same second and has the smaller ID
    EXPECT_EQ(of_b, b.ok() ? "SUPERSEDED" : "LEASE_HELD") << steps;
    if (!b.ok()) continue;
    const auto& status = race.mesh_.Answer(1, b->wait)->status;
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    EXPECT_EQ(MetadataOf(status)["winner_holder"], "a");
    EXPECT_EQ(MetadataOf(status)["winner_version"], VersionOf(race.mesh_[0].Get(race.mesh_.now(0), "k")->dot));
  }
}

TEST_F(Acks, AnyReplacementSupersedes) {
  Start(2);
  Cut(0, 1);
  const WaitId first = Set(0, "k", kAll), second = Set(0, "k", kAll);
  mesh_.Settle();
  EXPECT_EQ(Reason(0, first), "SUPERSEDED");
  EXPECT_EQ(Reason(0, second), "waiting");
}

TEST_F(Acks, ARestartedMemberIsNotCountedByWhatItsOldProcessHad) {
  Start(3);
  Cut(0, 2);
  Cut(1, 2);
  const WaitId all = Set(0, "k", kAll);  // b acks
  mesh_.Settle();
  ASSERT_EQ(Reason(0, all), "waiting");
  // b comes back empty, and a hears of it before it has caught up.
  mesh_.Break(links_[{0, 1}]);
  NodeOptions again = Mesh::Options("b");
  again.seed = 77;
  mesh_.Skip(1);
  const int b = mesh_.Add(again);
  mesh_.Dial(0, b);
  mesh_.Settle(4);  // the handshake, and nothing after it
  const WaitId two = Set(0, "k2", Nodes(3));
  mesh_.Advance(5100);
  EXPECT_EQ(Reason(0, all), "ACK_INCOMPLETE");
  EXPECT_EQ(Reason(0, two), "ACK_INCOMPLETE");
  EXPECT_NE(Message(0, two).find("not by c"), std::string::npos) << Message(0, two);
}

TEST_F(Acks, AMemberWithoutALinkIsCountedByWhatIsRelayed) {
  for (const char* id : {"a", "b", "c"}) mesh_.Add(id);
  mesh_.Connect(0, 1);
  mesh_.Connect(1, 2);
  mesh_.Advance(2000);
  const WaitId all = Set(0, "k", kAll);
  mesh_.Advance(4000);
  EXPECT_EQ(Reason(0, all), "OK");
}

TEST_F(Acks, ARetryAwaitsTheSameWriteAgain) {
  Start(2);
  const WaitId first = Set(0, "k", kAll, INT64_MAX, "r1");
  mesh_.Settle();
  ASSERT_EQ(Reason(0, first), "OK");
  const WaitId retry = Set(0, "k", kAll, INT64_MAX, "r1"), elsewhere = Set(1, "k2", kAll);
  mesh_.Settle();
  EXPECT_EQ(Reason(0, retry), "OK");
  EXPECT_EQ(mesh_.Answer(0, retry)->entry->dot, mesh_.Answer(0, first)->entry->dot);
  mesh_.Advance(100);
  EXPECT_EQ(Reason(1, elsewhere), "OK");
  Set(0, "k", {});
  const WaitId late = Set(0, "k", kAll, INT64_MAX, "r1");
  mesh_.Settle();
  EXPECT_EQ(Reason(0, late), "SUPERSEDED");
}

TEST_F(Acks, AreBoundedAndCanBeCancelled) {
  Start(2);
  Cut(0, 1);
  std::vector<WaitId> waits;
  for (size_t i = 0; i < kMaxWaits; ++i) waits.push_back(Set(0, absl::StrCat("k", i), kAll));
  WriteCommand command = mesh_.Command(0, "one more");
  command.ack = kAll;
  const auto refused = mesh_.Submit(0, command);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused, HasReason("WAIT_LIMIT"));
  EXPECT_EQ(mesh_.Value(0, "one more"), "(none)");  // nothing was written
  EXPECT_TRUE(mesh_[0].CancelWait(waits[5]));
  EXPECT_FALSE(mesh_[0].CancelWait(waits[5]));
  EXPECT_THAT(mesh_.Submit(0, command), IsOk());
  mesh_[0].EndWaits(mesh_.now(0));
  mesh_.Settle();
  EXPECT_EQ(Reason(0, waits[5]), "waiting");  // cancelled: no answer
  EXPECT_EQ(Reason(0, waits[6]), "ACK_INCOMPLETE");
  EXPECT_EQ(mesh_.peer(0).answered.size(), kMaxWaits);
}

TEST_F(Acks, ImpossibleNumbersAreInvalid) {
  Start(1);
  for (const uint32_t n : {0u, 130u, UINT32_MAX}) {
    WriteCommand command = mesh_.Command(0, "k");
    command.ack = Nodes(n);
    EXPECT_EQ(MetadataOf(mesh_.Submit(0, command).status())["field"], "ack_nodes") << n;
  }
}

// A node that wrote under a wrong clock gives its map up: what becomes of the write is not known yet.
TEST_F(Acks, AResetTellsThoseThatWait) {
  mesh_.Add(Mesh::Options("a"), 10'000);
  Image image;  // so that it remembers b
  image.whole = true;
  image.members.push_back({{"b", 1}, "b:1", 0});
  mesh_.Restart(0, &image);
  mesh_.Add("b");
  mesh_.Advance(4000);
  const WaitId wait = Set(0, "k", Nodes(2), INT64_MAX, "r1");
  const auto version = mesh_[0].AwaitVersion(mesh_.now(0), VersionOf({{"b", 1}, 1}), INT64_MAX);
  const Dot dot = mesh_[0].Get(mesh_.now(0), "k")->dot;
  ASSERT_THAT(mesh_.Set(1, "other", "v"), IsOk());  // so that b has a map, too
  mesh_.peer(0).offset_ms = 0;
  // The first link ends with b's refusal of an entry from the future; at the next a knows whose word it has.
  for (int i = 0; i < 3 && !mesh_.Logged(0, "reset"); ++i) {
    mesh_.Connect(0, 1);
    mesh_.Advance(1000);
  }
  ASSERT_TRUE(mesh_.Logged(0, "reset"));
  ASSERT_EQ(Reason(0, wait), "ACK_INCOMPLETE");
  EXPECT_NE(Message(0, wait).find("take the map of the others"), std::string::npos) << Message(0, wait);
  EXPECT_EQ(Message(0, wait).find("stands, with"), std::string::npos) << Message(0, wait);
  EXPECT_EQ(Reason(0, *version), "NOT_CAUGHT_UP");
  // It is submitted anew, under another dot, or was given up; the retry is done either way.
  mesh_.Connect(0, 1);
  mesh_.Advance(5000);
  const WaitId retry = Set(0, "k", Nodes(2), INT64_MAX, "r1");
  mesh_.Advance(500);
  EXPECT_EQ(Reason(0, retry), "OK");
  EXPECT_NE(mesh_[0].Get(mesh_.now(0), "k")->dot, dot);
}

TEST_F(Acks, AVersionIsAwaitedUntilItIsCovered) {
  Start(2);
  Cut(0, 1);
  const auto written = mesh_.Set(1, "k", "v");
  const std::string version = VersionOf((*written)->dot);
  EXPECT_EQ(*mesh_[1].AwaitVersion(mesh_.now(1), version, 1000), 0u);
  const auto wait = mesh_[0].AwaitVersion(mesh_.now(0), version, INT64_MAX);
  const auto short_one = mesh_[0].AwaitVersion(mesh_.now(0), version, 1000);
  ASSERT_THAT(wait, IsOk());
  ASSERT_NE(*wait, 0u);
  mesh_.Advance(890);
  EXPECT_EQ(Reason(0, *short_one), "waiting");
  mesh_.Advance(20);
  EXPECT_EQ(Reason(0, *short_one), "NOT_CAUGHT_UP");
  EXPECT_EQ(mesh_.Answer(0, *short_one)->status.code(), absl::StatusCode::kUnavailable);
  EXPECT_GT(RetryMsOf(mesh_.Answer(0, *short_one)->status), 0);
  mesh_.Connect(0, 1);  // the handshake's session brings it
  mesh_.Advance(1500);
  EXPECT_EQ(Reason(0, *wait), "OK");
  const auto bad = mesh_[0].AwaitVersion(mesh_.now(0), "what", 1000);
  EXPECT_EQ(MetadataOf(bad.status())["field"], "min_version");
}

}  // namespace
}  // namespace leasemap::core
