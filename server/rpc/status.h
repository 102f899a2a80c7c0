// From the core's errors to gRPC's: the code, the message, and google.rpc.Status with ErrorInfo (and RetryInfo) in the
// grpc-status-details-bin trailer.
#pragma once

#include "absl/status/status.h"
#include "grpcpp/support/status.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::rpc {

grpc::Status ToGrpc(const absl::Status& status);
void ToItem(const absl::Status& status, v1::ItemStatus* out);

}  // namespace leasemap::rpc
