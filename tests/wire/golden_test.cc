// The bytes of each kind of message, as testdata/golden.txt has them: a link between two builds carries these. A change
// of them is a change of the protocol: it needs a new version, unless it is a field that older builds leave alone. With
// LEASEMAP_REWRITE_GOLDEN=1 in the environment the bytes of this build are written into the file instead.
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "peer/core/data/limits.h"
#include "peer/wire/codec.h"
#include "peer/wire/frame.h"

namespace leasemap::wire {
namespace {

constexpr char kFile[] = LEASEMAP_WIRE_TESTDATA "/golden.txt";

core::VectorPtr Vector() {
  core::VersionVector vector;
  vector.Add({"a", 5}, 1, 10);
  vector.Add({"b", 2}, 1, 3);
  vector.Fold({{"a", 5}});
  vector.Add({"b", 2}, 6, 9);
  vector.Add({"c", 7}, 4, 4);
  return std::make_shared<const core::VersionVector>(std::move(vector));
}

core::EntryPtr Entry() {
  core::Entry entry;
  entry.key = std::string("k\0\xff", 3);
  entry.value = "blue";
  entry.value_is_text = true;
  entry.ephemeral = true;
  entry.lease = {"holder-1", 77, 1'700'000'000, 3'600'000, 1'700'003'600'000, true};
  entry.dot = {{"node-1", 42}, 7};
  entry.stamp = 99;
  entry.request = 0xfedcba9876543210;
  entry.value_dot = {{"node-2", 41}, 3};
  entry.value_stamp = 98;
  return std::make_shared<const core::Entry>(std::move(entry));
}

core::EntryPtr Tombstone() {
  core::Entry entry;
  entry.key = "gone";
  entry.tombstone = true;
  entry.lease = {"h", 78, 1, 2, 3, false};
  entry.dot = {{"node-1", 42}, 8};
  entry.stamp = 100;
  return std::make_shared<const core::Entry>(std::move(entry));
}

core::EntryPtr ValueGone() {
  core::Entry entry = *Entry();
  entry.value = {};
  entry.value_is_text = false;
  entry.value_gone = true;
  return std::make_shared<const core::Entry>(std::move(entry));
}

core::EntryPtr ValueLeftOut() {
  core::Entry entry = *Entry();
  entry.value = {};
  entry.value_left_out = true;
  return std::make_shared<const core::Entry>(std::move(entry));
}

core::Report Report() {
  core::Report report;
  report.vector = Vector();
  report.cut_short = true;
  report.floor = Vector();
  report.whole = report.settled = report.holds_map = true;
  report.keys = 12;
  report.map_hash = 0x0123456789abcdef;
  report.ceiling_ms = 1'900'000'000'123;
  report.collected_epoch = 13;
  report.peers = std::make_shared<core::Peers>(core::Peers{{{{"a", 1}, "10.0.0.1:7401", 2}}, {"a", "b"}});
  report.relays = {{{"b", 2}, Vector()}};
  return report;
}

core::Hello Hello() {
  core::Hello hello;
  hello.protocol_min = 2;
  hello.protocol_max = 6;
  hello.cluster = "c";
  hello.leasing = true;
  hello.period_ms = 5000;
  hello.self = {"n", 3};
  hello.wall_ms = 12345;
  hello.advertise = "h:1";
  hello.has_map = true;
  return hello;
}

// Each field has a value of its own, so that none can be left out or take another's place.
std::vector<std::pair<std::string, core::Message>> Samples() {
  return {
      {"hello", Hello()},
      {"accept", core::Accept{6, Report()}},
      {"refuse", core::Refuse{"REASON", "why", true}},
      {"ping", core::Ping{9}},
      {"pong", core::Pong{9, 8}},
      {"report", Report()},
      {"live", core::Live{{Entry(), Tombstone(), ValueLeftOut()}, true}},
      {"session_request", core::SessionRequest{4, Vector(), std::vector<uint64_t>(core::kHashBuckets, 11)}},
      {"session_entries", core::SessionEntries{4, {Entry(), Tombstone(), ValueGone()}}},
      {"session_end", core::SessionEnd{4, Vector(), Vector()}},
      {"broadcast", core::Broadcast{"hi"}},
      {"query", core::Query{10, "k"}},
      {"query_reply", core::QueryReply{10, ValueGone(), Vector()}},
  };
}

std::string Bytes(const core::Message& message) {
  std::string all;
  for (const std::string& frame : Encoder().Encode(message)) all += frame;
  return absl::BytesToHexString(all);
}

std::map<std::string, std::string> Golden() {
  std::map<std::string, std::string> golden;
  std::ifstream in(kFile);
  for (std::string name, hex; in >> name >> hex;) golden[name] = hex;
  return golden;
}

TEST(Golden, EachKindOfMessageHasTheBytesOfBefore) {
  const auto samples = Samples();
  if (std::getenv("LEASEMAP_REWRITE_GOLDEN") != nullptr) {
    std::ofstream out(kFile);
    for (const auto& [name, message] : samples) out << name << ' ' << Bytes(message) << '\n';
  }
  const auto golden = Golden();
  EXPECT_EQ(golden.size(), samples.size());
  EXPECT_EQ(samples.size(), std::variant_size_v<core::Message>) << "a kind has no sample";
  for (const auto& [name, message] : samples) {
    ASSERT_TRUE(golden.contains(name)) << name;
    EXPECT_EQ(Bytes(message), golden.at(name)) << name;
  }
}

TEST(Golden, TheBytesAreReadAsTheSameMessages) {
  const auto golden = Golden();
  for (const auto& [name, message] : Samples()) {
    ASSERT_TRUE(golden.contains(name)) << name;
    FrameReader reader;
    reader.SetLimit(kMaxFrameBytes);
    const std::string bytes = absl::HexStringToBytes(golden.at(name));
    reader.Feed(bytes);
    const auto body = reader.Next();
    ASSERT_TRUE(body.has_value()) << name;
    const auto decoded = Decoder().Decode(*body);
    ASSERT_TRUE(decoded.ok() && decoded->has_value()) << name << ": " << decoded.status();
    EXPECT_EQ((*decoded)->index(), message.index()) << name;
    EXPECT_EQ(Bytes(**decoded), golden.at(name)) << name;
  }
}

}  // namespace
}  // namespace leasemap::wire
