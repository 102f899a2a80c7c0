#include "clients/cpp/io/principal.h"

#include <string>
#include <utility>

#include "clients/cpp/io/call.h"
#include "leasemap/v1/mesh.grpc.pb.h"

namespace leasemap::internal {

void AskHolder(Engine& engine, Moment end, std::function<void(const absl::Status&)> failed,
               std::function<void()> then) {
  // The trailer of any answer, a refusal too, names the engine (Engine::Heard).
  Call<v1::GetStatusRequest, v1::GetStatusResponse, v1::Mesh>::Start(
      engine, &v1::Mesh::Stub::PrepareAsyncGetStatus, {}, kAttempt, end,
      [&engine, failed = std::move(failed), then = std::move(then)](const absl::StatusOr<v1::GetStatusResponse>& answer,
                                                                    const std::string&) {
        const absl::Status& status = answer.status();
        const bool says_none = status.ok() || absl::IsPermissionDenied(status) || absl::IsUnimplemented(status);
        if (engine.unnamed() && !says_none) return failed(status);
        engine.SetPrincipal("");
        then();
      });
}

}  // namespace leasemap::internal
