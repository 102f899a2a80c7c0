// Reports on one link: after the first only what changed travels, and what is read is what was said.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "leasemap/peer/v1/peer.pb.h"
#include "peer/core/mesh/membership.h"
#include "peer/wire/codec.h"
#include "tests/matchers/status.h"

namespace leasemap::wire {
namespace {

namespace pb = leasemap::peer::v1;

core::VectorPtr Share(const core::VersionVector& vector) { return std::make_shared<const core::VersionVector>(vector); }

// Both ends of a link, one direction.
class Line {
 public:
  absl::StatusOr<core::Report> Send(const core::Report& report) {
    std::optional<core::Message> out;
    bytes_ = 0;
    for (const std::string& frame : encoder_.Encode(report)) {
      bytes_ += frame.size();
      auto decoded = decoder_.Decode(std::string_view(frame).substr(4));
      if (!decoded.ok()) return decoded.status();
      if (decoded->has_value()) out = *std::move(*decoded);
    }
    return std::get<core::Report>(out.value());
  }
  // Of the last report.
  size_t bytes() const { return bytes_; }

 private:
  Encoder encoder_;
  Decoder decoder_;
  size_t bytes_ = 0;
};

void ExpectSame(const core::Report& got, const core::Report& sent) {
  EXPECT_EQ(*got.vector, *sent.vector);
  EXPECT_EQ(*got.peers, *sent.peers);
  EXPECT_EQ(got.cut_short, sent.cut_short);
  EXPECT_EQ(got.whole, sent.whole);
  EXPECT_EQ(got.map_hash, sent.map_hash);
  ASSERT_EQ(got.relays.size(), sent.relays.size());
  for (size_t i = 0; i < got.relays.size(); ++i) {
    EXPECT_EQ(got.relays[i].member, sent.relays[i].member);
    EXPECT_EQ(*got.relays[i].vector, *sent.relays[i].vector);
  }
}

// A node with thirty members whose vector grows, has gaps, is cut short, folds and forgets members, at random.
class Growing {
 public:
  explicit Growing(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 30; ++i) vector_.Add(Replica(i), 1, 5);
  }

  core::Report Next() {
    for (int64_t n = random_.Below(4); n > 0; --n) Change();
    core::Report report;
    report.vector = Share(vector_.CutShort(8, &report.cut_short));
    report.map_hash = random_.Next();
    report.whole = random_.Below(2) == 0;
    if (random_.Below(8) == 0) MakePeers();
    report.peers = random_.Below(2) == 0 ? peers_ : std::make_shared<const core::Peers>(*peers_);
    if (random_.Below(4) == 0) report.relays.push_back({Replica(3), Share(vector_)});
    return report;
  }

 private:
  core::ReplicaId Replica(int64_t member) {
    return {"node-" + std::to_string(member), incarnations_[static_cast<size_t>(member)]};
  }
  void Change() {
    const int64_t member = random_.Below(30);
    const core::ReplicaId replica = Replica(member);
    const auto run = vector_.runs().find(replica);
    const uint64_t top = run == vector_.runs().end() ? 0 : run->second.Top();
    switch (random_.Below(6)) {
      case 0:  // a new incarnation
        ++incarnations_[static_cast<size_t>(member)];
        vector_.Add(Replica(member), 1, 1);
        break;
      case 1:
        vector_.Fold({replica});
        break;
      case 2:  // a gap
        vector_.Add(replica, top + 3, top + 4);
        break;
      case 3:
        vector_.Add(replica, 1, top);
        break;
      default:
        vector_.Add(replica, top + 1, top + 1);
    }
  }
  void MakePeers() {
    core::Peers peers;
    for (int64_t i = 0; i < 30; ++i) {
      peers.members.push_back({Replica(i), "10.0.0.1:7401", static_cast<uint64_t>(random_.Below(3))});
      if (random_.Below(2) == 0) peers.linked.push_back(Replica(i).node);
    }
    std::sort(peers.linked.begin(), peers.linked.end());
    peers_ = std::make_shared<const core::Peers>(peers);
  }

  core::Random random_;
  core::VersionVector vector_;
  std::vector<uint64_t> incarnations_ = std::vector<uint64_t>(30, 1);
  core::PeersPtr peers_ = std::make_shared<const core::Peers>(core::Peers{{{{"node-0", 1}, "", 0}}, {}});
};

TEST(ReportCodec, WhatIsReadIsWhatWasSaid) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Growing node(seed);
    Line line;
    for (int n = 0; n < 200; ++n) {
      const core::Report report = node.Next();
      const auto got = line.Send(report);
      ASSERT_THAT(got, IsOk()) << "seed " << seed;
      ExpectSame(*got, report);
      ASSERT_FALSE(HasFailure()) << "seed " << seed << ", report " << n;
    }
  }
}

TEST(ReportCodec, AChangeIsSmallAndTheFirstReportIsWhole) {
  core::VersionVector vector;
  core::Peers peers;
  for (int i = 10; i < 40; ++i) {
    const core::ReplicaId replica{"node-" + std::to_string(i), 1};
    vector.Add(replica, 1, 1000);
    peers.members.push_back({replica, "10.0.0.1:7401", 0});
    peers.linked.push_back(replica.node);
  }
  core::Report report;
  report.peers = std::make_shared<const core::Peers>(peers);
  Line changes;
  for (int n = 0; n < 3; ++n) {
    vector.Add({"node-20", 1}, 1001, 1002 + n);
    report.vector = Share(vector);
    ASSERT_THAT(changes.Send(report), IsOk());
    EXPECT_EQ(changes.bytes() > 1500, n == 0) << changes.bytes();
    EXPECT_EQ(changes.bytes() < 60, n > 0) << changes.bytes();
  }
  // Nothing changed: both ends share what they have.
  const auto first = changes.Send(report), second = changes.Send(report);
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(first->vector, second->vector);
  EXPECT_EQ(first->peers, second->peers);
}

TEST(ReportCodec, ChangesOfNothingAreRefused) {
  pb::Envelope envelope;
  envelope.mutable_report()->set_changes(true);
  EXPECT_FALSE(Decoder().Decode(envelope.SerializeAsString()).ok());
}

// Whoever sends ever new runs makes its peer remember no more than one whole report could.
TEST(ReportCodec, WhatChangesComeToIsBounded) {
  Decoder decoder;
  pb::Envelope envelope;
  envelope.mutable_report()->mutable_vector();  // a whole report that covers nothing
  ASSERT_THAT(decoder.Decode(envelope.SerializeAsString()), IsOk());
  envelope.mutable_report()->set_changes(true);
  uint64_t incarnation = 0;
  absl::Status status;
  for (int n = 0; n < 100 && status.ok(); ++n) {
    envelope.mutable_report()->mutable_vector()->clear_runs();
    for (int i = 0; i < 2000; ++i) {
      auto* entry = envelope.mutable_report()->mutable_vector()->add_runs();
      entry->set_node("n");
      entry->set_incarnation(++incarnation);
      entry->set_prefix(1);
    }
    status = decoder.Decode(envelope.SerializeAsString()).status();
  }
  EXPECT_FALSE(status.ok());
  EXPECT_LT(incarnation, 100'000u);
}

}  // namespace
}  // namespace leasemap::wire
