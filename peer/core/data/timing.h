// The times by which a node's links live, as one value: the design's by default, which is what the server runs with.
//
// They are an option because the simulator plays hours of a cluster in a second: there a heartbeat comes every half
// minute, and all of these are slower in the same measure. What a lease, a cursor or a deadline means does not change
// with them.
#pragma once

#include <cstdint>

#include "peer/core/data/limits.h"

namespace leasemap::core {

// Milliseconds; the reason of each default is beside its constant in limits.h.
struct Timing {
  int64_t heartbeat = kHeartbeatMs;
  int64_t silent = kSilentMs;
  int64_t probe = kProbeMs;
  int64_t report_every = kReportEveryMs;
  int64_t lack = kLackMs;
  int64_t session_idle = kSessionIdleMs;
  int64_t session_turn = kSessionTurnMs;
  int64_t ready_after = kReadyAfterMs;
  int64_t absent_after = kAbsentAfterMs;
  int64_t name_hold = kNameHoldMs;
  int64_t self_retry = kSelfRetryMs;
  int64_t dial_min = kDialMinMs;
  int64_t dial_max = kDialMaxMs;
  int64_t handshake = kHandshakeMs;
  int64_t resolve_every = kResolveEveryMs;
  int64_t cursor_wait = kCursorWaitMs;
  int64_t cursor_lost = kCursorLostMs;
  int64_t hash_alarm = kHashAlarmMs;
  int64_t keep_lapsed = kKeepLapsedMs;
};

}  // namespace leasemap::core
