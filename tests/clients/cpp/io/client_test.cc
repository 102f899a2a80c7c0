// The C++ client against nodes that do what the test says: which node is asked, with what, and how often.
#include "leasemap/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "absl/synchronization/notification.h"
#include "leasemap/lock.h"
#include "leasemap/sync_map.h"
#include "tests/clients/cpp/io/fake_node.h"
#include "tests/matchers/status.h"
#include "tests/support/eventually.h"

namespace leasemap::internal {
namespace {

using leasemap::testing::Eventually;

// Nobody listens there: the port is for discarding, and closed.
constexpr char kNobody[] = "127.0.0.1:9";

TEST(Client, ARetryAtTheNextNodeIsTheSameRequest) {
  Script script;
  script.AnswerSets([](size_t number) {
    return number == 0 ? Refusal(grpc::StatusCode::UNAVAILABLE, "DRAINING") : grpc::Status::OK;
  });
  FakeNode one(script), two(script);
  Client client({one.target(), two.target()});
  ASSERT_THAT(client.Set("k", "v"), IsOk());
  const auto sets = script.sets();
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_NE(sets[0].node, sets[1].node);
  EXPECT_EQ(sets[0].request.request_id(), sets[1].request.request_id());
  EXPECT_EQ(client.node(), sets[1].node) << "the client stays there";
  ASSERT_THAT(client.Set("k", "v"), IsOk());
  EXPECT_EQ(script.sets().back().node, sets[1].node);
  EXPECT_NE(script.sets().back().request.request_id(), sets[1].request.request_id())
      << "another write is another request";
}

TEST(Client, ARefusalIsNotTriedAgain) {
  Script script;
  script.AnswerSets([](size_t) { return Refusal(grpc::StatusCode::FAILED_PRECONDITION, "LEASE_HELD"); });
  FakeNode one(script), two(script);
  Client client({one.target(), two.target()});
  EXPECT_EQ(ReasonOf(client.Set("k", "v").status()), reason::kLeaseHeld);
  EXPECT_EQ(script.sets().size(), 1u);
}

TEST(Client, EndsWhenNoNodeAnswers) {
  Client client({kNobody});
  const absl::Status status = client.Set("k", "v", {.timeout = absl::Milliseconds(300)}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(kNobody));
}

TEST(Client, SaysWhatIsWrongWithItsArguments) {
  Client client({"nowhere"});
  EXPECT_TRUE(absl::IsInvalidArgument(client.status()));
  EXPECT_EQ(client.Get("k").status(), client.status());
  EXPECT_EQ(client.BatchGet({"a", "b"})[1].status(), client.status());
  SyncMap map(client);
  EXPECT_EQ(map.WaitSynced(), client.status());
  EXPECT_TRUE(absl::IsInvalidArgument(Client({kNobody}, {.timeout = absl::ZeroDuration()}).status()));
  Client good({kNobody});
  EXPECT_TRUE(absl::IsInvalidArgument(good.Set("k", "v", {.ack = Ack::Nodes(0)}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(good.Acquire("k", {.duration = absl::ZeroDuration()}).status()));
}

TEST(Client, BatchesAreBoundedAndEachRefusalIsNamed) {
  Script script;
  FakeNode node(script);
  Client client({node.target()});
  std::vector<std::pair<std::string, std::string>> items;
  for (int i = 0; i < 2500; ++i) items.emplace_back(std::to_string(i), "v");
  items[1700].first = "held";
  const Client::BatchAnswer results = client.BatchSet(items);
  ASSERT_EQ(results.size(), items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(results[i].ok(), i != 1700) << i;
    if (results[i].ok()) {
      EXPECT_EQ(results[i]->key, items[i].first);
    }
  }
  EXPECT_EQ(ReasonOf(results[1700].status()), reason::kLeaseHeld);
  std::vector<int> sizes;
  for (const auto& batch : script.batches()) sizes.push_back(batch.request.requests_size());
  EXPECT_THAT(sizes, ::testing::ElementsAre(1000, 1000, 500));
  const std::string large(3 << 20, 'x');
  client.BatchSet({{"a", large}, {"b", large}});
  EXPECT_EQ(script.batches().size(), 5u) << "4 MiB a call";
}

TEST(Client, AsynchronousCallsAreBoundedAndEachIsAnswered) {
  constexpr int kMost = 10'000;
  std::atomic<int> closed = 0, refused = 0;
  Client client({kNobody}, {.timeout = absl::Hours(1)});
  for (int i = 0; i <= kMost; ++i) {
    client.GetAsync("k", [&](const absl::StatusOr<Entry>& entry) {
      closed += ReasonOf(entry.status()) == reason::kClosed;
      refused += ReasonOf(entry.status()) == reason::kCallLimit;
    });
  }
  EXPECT_EQ(refused, 1);
  client.Close();
  EXPECT_EQ(closed, kMost);
  client.GetAsync("k", [&](const absl::StatusOr<Entry>&) { ++closed; });
  EXPECT_EQ(closed, kMost + 1) << "a closed client answers at once";
}

TEST(Client, AHandlerMayWaitForCallsAndCloseTheClient) {
  Script script;
  FakeNode node(script);
  Client client({node.target()});
  absl::Notification done;
  client.SetAsync("a", "1", [&](const absl::StatusOr<Entry>& first) {
    EXPECT_THAT(first, IsOk());
    EXPECT_THAT(client.Set("b", "2"), IsOk());
    client.Close();
    EXPECT_EQ(ReasonOf(client.Set("c", "3").status()), reason::kClosed);
    done.Notify();
  });
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(30)));
  client.Close();
}

TEST(Leases, ThoseThatAreDueAreRenewedByOneCall) {
  constexpr size_t kLeases = 300;
  Script script;
  FakeNode node(script);
  Client client({node.target()});
  // All are asked for at once, so that they are due within a moment; the handlers' thread alone writes them.
  std::vector<Lease> leases;
  absl::Notification taken;
  for (size_t i = 0; i < kLeases; ++i) {
    client.AcquireAsync(std::to_string(i),
                        [&](absl::StatusOr<Lease> lease) {
                          ASSERT_THAT(lease, IsOk());
                          leases.push_back(*std::move(lease));
                          if (leases.size() == kLeases) taken.Notify();
                        },
                        {.duration = absl::Seconds(6)});
  }
  ASSERT_TRUE(taken.WaitForNotificationWithTimeout(absl::Seconds(30)));
  EXPECT_TRUE(Eventually([&] {
    for (const auto& call : script.renewals()) {
      if (call.request.requests_size() > static_cast<int>(kLeases) / 2) return true;
    }
    return false;
  }));
  for (const auto& call : script.renewals()) {
    for (const v1::RenewRequest& each : call.request.requests()) {
      EXPECT_TRUE(each.only_if_held());
      EXPECT_EQ(each.min_version(), "") << "the node granted it itself";
    }
  }
  for (const Lease& lease : leases) EXPECT_TRUE(lease.valid());
}

TEST(Leases, AreRenewedThroughAnotherNodeOnceThatOneHasThem) {
  Script script;
  FakeNode one(script), two(script);
  Client client({one.target(), two.target()});
  absl::StatusOr<Lease> lease = client.Acquire("k", {.duration = absl::Seconds(4)});
  ASSERT_THAT(lease, IsOk());
  const std::string home = client.node();
  (home == one.target() ? one : two).Stop();
  EXPECT_TRUE(Eventually([&] { return !script.renewals().empty() && script.renewals().back().node != home; }));
  EXPECT_EQ(script.renewals().back().request.requests(0).min_version(), "v1");
  EXPECT_TRUE(lease->valid());
}

TEST(Leases, AreLostAtTheDeadlineWhenNoNodeRenewsThem) {
  Script script;
  script.AnswerRenewals([](size_t) { return Refusal(grpc::StatusCode::UNAVAILABLE, "SYNCING"); });
  FakeNode node(script);
  Client client({node.target()});
  absl::StatusOr<Lease> lease = client.Acquire("k", {.duration = absl::Seconds(3)});
  ASSERT_THAT(lease, IsOk());
  absl::Notification told;
  lease->OnLost([&](const absl::Status& status) {
    EXPECT_EQ(ReasonOf(status), reason::kLeaseLost);
    told.Notify();
  });
  EXPECT_TRUE(lease->WaitOver(absl::Seconds(30)));
  EXPECT_TRUE(told.WaitForNotificationWithTimeout(absl::Seconds(30)));
  EXPECT_GE(script.renewals().size(), 2u) << "it is tried again";
  EXPECT_EQ(ReasonOf(lease->status()), reason::kLeaseLost);
  EXPECT_EQ(ReasonOf(lease->Set("v").status()), reason::kLeaseLost);
  EXPECT_EQ(ReasonOf(lease->Release()), reason::kLeaseLost);
}

TEST(Leases, OneClientDoesNotHoldAKeyTwice) {
  Script script;
  FakeNode node(script);
  Client client({node.target()});
  Lock lock(client, "k", {.ack = Ack::Local()});
  absl::StatusOr<Lease> first = lock.Acquire();
  ASSERT_THAT(first, IsOk());
  const absl::StatusOr<Lease> second = lock.TryAcquire();
  ASSERT_TRUE(HeldByOf(second.status()));
  EXPECT_EQ(HeldByOf(second.status())->holder, client.holder());
  absl::Notification got;
  client.AcquireAsync("k",
                      [&](absl::StatusOr<Lease> third) {
                        EXPECT_THAT(third, IsOk());
                        got.Notify();
                      },
                      {.wait = absl::InfiniteDuration()});
  EXPECT_THAT(first->Release(), IsOk());
  EXPECT_TRUE(got.WaitForNotificationWithTimeout(absl::Seconds(30))) << "who waits is told of the release";
  EXPECT_EQ(ReasonOf(first->status()), reason::kLeaseReleased);
}

// The program lets a lease go, and closes the client at once: the node hears of it nevertheless.
TEST(Leases, OneThatWasLetGoBeforeCloseIsReleased) {
  Script script;
  FakeNode node(script);
  for (int i = 1; i <= 30; ++i) {
    Client client({node.target()});
    {
      const absl::StatusOr<Lease> lease = client.Acquire("k");
      ASSERT_THAT(lease, IsOk());
    }
    client.Close();
    ASSERT_EQ(script.releases(), i);
  }
}

TEST(Leases, CloseEndsThemAndThoseThatWait) {
  Script script;
  script.AnswerSets([](size_t) { return Refusal(grpc::StatusCode::FAILED_PRECONDITION, "LEASE_HELD"); });
  FakeNode node(script);
  Client client({node.target()});
  absl::StatusOr<Lease> lease = client.Acquire("k");
  ASSERT_THAT(lease, IsOk());
  absl::Notification ended;
  client.AcquireAsync("other",
                      [&](const absl::StatusOr<Lease>& other) {
                        EXPECT_EQ(ReasonOf(other.status()), reason::kClosed);
                        ended.Notify();
                      },
                      {.value = "mine", .wait = absl::InfiniteDuration()});
  EXPECT_TRUE(Eventually([&] { return !script.sets().empty(); }));
  client.Close();
  EXPECT_TRUE(ended.HasBeenNotified());
  EXPECT_FALSE(lease->valid());
  EXPECT_TRUE(lease->WaitOver(absl::ZeroDuration()));
}

}  // namespace
}  // namespace leasemap::internal
