// Frames and codec: what is sent comes back the same, and whatever comes from a peer keeps its limits or is refused.
#include "peer/wire/codec.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "leasemap/peer/v1/peer.pb.h"
#include "peer/core/data/limits.h"
#include "peer/core/sync/ceiling.h"
#include "peer/wire/codec_parts.h"
#include "peer/wire/frame.h"
#include "tests/matchers/status.h"

namespace leasemap::wire {
namespace {

namespace pb = leasemap::peer::v1;

core::Entry SomeEntry() {
  core::Entry entry;
  entry.key = std::string("k\0\xff", 3);
  entry.value = "blue";
  entry.value_is_text = true;
  entry.lease = {"holder-1", 77, 1'700'000'000, 3'600'000, 1'700'003'600'000, false};
  entry.dot = {{"node-1", 42}, 7};
  entry.stamp = 99;
  entry.request = 0xfedcba9876543210;
  return entry;
}

core::VectorPtr SomeVector() {
  core::VersionVector vector;
  vector.Add({"a", 1}, 1, 10);
  vector.Add({"a", 1}, 20, 30);
  vector.Add({"b", 2}, 5, 5);
  return std::make_shared<const core::VersionVector>(vector);
}

// The frames of a message through a reader and a decoder, byte by byte where `step` is 1.
std::vector<core::Message> Through(const core::Message& message, size_t step) {
  FrameReader reader;
  reader.SetLimit(kMaxFrameBytes);
  Decoder decoder;
  std::vector<core::Message> out;
  for (const std::string& frame : Encoder().Encode(message)) {
    for (size_t at = 0; at < frame.size(); at += step) {
      reader.Feed(std::string_view(frame).substr(at, step));
      while (const auto body = reader.Next()) {
        auto decoded = decoder.Decode(*body);
        EXPECT_THAT(decoded, IsOk());
        if (decoded.ok() && decoded->has_value()) out.push_back(*std::move(*decoded));
      }
    }
  }
  EXPECT_THAT(reader.status(), IsOk());
  return out;
}

template <typename T>
T Back(const T& message) {
  const auto out = Through(message, 3);
  EXPECT_EQ(out.size(), 1u);
  return std::get<T>(out.at(0));
}

TEST(Codec, EntriesComeBackTheSame) {
  core::Live live;
  live.entries.push_back(std::make_shared<core::Entry>(SomeEntry()));
  auto tombstone = SomeEntry();
  tombstone.tombstone = true;
  tombstone.value = {};
  tombstone.lease.released = true;
  live.entries.push_back(std::make_shared<core::Entry>(tombstone));
  auto renewal = SomeEntry();
  renewal.value_dot = {{"node-2", 41}, 3};
  renewal.value_stamp = 98;
  live.entries.push_back(std::make_shared<core::Entry>(renewal));
  live.entries.push_back(core::WithoutKeptValue(live.entries.back()));
  ASSERT_TRUE(live.entries.back()->value_left_out);
  auto lapsed = SomeEntry();
  lapsed.ephemeral = true;
  live.entries.push_back(core::WithValueGone(lapsed));
  live.report_now = true;
  const auto back = Back(live);
  EXPECT_TRUE(back.report_now);
  EXPECT_FALSE(Back(core::Live{}).report_now);
  ASSERT_EQ(back.entries.size(), 5u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(*back.entries[i], *live.entries[i]);
}

TEST(Codec, HandshakeComesBackTheSame) {
  core::Hello hello;
  hello.cluster = "c";
  hello.leasing = false;
  hello.period_ms = 5000;
  hello.self = {"n", 3};
  hello.wall_ms = 12345;
  hello.advertise = "h:1";
  const auto back = Back(hello);
  EXPECT_EQ(back.cluster, "c");
  EXPECT_FALSE(back.leasing);
  EXPECT_EQ(back.period_ms, 5000);
  EXPECT_EQ(back.self, hello.self);
  EXPECT_EQ(back.wall_ms, 12345);
  EXPECT_EQ(back.advertise, "h:1");
  EXPECT_EQ(Back(core::Refuse{"R", "why"}).message, "why");
  EXPECT_EQ(Back(core::Pong{9, 8}).wall_ms, 8);
  EXPECT_EQ(Back(core::Ping{9}).token, 9u);
  EXPECT_EQ(Back(core::Broadcast{"hi"}).payload, "hi");
}

TEST(Codec, ThePastComesBackWholeOrAsAMark) {
  core::VersionVector vector;
  vector.Add({"a", 5}, 1, 10);
  vector.Add({"b", 2}, 1, 3);
  ASSERT_EQ(vector.Fold({{"a", 5}}), 1u);
  vector.Add({"a", 9}, 1, 1);
  vector = vector.Naming({{"c", 3}});
  const auto whole = std::make_shared<const core::VersionVector>(vector);
  const core::SessionEnd back = Back(core::SessionEnd{4, whole, whole});
  for (const core::VectorPtr& one : {back.vector, back.floor}) {
    EXPECT_EQ(*one, vector);
    ASSERT_NE(one->past(), nullptr);
    EXPECT_TRUE(one->Covers(core::Dot{{"a", 5}, 10}));
    EXPECT_FALSE(one->Covers(core::Dot{{"a", 5}, 11}));
    EXPECT_TRUE(one->runs().contains({"c", 3}));
  }
  core::Report report;
  report.vector = std::make_shared<const core::VersionVector>(vector.Brief());
  const core::Report brief = Back(report);
  EXPECT_EQ(*brief.vector, vector);
  EXPECT_EQ(brief.vector->past(), nullptr);
  EXPECT_EQ(brief.floor, nullptr);
}

TEST(Codec, APastThatCanNotBeIsRefused) {
  core::VersionVector vector;
  vector.Add({"a", 5}, 1, 10);
  vector.Add({"b", 6}, 1, 3);
  ASSERT_EQ(vector.Fold({{"a", 5}, {"b", 6}}), 2u);
  const auto refused = [&](auto change) {
    pb::Envelope envelope;
    pb::Vector* out = envelope.mutable_session_end()->mutable_vector();
    ToProto(vector, out);
    change(out->mutable_past());
    Decoder decoder;
    return !decoder.Decode(envelope.SerializeAsString()).ok();
  };
  EXPECT_FALSE(refused([](pb::Past*) {}));
  EXPECT_TRUE(refused([](pb::Past* past) { past->set_upto(0); }));
  EXPECT_TRUE(refused([](pb::Past* past) { past->set_upto(5); }));
  EXPECT_TRUE(refused([](pb::Past* past) { past->set_digest(past->digest() + 1); }));
  EXPECT_TRUE(refused([](pb::Past* past) { past->set_dropped_digest(1); }));
  EXPECT_TRUE(refused([](pb::Past* past) { past->mutable_known(0)->set_node(""); }));
  EXPECT_TRUE(refused([](pb::Past* past) { past->mutable_known()->SwapElements(0, 1); }));
  EXPECT_TRUE(refused([](pb::Past* past) { past->mutable_known(1)->set_prefix(uint64_t{1} << 63); }));
  EXPECT_TRUE(refused([](pb::Past* past) { *past->add_known() = past->known(1); }));
}

TEST(Codec, CeilingsComeBackTheSame) {
  core::Accept accept;
  accept.report.vector = SomeVector();
  EXPECT_FALSE(Back(accept).report.ceiling_ms.has_value());
  EXPECT_FALSE(Back(accept).report.holds_map);
  for (const int64_t ceiling_ms : {int64_t{0}, int64_t{1}, int64_t{1'900'000'000'123}}) {
    accept.report.ceiling_ms = ceiling_ms;
    accept.report.holds_map = true;
    accept.report.collected_epoch = 99;
    const auto back = Back(accept).report;
    EXPECT_EQ(back.ceiling_ms, ceiling_ms);  // that it needs none is said, and is not the same as saying nothing
    EXPECT_TRUE(back.holds_map);
    EXPECT_EQ(back.collected_epoch, 99u);
  }
  accept.report.ceiling_ms = core::kMaxCeilingMs + 1;
  Decoder decoder;
  const std::string frame = Encoder().Encode(accept).at(0);
  EXPECT_FALSE(decoder.Decode(std::string_view(frame).substr(4)).ok());
}

TEST(Codec, ReportsAndSessionsComeBackTheSame) {
  core::Accept accept;
  accept.wall_ms = 5;
  accept.report.vector = SomeVector();
  accept.report.cut_short = true;
  accept.report.peers = std::make_shared<core::Peers>(core::Peers{{{{"a", 1}, "10.0.0.1:7401"}}, {"a", "b"}});
  accept.report.relays = {{{"b", 2}, SomeVector()}};
  const auto back = Back(accept).report;
  EXPECT_EQ(*back.vector, *SomeVector());
  EXPECT_TRUE(back.cut_short);
  EXPECT_EQ(*back.peers, *accept.report.peers);
  ASSERT_EQ(back.relays.size(), 1u);
  EXPECT_EQ(*back.relays[0].vector, *SomeVector());
  EXPECT_EQ(*Back(core::SessionRequest{4, SomeVector()}).vector, *SomeVector());
  EXPECT_EQ(*Back(core::SessionEnd{4, SomeVector()}).vector, *SomeVector());
  EXPECT_EQ(Back(core::SessionEntries{4, {}}).session, 4u);
}

TEST(Codec, QueriesAndTheirRepliesComeBackTheSame) {
  EXPECT_EQ(Back(core::Query{7, "k"}).key, "k");
  EXPECT_EQ(Back(core::Query{7, "k"}).token, 7u);
  const auto entry = std::make_shared<core::Entry>(SomeEntry());
  const auto back = Back(core::QueryReply{7, entry, SomeVector()});
  EXPECT_EQ(back.token, 7u);
  EXPECT_EQ(*back.entry, *entry);
  EXPECT_EQ(*back.vector, *SomeVector());
  EXPECT_EQ(Back(core::QueryReply{}).entry, nullptr);
}

TEST(Codec, BadQueriesAreRefused) {
  Decoder decoder;
  pb::Envelope envelope;
  envelope.mutable_query()->set_token(1);
  EXPECT_FALSE(decoder.Decode(envelope.SerializeAsString()).ok());
  envelope.mutable_query()->set_key(std::string(core::kMaxKeyBytes + 1, 'k'));
  EXPECT_FALSE(decoder.Decode(envelope.SerializeAsString()).ok());
  envelope.mutable_query_reply()->mutable_entry();
  EXPECT_FALSE(decoder.Decode(envelope.SerializeAsString()).ok());
}

TEST(Codec, LargeValuesTravelInPartsWithHeartbeatsBetween) {
  core::Live live;
  auto big = SomeEntry();
  big.value = std::string(core::kMaxValueBytes, 'x');
  live.entries.push_back(std::make_shared<core::Entry>(big));
  const auto frames = Encoder().Encode(live);
  ASSERT_GT(frames.size(), 10u);
  Decoder decoder;
  size_t pings = 0, lives = 0;
  for (const auto& frame : frames) {
    EXPECT_LE(frame.size(), kPieceBytes + 64);
    auto decoded = decoder.Decode(std::string_view(frame).substr(4));
    ASSERT_THAT(decoded, IsOk());
    if (decoded->has_value()) {
      ++lives;
      EXPECT_EQ(*std::get<core::Live>(**decoded).entries[0], big);
    }
    const std::string ping = Encoder().Encode(core::Ping{1})[0];
    decoded = decoder.Decode(std::string_view(ping).substr(4));
    ASSERT_TRUE(decoded.ok() && decoded->has_value());
    pings += std::holds_alternative<core::Ping>(**decoded);
  }
  EXPECT_EQ(lives, 1u);
  EXPECT_EQ(pings, frames.size());
}

TEST(Codec, UnknownFieldsOfAnEntryAreCarriedAlong) {
  pb::Envelope envelope;
  auto* entry = envelope.mutable_live()->add_entries();
  entry->set_key("k");
  entry->set_holder("h");
  entry->set_node("n");
  entry->set_incarnation(1);
  entry->set_seq(1);
  entry->GetReflection()->MutableUnknownFields(entry)->AddVarint(1000, 5);
  Decoder decoder;
  auto decoded = decoder.Decode(envelope.SerializeAsString());
  ASSERT_TRUE(decoded.ok() && decoded->has_value());
  const auto& live = std::get<core::Live>(**decoded);
  EXPECT_FALSE(live.entries[0]->unknown_fields.empty());
  pb::Envelope again;
  ASSERT_TRUE(again.ParseFromString(Encoder().Encode(live)[0].substr(4)));
  const auto& back = again.live().entries(0);
  ASSERT_EQ(back.GetReflection()->GetUnknownFields(back).field_count(), 1);
  EXPECT_EQ(back.GetReflection()->GetUnknownFields(back).field(0).varint(), 5u);
}

TEST(Codec, KindsOfALaterVersionAreSkipped) {
  pb::Envelope envelope;
  envelope.GetReflection()->MutableUnknownFields(&envelope)->AddLengthDelimited(200, "later");
  Decoder decoder;
  const auto decoded = decoder.Decode(envelope.SerializeAsString());
  ASSERT_THAT(decoded, IsOk());
  EXPECT_FALSE(decoded->has_value());
}

// Each change to a good entry breaks one limit.
TEST(Codec, EntriesBeyondTheirLimitsAreRefused) {
  const auto refused = [](auto change) {
    pb::Envelope envelope;
    auto* entry = envelope.mutable_live()->add_entries();
    entry->set_key("k");
    entry->set_holder("h");
    entry->set_node("n");
    entry->set_incarnation(1);
    entry->set_seq(1);
    change(entry);
    Decoder decoder;
    return !decoder.Decode(envelope.SerializeAsString()).ok();
  };
  EXPECT_FALSE(refused([](pb::Entry*) {}));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->set_key(""); }));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->set_key(std::string(4097, 'k')); }));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->set_value(std::string(core::kMaxValueBytes + 1, 'v')); }));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->set_holder(std::string(256, 'h')); }));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->clear_node(); }));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->set_incarnation(0); }));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->set_seq(0); }));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->set_seq(UINT64_MAX); }));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->set_expire_ms(INT64_MAX); }));
  EXPECT_TRUE(refused([](pb::Entry* e) { e->set_start_s(-1); }));
  EXPECT_TRUE(refused([](pb::Entry* e) {
    e->set_tombstone(true);
    e->set_value("v");
  }));
  EXPECT_TRUE(refused([](pb::Entry* e) {
    e->set_value_is_text(true);
    e->set_value("\xff");
  }));
}

