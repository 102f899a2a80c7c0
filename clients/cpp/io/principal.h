// The holder of a client whom the nodes know by a name P: P/host-pid-random, where they let P use what begins with its
// name. On the loop.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "clients/cpp/core/endpoints.h"
#include "clients/cpp/io/engine.h"

namespace leasemap::internal {

// While the engine is unnamed: asks a node by which name it knows this client. Then calls `then`, and the engine is
// named; or `failed`, with why no node said it.
void AskHolder(Engine& engine, Moment end, std::function<void(const absl::Status&)> failed, std::function<void()> then);

}  // namespace leasemap::internal
