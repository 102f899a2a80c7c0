// A second server is asked after reads, and after writes only where the first one cannot have done them.
#include "clients/cli/core/repeat.h"

#include <gtest/gtest.h>

namespace leasemap::cli {
namespace {

using absl::StatusCode;

TEST(IsSafeToRepeat, ReadsAreAndWritesAreNot) {
  EXPECT_TRUE(IsSafeToRepeat(v1::GetRequest()));
  EXPECT_TRUE(IsSafeToRepeat(v1::ListRequest()));
  EXPECT_TRUE(IsSafeToRepeat(v1::GetStatusRequest()));
  EXPECT_FALSE(IsSafeToRepeat(v1::SetRequest()));
  EXPECT_FALSE(IsSafeToRepeat(v1::DeleteRequest()));
  EXPECT_FALSE(IsSafeToRepeat(v1::RenewRequest()));
  EXPECT_FALSE(IsSafeToRepeat(v1::ReleaseRequest()));
  EXPECT_FALSE(IsSafeToRepeat(v1::BatchSetRequest()));
  EXPECT_FALSE(IsSafeToRepeat(v1::ForgetRequest()));
}

TEST(IsSafeToRepeat, ANamedWriteIsRecognized) {
  v1::SetRequest set;
  set.set_request_id("r1");
  EXPECT_TRUE(IsSafeToRepeat(set));
  v1::DeleteRequest del;
  del.set_request_id("r1");
  EXPECT_TRUE(IsSafeToRepeat(del));
  v1::SetRequest checked;
  checked.set_validate_only(true);
  EXPECT_TRUE(IsSafeToRepeat(checked)) << "it writes nothing";
}

TEST(MayAskAnother, AfterSilenceOnlyIfSafe) {
  for (const StatusCode code : {StatusCode::kUnavailable, StatusCode::kDeadlineExceeded}) {
    EXPECT_TRUE(MayAskAnother(code, "", true));
    EXPECT_FALSE(MayAskAnother(code, "", false)) << "the write may have been done";
  }
}

TEST(MayAskAnother, AfterANodeSaidThatItHasNotBegun) {
  for (const char* reason : {"SYNCING", "DRAINING", "CLOCK_UNSAFE", "NOT_CAUGHT_UP"}) {
    EXPECT_TRUE(MayAskAnother(StatusCode::kUnavailable, reason, false)) << reason;
  }
  EXPECT_TRUE(MayAskAnother(StatusCode::kUnavailable, "STUCK", true));
  EXPECT_FALSE(MayAskAnother(StatusCode::kUnavailable, "STUCK", false)) << "unknown whether it was done";
}

TEST(MayAskAnother, NotAfterAnAnswer) {
  EXPECT_FALSE(MayAskAnother(StatusCode::kNotFound, "KEY_NOT_FOUND", true));
  EXPECT_FALSE(MayAskAnother(StatusCode::kFailedPrecondition, "LEASE_HELD", true));
  EXPECT_FALSE(MayAskAnother(StatusCode::kDeadlineExceeded, "ACK_INCOMPLETE", true)) << "the write stands";
  EXPECT_FALSE(MayAskAnother(StatusCode::kUnimplemented, "", true));
}

}  // namespace
}  // namespace leasemap::cli
