// Nothing that a node holds, and no message that leaves it, is larger than limits.h says. What can't be exceeded by its
// type (one session asked for, one served on each link) is not counted.
#pragma once

#include <string>

#include "peer/core/data/message.h"
#include "peer/core/node/node.h"
#include "peer/core/node/watch.h"

namespace leasemap::sim {

// What a node holds after a step.
std::string CheckHeld(const core::Usage& usage);
// A message that leaves an honest node.
std::string CheckSize(const core::Message& message);
// What a watch is sent.
std::string CheckSize(const core::WatchBatch& batch);

}  // namespace leasemap::sim
