// Which calls may be sent to a second server after a first one failed. A read may; a write may if the first server
// cannot have done it, or would recognize it: doing a write twice is worse than reporting that it failed.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_REPEAT_H_
#define LEASEMAP_CLIENTS_CLI_CORE_REPEAT_H_

#include <string>

#include "absl/status/status.h"
#include "grpc/health/v1/health.pb.h"
#include "leasemap/v1/key_value.pb.h"
#include "leasemap/v1/mesh.pb.h"

namespace leasemap::cli {

// Whether the request changes nothing when it is done twice. Renew, Release and Forget count as writes like others.
template <typename Request>
bool IsSafeToRepeat(const Request&) {
  return false;
}
inline bool IsSafeToRepeat(const v1::GetRequest&) { return true; }
inline bool IsSafeToRepeat(const v1::BatchGetRequest&) { return true; }
inline bool IsSafeToRepeat(const v1::ListRequest&) { return true; }
inline bool IsSafeToRepeat(const v1::ExplainRequest&) { return true; }
inline bool IsSafeToRepeat(const v1::GetStatusRequest&) { return true; }
inline bool IsSafeToRepeat(const v1::ListMembersRequest&) { return true; }
inline bool IsSafeToRepeat(const v1::ListConflictsRequest&) { return true; }
inline bool IsSafeToRepeat(const grpc::health::v1::HealthCheckRequest&) { return true; }
inline bool IsSafeToRepeat(const v1::SetRequest& request) {
  return !request.request_id().empty() || request.validate_only();
}
inline bool IsSafeToRepeat(const v1::DeleteRequest& request) { return !request.request_id().empty(); }

// Whether another server may answer what this one answered with an error. `reason` is the error's own, empty if it is
// not of a node.
bool MayAskAnother(absl::StatusCode code, const std::string& reason, bool safe_to_repeat);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_REPEAT_H_
