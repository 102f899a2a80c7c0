// What clients' calls leave at a node: those that wait for an answer, and which requests were done of late.
#pragma once

#include <algorithm>
#include <cstdint>

#include "peer/core/data/mono_time.h"
#include "peer/core/node/explain.h"
#include "peer/core/node/held.h"
#include "peer/core/node/requests.h"
#include "peer/core/node/waits.h"

namespace leasemap::core {

struct Calls {
  Waits waits;        // for acks, and for versions that are still to come
  Explains explains;  // for the answers of members
  Requests requests;
  Held held;  // answers that wait for the disk

  // The caller went away. False if the wait was answered already.
  bool Cancel(WaitId wait) { return waits.Cancel(wait) || explains.Cancel(wait); }
  // Monotonic: one of them is answered then at the latest.
  MonoTime NextDue() const { return std::min(waits.NextDue(), explains.NextDue()); }
};

}  // namespace leasemap::core
