// Requests, as the options of programs make them, and entries as they come back.
#include "clients/cpp/core/requests.h"

#include <gtest/gtest.h>

#include "clients/cpp/core/entries.h"
#include "tests/clients/cpp/made.h"
#include "tests/matchers/status.h"

namespace leasemap::internal {
namespace {

TEST(MakeSet, HasTheOptions) {
  const v1::SetRequest request =
      MakeSet("k", "v", {.if_version = "v7", .if_absent = true, .ack = Ack::Majority()},
              {.holder = "me", .request_id = "r1", .lease = absl::Milliseconds(2500), .ephemeral = true});
  EXPECT_EQ(request.key_bytes(), "k");
  EXPECT_EQ(request.value(), "v");
  EXPECT_EQ(request.holder(), "me");
  EXPECT_EQ(request.request_id(), "r1");
  EXPECT_EQ(request.if_version(), "v7");
  EXPECT_TRUE(request.if_absent());
  EXPECT_EQ(request.on_lapse(), v1::ON_LAPSE_DELETE);
  EXPECT_EQ(request.ack(), v1::ACK_MAJORITY);
  EXPECT_EQ(request.lease_duration().seconds(), 2);
  EXPECT_EQ(request.lease_duration().nanos(), 500'000'000);
}

TEST(MakeSet, NoLeaseIsAnotherThanTheDefault) {
  EXPECT_FALSE(MakeSet("k", "v", {}, {.holder = "me", .request_id = "r"}).has_lease_duration());
  EXPECT_TRUE(
      MakeSet("k", "v", {}, {.holder = "me", .request_id = "r", .lease = absl::ZeroDuration()}).has_lease_duration());
}

TEST(MakeSet, WhatIsNoTextGoesAsBytes) {
  EXPECT_TRUE(MakeSet("k", "käse", {}, {}).has_value());
  EXPECT_EQ(MakeSet("k", "\xff", {}, {}).value_bytes(), "\xff");
  EXPECT_EQ(MakeSet("k", "text", {.binary = true}, {}).value_bytes(), "text");
}

TEST(MakeSet, AcksAreOneOfTwoForms) {
  EXPECT_EQ(MakeSet("k", "v", {.ack = Ack::Nodes(3)}, {}).ack_nodes(), 3u);
  EXPECT_EQ(MakeSet("k", "v", {.ack = Ack::Nodes(3)}, {}).ack(), v1::ACK_UNSPECIFIED);
  EXPECT_EQ(MakeSet("k", "v", {.ack = Ack::All()}, {}).ack(), v1::ACK_ALL);
  EXPECT_EQ(MakeSet("k", "v", {}, {}).ack(), v1::ACK_UNSPECIFIED);
  EXPECT_THAT(CheckAck(Ack::Nodes(129)), IsOk());
  EXPECT_FALSE(CheckAck(Ack::Nodes(130)).ok());
  EXPECT_FALSE(CheckAck(Ack::Nodes(0)).ok()) << "no node has the write";
}

TEST(MakeDelete, HasTheOptions) {
  const v1::DeleteRequest request = MakeDelete("k", {.if_version = "v1", .allow_missing = true}, "me", "r2");
  EXPECT_EQ(request.key_bytes() + request.holder() + request.request_id() + request.if_version(), "kmer2v1");
  EXPECT_TRUE(request.allow_missing());
}

TEST(MakeRenew, HasTheOptions) {
  const v1::RenewRequest request = MakeRenew("k", "me", absl::Seconds(10), true, "v3");
  EXPECT_EQ(request.lease_duration().seconds(), 10);
  EXPECT_TRUE(request.only_if_held());
  EXPECT_EQ(request.min_version(), "v3");
  EXPECT_FALSE(MakeRenew("k", "me", std::nullopt, false, "").has_lease_duration());
}

TEST(FromProto, KeepsAllOfAnEntry) {
  v1::Entry proto = ProtoEntry("k", "v", {.written = kT0 + 5.25, .valued = kT0 + 1});
  proto.set_ephemeral(true);
  const Entry entry = FromProto(proto);
  EXPECT_EQ(entry.key + entry.value + entry.holder + entry.version + entry.origin, "kvotherv1n1");
  EXPECT_TRUE(entry.has_value && entry.ephemeral && entry.leased());
  EXPECT_FALSE(entry.binary || entry.deleted);
  EXPECT_EQ(absl::ToUnixMillis(entry.updated), static_cast<int64_t>(kT0) * 1000 + 5250);
  EXPECT_EQ(absl::ToUnixSeconds(entry.value_time), static_cast<int64_t>(kT0) + 1);
  EXPECT_EQ(absl::ToUnixSeconds(entry.expires), static_cast<int64_t>(kT0) + 3600);
}

TEST(FromProto, TellsBytesFromTextAndNoValueFromAnEmptyOne) {
  v1::Entry proto;
  proto.set_key_bytes("\xff");
  proto.set_value_bytes("");
  EXPECT_EQ(FromProto(proto).key, "\xff");
  EXPECT_TRUE(FromProto(proto).has_value && FromProto(proto).binary);
  proto.clear_value_form();
  EXPECT_FALSE(FromProto(proto).has_value);
}

TEST(FromProto, AKindOfALaterServerIsNone) {
  EXPECT_EQ(FromProto(static_cast<v1::Event::Kind>(77)), std::nullopt);
  for (const Kind kind : {Kind::kSet, Kind::kDeleted, Kind::kExpired, Kind::kLost, Kind::kLease}) {
    EXPECT_EQ(FromProto(ToProto(kind)), kind);
  }
}

}  // namespace
}  // namespace leasemap::internal
