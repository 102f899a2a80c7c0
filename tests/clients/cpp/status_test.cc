// How errors are read off a call, and what they tell.
#include "clients/cpp/core/status.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/matchers/status.h"

namespace leasemap::internal {
namespace {

// The trailer of an error of Leasemap's own.
std::string Details(const std::string& reason, const std::map<std::string, std::string>& facts = {},
                    const std::string& domain = "leasemap") {
  google::rpc::Status status;
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain(domain);
  for (const auto& [name, value] : facts) (*info.mutable_metadata())[name] = value;
  status.add_details()->PackFrom(info);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(1);
  retry.mutable_retry_delay()->set_nanos(500'000'000);
  status.add_details()->PackFrom(retry);
  return status.SerializeAsString();
}

absl::Status Failure(absl::StatusCode code, const std::string& reason) {
  return FromGrpc(static_cast<int>(code), "says what to do", Details(reason), "a:1");
}

TEST(FromGrpc, TellsReasonAndFacts) {
  const absl::Status status = FromGrpc(
      9, "wait", Details("LEASE_HELD", {{"holder", "other"}, {"expire_time", "2030-01-02T03:04:05.678Z"}}), "a:1");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "wait");
  EXPECT_EQ(ReasonOf(status), reason::kLeaseHeld);
  ASSERT_TRUE(HeldByOf(status));
  EXPECT_EQ(HeldByOf(status)->holder, "other");
  EXPECT_EQ(absl::FormatTime(HeldByOf(status)->expires, absl::UTCTimeZone()), "2030-01-02T03:04:05.678+00:00");
  EXPECT_EQ(RetryAfterOf(status), absl::Milliseconds(1500));
  EXPECT_EQ(FactOf(status, "winner"), "");
}

TEST(FromGrpc, OkIsOk) {
  EXPECT_THAT(FromGrpc(0, "", "", "a:1"), IsOk());
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
  EXPECT_FALSE(HeldByOf(absl::OkStatus()));
}

TEST(FromGrpc, ASilenceIsUnavailableAndNamesTheNode) {
  for (const absl::StatusCode code :
       {absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kUnknown,
        absl::StatusCode::kInternal, absl::StatusCode::kCancelled}) {
    const absl::Status status = FromGrpc(static_cast<int>(code), "gRPC's own", "", "a:1");
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_EQ(status.message(), "a:1: gRPC's own");
    EXPECT_TRUE(IsElsewhere(status));
    EXPECT_TRUE(InDoubt(status));
  }
  EXPECT_TRUE(absl::IsUnimplemented(FromGrpc(12, "no such call", "", "a:1")));
}

TEST(FromGrpc, ReasonsOfOtherDomainsAndBrokenTrailersAreNotOurs) {
  EXPECT_EQ(ReasonOf(FromGrpc(9, "x", Details("LEASE_HELD", {}, "example.com"), "a:1")), "");
  EXPECT_EQ(ReasonOf(FromGrpc(9, "x", "\xff\xff not a message", "a:1")), "");
  EXPECT_FALSE(HeldByOf(FromGrpc(9, "x", Details("KEY_NOT_FOUND"), "a:1")));
  EXPECT_EQ(HeldByOf(FromGrpc(9, "x", Details("LEASE_HELD", {{"expire_time", "tomorrow"}}), "a:1"))->expires,
            absl::InfinitePast());
}

TEST(IsElsewhere, OnlyWhatAnotherNodeMayDo) {
  for (const char* reason : {"SYNCING", "DRAINING", "NOT_CAUGHT_UP", "CLOCK_UNSAFE", "DISK_FAILED", "WAIT_LIMIT",
                             "WATCH_LIMIT", "CONNECTION_LIMIT"}) {
    EXPECT_TRUE(IsElsewhere(Failure(absl::StatusCode::kUnavailable, reason))) << reason;
  }
  EXPECT_TRUE(IsElsewhere(FromGrpc(8, "gRPC's own", "", "a:1")));
  for (const auto& [reason, code] :
       std::map<std::string, absl::StatusCode>{{"LEASE_HELD", absl::StatusCode::kFailedPrecondition},
                                               {"KEY_LIMIT", absl::StatusCode::kResourceExhausted},
                                               {"ACK_INCOMPLETE", absl::StatusCode::kDeadlineExceeded},
                                               {"SUPERSEDED", absl::StatusCode::kAborted},
                                               {"KEY_NOT_FOUND", absl::StatusCode::kNotFound},
                                               {"BYTES_LIMIT", absl::StatusCode::kResourceExhausted},
                                               {"UNSUPPORTED", absl::StatusCode::kUnimplemented}}) {
    EXPECT_FALSE(IsElsewhere(Failure(code, reason))) << reason;
  }
  EXPECT_FALSE(IsElsewhere(absl::OkStatus()));
  EXPECT_FALSE(IsElsewhere(ClosedStatus()));
  EXPECT_FALSE(IsElsewhere(LostStatus("k", "x")));
  EXPECT_FALSE(IsElsewhere(absl::InvalidArgumentError("x")));
}

TEST(InDoubt, WhatMayHaveBeenDone) {
  EXPECT_TRUE(InDoubt(Failure(absl::StatusCode::kDeadlineExceeded, "ACK_INCOMPLETE")));
  EXPECT_TRUE(InDoubt(ClosedStatus()));
  EXPECT_FALSE(InDoubt(Failure(absl::StatusCode::kFailedPrecondition, "LEASE_HELD")));
}

TEST(FromItem, HasTheReason) {
  v1::ItemStatus item;
  EXPECT_THAT(FromItem(item), IsOk());
  item.set_code(5);
  item.set_reason("KEY_NOT_FOUND");
  item.set_message("no key");
  EXPECT_EQ(ReasonOf(FromItem(item)), reason::kKeyNotFound);
  EXPECT_TRUE(absl::IsNotFound(FromItem(item)));
}

TEST(ShowKey, EscapesAndCuts) {
  EXPECT_EQ(ShowKey("a\nb"), "\"a\\nb\"");
  EXPECT_EQ(ShowKey("käse"), "\"käse\"");
  EXPECT_EQ(ShowKey(std::string(100, 'k')), "\"" + std::string(64, 'k') + "…\"");
}

}  // namespace
}  // namespace leasemap::internal
