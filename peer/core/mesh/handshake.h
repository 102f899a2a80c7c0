// What one side of a handshake thinks of the other, as far as two messages tell (Node::Handshake has the steps).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "peer/core/data/message.h"
#include "peer/core/data/node_options.h"
#include "peer/core/mesh/link.h"
#include "peer/core/sync/replica.h"

namespace leasemap::core {

// What is refused for the Hello's sake, whatever the clocks say; nullopt: nothing.
std::optional<Refuse> JudgeHello(const NodeOptions& options, const ReplicaId& self, const Hello& peer);

// A peer may know this node at a later incarnation than its own (the clock went back between two starts), or at this
// one with writes that this process never made: the highest of these. 0: none.
uint64_t LaterSelf(const Report& report, const Replica& replica);

// The clocks of both sides differ by more than the bound.
Refuse ClocksDiffer();

}  // namespace leasemap::core
