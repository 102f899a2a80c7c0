// What clients' calls leave at a node: those that wait for an answer, and which requests were done of late.
#pragma once

#include <algorithm>
#include <cstdint>

#include "peer/core/node/explain.h"
#include "peer/core/node/requests.h"
#include "peer/core/node/waits.h"

namespace leasemap::core {

struct Calls {
  Waits waits;        // for acks, and for versions that are still to come
  Explains explains;  // for the answers of members
  Requests requests;

  // The caller went away. False if the wait was answered already.
  bool Cancel(WaitId wait) { return waits.Cancel(wait) || explains.Cancel(wait); }
  // Monotonic: one of them is answered then at the latest.
  int64_t next_due_ms() const { return std::min(waits.next_due_ms(), explains.next_due_ms()); }
};

}  // namespace leasemap::core