TEST(Codec, VectorsThatBreakTheirOrderAreRefused) {
  const auto refused = [](auto fill) {
    pb::Envelope envelope;
    fill(envelope.mutable_session_end()->mutable_vector());
    Decoder decoder;
    return !decoder.Decode(envelope.SerializeAsString()).ok();
  };
  const auto add = [](pb::Vector* vector, const char* node, uint64_t prefix) {
    auto* entry = vector->add_runs();
    entry->set_node(node);
    entry->set_incarnation(1);
    entry->set_prefix(prefix);
    return entry;
  };
  EXPECT_FALSE(refused([&](pb::Vector* v) { add(v, "a", 1), add(v, "b", 1); }));
  EXPECT_TRUE(refused([&](pb::Vector* v) { add(v, "b", 1), add(v, "a", 1); }));
  EXPECT_TRUE(refused([&](pb::Vector* v) { add(v, "a", 1), add(v, "a", 1); }));
  EXPECT_TRUE(refused([&](pb::Vector* v) { add(v, "a", 0); }));
  EXPECT_TRUE(refused([&](pb::Vector* v) { add(v, "a", UINT64_MAX); }));
  EXPECT_TRUE(refused([&](pb::Vector* v) {
    auto* run = add(v, "a", 5)->add_exceptions();
    run->set_first(6);  // touches the prefix
    run->set_last(7);
  }));
  EXPECT_TRUE(refused([&](pb::Vector* v) {
    auto* run = add(v, "a", 5)->add_exceptions();
    run->set_first(9);
    run->set_last(8);
  }));
}

