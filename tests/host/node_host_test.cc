// Real nodes with real sockets in one process: they link, replicate, refuse and recover. Run under ThreadSanitizer too.
#include "server/host/node_host.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "peer/threads/mutex.h"
#include "tests/matchers/status.h"
#include "tests/support/eventually.h"

namespace leasemap::host {
namespace {

using testing::Eventually;

struct Running {
  explicit Running(const std::string& id, std::vector<std::string> seeds, const std::string& listen = "127.0.0.1:0",
                   bool leasing = true) {
    core::NodeOptions options;
    options.node_id = id;
    options.seeds = std::move(seeds);
    options.rules.leasing = leasing;
    static std::atomic<uint64_t> seed{1};
    options.seed = seed++;
    host = std::make_unique<NodeHost>(options, listen);
    host->SetListeners({[this] { changes.fetch_add(1); }, nullptr,
                        [this](const core::Effects::Heard& message) {
                          const MutexLock lock(mutex);
                          heard.push_back(message.from_node + ":" + message.payload);
                        }});
    status = host->Start();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", host->mesh_port()); }
  bool Set(const std::string& key, const std::string& value) {
    core::WriteCommand write;
    write.key = key;
    write.value = value;
    write.holder = host->options().node_id;
    return host->Write(write).ok();
  }
  std::string Get(const std::string& key) const {
    const auto entry = host->Get(key);
    return entry ? entry->value.str() : "(none)";
  }
  size_t links() const {
    size_t n = 0;
    for (const auto& member : host->GetStatus().members) n += member.linked;
    return n;
  }

  std::atomic<int> changes{0};
  Mutex mutex;
  std::vector<std::string> heard ABSL_GUARDED_BY(mutex);
  std::unique_ptr<NodeHost> host;  // after what its listeners use
  absl::Status status;
};

bool Equal(const std::vector<Running*>& nodes) {
  const auto first = nodes[0]->host->GetStatus();
  for (const auto* node : nodes) {
    const auto status = node->host->GetStatus();
    if (status.map_hash != first.map_hash || *status.vector != *first.vector) return false;
  }
  return true;
}

TEST(NodeHost, AWriteOnOneIsReadOnTheOthersAndOneSeedSuffices) {
  Running a("a", {});
  ASSERT_THAT(a.status, IsOk());
  Running b("b", {a.address()}), c("c", {a.address()});
  ASSERT_TRUE(Eventually([&] { return a.links() == 2 && b.links() == 2 && c.links() == 2; }));
  ASSERT_TRUE(Eventually([&] { return a.host->ready() && b.host->ready() && c.host->ready(); }));
  ASSERT_TRUE(a.Set("color", "blue"));
  EXPECT_TRUE(Eventually([&] { return b.Get("color") == "blue" && c.Get("color") == "blue"; }));
  EXPECT_FALSE(b.Set("color", "red"));
  EXPECT_GT(b.changes, 0);
}

TEST(NodeHost, LargeAndManyValuesArrive) {
  Running a("a", {});
  Running b("b", {a.address()});
  ASSERT_TRUE(Eventually([&] { return a.links() == 1 && b.links() == 1; }));
  const std::string big(1 << 20, 'x');
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(a.Set(absl::StrCat("big/", i), big));
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(b.Set(absl::StrCat("small/", i), absl::StrCat(i)));
  EXPECT_TRUE(Eventually([&] { return Equal({&a, &b}); }));
  EXPECT_EQ(b.Get("big/7"), big);
  EXPECT_EQ(a.Get("small/1999"), "1999");
}

TEST(NodeHost, AJoinerGetsTheMapBeforeItIsReady) {
  Running a("a", {});
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(a.Set(absl::StrCat("k", i), "v"));
  Running b("b", {a.address()});
  ASSERT_TRUE(Eventually([&] { return b.host->ready(); }));
  EXPECT_EQ(b.host->GetStatus().keys, 5000u);
}

TEST(NodeHost, ANodeThatComesBackIsLinkedAgain) {
  Running a("a", {});
  std::string address;
  {
    Running b("b", {a.address()});
    ASSERT_TRUE(Eventually([&] { return a.links() == 1; }));
    address = b.address();
  }
  ASSERT_TRUE(Eventually([&] { return a.links() == 0; }));
  ASSERT_TRUE(a.Set("while", "away"));
  Running b("b", {}, address);  // knows nobody: a dials it
  ASSERT_THAT(b.status, IsOk());
  EXPECT_TRUE(Eventually([&] { return b.Get("while") == "away"; }));
}

TEST(NodeHost, StrangersAreRefusedAndStayUnready) {
  Running a("a", {});
  Running b("b", {a.address()}, "127.0.0.1:0", false);
  const auto notes = [&](const Running& node) {
    std::string all;
    for (const auto& note : node.host->GetStatus().notes) all += note + "\n";
    return all;
  };
  ASSERT_TRUE(Eventually([&] { return notes(a).find("LEASING_MISMATCH") != std::string::npos; }));
  ASSERT_TRUE(Eventually([&] { return notes(b).find("LEASING_MISMATCH") != std::string::npos; }));
  EXPECT_FALSE(b.host->ready());
  EXPECT_EQ(a.links(), 0u);
}

TEST(NodeHost, TwoNodesOfOneNameAreRefused) {
  Running a("a", {});
  Running other("a", {a.address()});
  EXPECT_TRUE(Eventually([&] {
    for (const auto& note : a.host->GetStatus().notes) {
      if (note.find("DUPLICATE_NODE_ID") != std::string::npos) return true;
    }
    return false;
  }));
}

TEST(NodeHost, ASeedThatIsTheNodeItselfCountsForNothing) {
  Running first("a", {});
  const std::string address = first.address();
  first.host->Stop();
  Running a("a", {address}, address);
  ASSERT_THAT(a.status, IsOk());
  EXPECT_TRUE(Eventually([&] { return a.host->ready(); }));
  EXPECT_EQ(a.links(), 0u);
}

TEST(NodeHost, BroadcastsReachTheOthers) {
  Running a("a", {});
  Running b("b", {a.address()});
  ASSERT_TRUE(Eventually([&] { return a.links() == 1 && b.links() == 1; }));
  EXPECT_EQ(a.host->SendBroadcast("", "hello").value(), 1);
  EXPECT_TRUE(Eventually([&] {
    const MutexLock lock(b.mutex);
    return b.heard == std::vector<std::string>{"a:hello"};
  }));
  EXPECT_FALSE(a.host->SendBroadcast("nobody", "x").ok());
  EXPECT_FALSE(a.host->SendBroadcast("", std::string((64 << 10) + 1, 'x')).ok());
}

TEST(NodeHost, ThreadsThatWriteAndReadAtOnceEndUpEqual) {
  Running a("a", {});
  Running b("b", {a.address()});
  ASSERT_TRUE(Eventually([&] { return a.links() == 1 && b.links() == 1; }));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Running& node = t % 2 ? a : b;
      for (int i = 0; i < 500; ++i) {
        node.Set(absl::StrCat("k", i % 50), absl::StrCat(t, "/", i));
        node.Get(absl::StrCat("k", i % 50));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(Eventually([&] { return Equal({&a, &b}); }));
}

TEST(NodeHost, WhatWasWrittenBeforeAStopReachesTheOthers) {
  Running a("a", {});
  Running b("b", {a.address()});
  ASSERT_TRUE(Eventually([&] { return a.links() == 1 && b.links() == 1; }));
  const std::string value(4000, 'x');
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(a.Set(absl::StrCat("k", i), value));
  a.host->Stop();
  EXPECT_TRUE(Eventually([&] { return b.host->GetStatus().keys == 3000; }));
}

TEST(NodeHost, ATakenPortIsAnError) {
  Running a("a", {});
  Running b("b", {}, a.address());
  EXPECT_FALSE(b.status.ok());
}

}  // namespace
}  // namespace leasemap::host
