// The order in which a link writes: what is small goes between the pieces of what is large, and two large messages are
// never mixed.
#include "peer/net/outbox.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/core/data/limits.h"
#include "peer/wire/codec.h"
#include "peer/wire/frame.h"
#include "tests/matchers/status.h"

namespace leasemap::net {
namespace {

using testing::ElementsAre;

core::Live Large(const std::string& key, size_t bytes = 100'000) {
  core::Entry entry;
  entry.key = key;
  entry.value = std::string(bytes, 'x');
  entry.lease.holder = "h";
  entry.dot = {{"n", 1}, 1};
  return core::Live{{std::make_shared<core::Entry>(entry)}};
}

core::Report SomeReport(uint64_t seq) {
  core::Report report;
  core::VersionVector vector;
  vector.Add({"n", 1}, 1, seq);
  report.vector = std::make_shared<const core::VersionVector>(vector);
  return report;
}

class OutboxTest : public testing::Test {
 protected:
  // Writes a frame, or `most` of them. What the peer reads, in order: "piece" for one of a large message that is not
  // whole yet.
  std::vector<std::string> Write(size_t most = 1) {
    std::vector<std::string> read;
    for (size_t n = 0; n < most && !outbox_.empty(); ++n) {
      const auto decoded = decoder_.Decode(std::string_view(outbox_.Next()).substr(4));
      EXPECT_THAT(decoded, IsOk());
      if (!decoded.ok()) break;
      read.push_back(decoded->has_value() ? Name(**decoded) : "piece");
    }
    return read;
  }
  static std::string Name(const core::Message& message) {
    if (const auto* live = std::get_if<core::Live>(&message)) return live->entries[0]->key;
    if (const auto* broadcast = std::get_if<core::Broadcast>(&message)) return broadcast->payload.substr(0, 3);
    if (const auto* report = std::get_if<core::Report>(&message)) {
      return "report " + std::to_string(report->vector->runs().begin()->second.prefix);
    }
    return std::holds_alternative<core::Ping>(message) ? "ping" : "other";
  }

  Outbox outbox_;
  wire::Decoder decoder_;
};

TEST_F(OutboxTest, WhatIsSmallGoesBetweenThePieces) {
  outbox_.AddBulk(Large("a"));
  outbox_.AddBulk(Large("b"));
  EXPECT_THAT(Write(), ElementsAre("piece"));
  outbox_.Add(core::Broadcast{"one"});
  outbox_.Add(SomeReport(1));
  outbox_.Add(core::Broadcast{"two"});
  outbox_.Add(core::Ping{1});
  EXPECT_THAT(Write(5), ElementsAre("ping", "one", "two", "report 1", "piece"));
  const auto rest = Write(100);
  EXPECT_EQ(std::count(rest.begin(), rest.end(), "piece"), 10);  // seven frames each, of which the last makes it whole
  EXPECT_EQ(rest.back(), "b");
  EXPECT_TRUE(outbox_.empty());
  EXPECT_EQ(outbox_.bytes(), 0u);
}

TEST_F(OutboxTest, TwoLargeMessagesAreNotMixed) {
  outbox_.AddBulk(Large("a"));
  Write();
  outbox_.Add(core::Broadcast{"big" + std::string(40'000, 'x')});
  outbox_.Add(core::Broadcast{"two"});
  outbox_.Add(core::Ping{1});
  EXPECT_THAT(Write(), ElementsAre("ping"));
  const auto read = Write(100);
  std::vector<std::string> whole;
  for (const auto& one : read) {
    if (one != "piece") whole.push_back(one);
  }
  // What is small keeps its order, so "two" waits with the one before it.
  EXPECT_THAT(whole, ElementsAre("a", "big", "two"));
}

TEST_F(OutboxTest, OfReportsTheLatestIsWritten) {
  outbox_.AddBulk(Large("a"));
  Write();
  for (uint64_t seq = 1; seq <= 1000; ++seq) outbox_.Add(SomeReport(seq));
  EXPECT_LT(outbox_.bytes(), 200'000u);
  EXPECT_THAT(Write(2), ElementsAre("report 1000", "piece"));
  outbox_.Add(SomeReport(1001));  // names only what changed, and is read as what was said
  EXPECT_THAT(Write(), ElementsAre("report 1001"));
}

TEST_F(OutboxTest, BytesAreThoseThatWereNotGivenOut) {
  EXPECT_TRUE(outbox_.empty());
  EXPECT_EQ(outbox_.Next(), "");
  outbox_.AddBulk(Large("a"));
  const size_t all = outbox_.bytes();
  EXPECT_GT(all, 100'000u);
  const std::string frame = outbox_.Next();
  EXPECT_EQ(outbox_.bytes(), all - frame.size());
  outbox_.Clear();
  EXPECT_TRUE(outbox_.empty());
  EXPECT_EQ(outbox_.bytes(), 0u);
}

}  // namespace
}  // namespace leasemap::net