TEST(Codec, PiecesAreBounded) {
  Decoder decoder;
  pb::Envelope part;
  part.mutable_part()->set_piece(std::string(kMaxFrameBytes - 64, 'x'));
  const std::string bytes = part.SerializeAsString();
  absl::Status status;
  size_t taken = 0;
  while (status.ok() && taken <= 2 * kMaxEnvelopeBytes) {
    status = decoder.Decode(bytes).status();
    taken += bytes.size();
  }
  EXPECT_FALSE(status.ok());
  EXPECT_LE(taken, kMaxEnvelopeBytes + kMaxFrameBytes);
}

TEST(Frame, LengthsAreCheckedBeforeAnythingIsStored) {
  for (const std::string& header :
       {std::string("\xff\xff\xff\xff", 4), std::string("\0\0\0\0", 4), std::string("GET ")}) {
    FrameReader reader;
    reader.Feed(header);
    EXPECT_FALSE(reader.Next().has_value());
    EXPECT_FALSE(reader.status().ok());
    EXPECT_EQ(reader.buffered(), 0u);
    reader.Feed("more");
    EXPECT_FALSE(reader.Next().has_value());
  }
}

TEST(Frame, TheLimitRisesWhenTold) {
  std::string big;
  AppendFrame(big, std::string(kMaxFirstFrameBytes + 1, 'x'));
  FrameReader stranger, member;
  member.SetLimit(kMaxFrameBytes);
  stranger.Feed(big);
  member.Feed(big);
  EXPECT_FALSE(stranger.Next().has_value());
  EXPECT_FALSE(stranger.status().ok());
  ASSERT_TRUE(member.Next().has_value());
}

}  // namespace
}  // namespace leasemap::wire
