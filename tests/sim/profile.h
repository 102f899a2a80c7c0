// How long a run is, and how fast everything in it goes.
//
// Seconds: the real times of a node, faults every second or so. Hours: a node's links live in slow motion (a heartbeat
// every half minute; silence, reports, sessions and dials in proportion), faults come every few minutes, and leases,
// deletes and cursors live as long as in earnest. A heartbeat each second among 50 nodes is 18 million messages an
// hour, which nobody would wait for; the rules of leases and merging do not know of heartbeats.
#pragma once

#include <cstdint>

#include "peer/core/data/timing.h"

namespace leasemap::sim {

struct Profile {
  core::Timing timing;
  int64_t pace = 1;      // faults and moves of clients are so much rarer, and faults last so much longer
  int64_t work_us = 0;   // clients and faults go on for so long
  int64_t write_us = 0;  // a writer's mean pause
  int64_t forget_after_ms = core::kForgetAfterMs;  // silence after which a member is forgotten
  int64_t settle_us = 0;                           // within which the cluster has to agree once it is whole
  int64_t maps_us = 0;        // … and all maps to be equal, and their nodes ready: what waits is its watchers
  int64_t look_us = 250'000;  // how often it is asked whether it does
  int64_t takeover_ms = 0;    // in the end the end of a lease is waited for, if one ends within so long
};

inline core::Timing SlowTiming(int64_t times) {
  core::Timing timing;
  for (int64_t* each : {&timing.heartbeat, &timing.silent, &timing.probe, &timing.report_every, &timing.lack,
                        &timing.session_idle, &timing.session_turn, &timing.ready_after, &timing.absent_after,
                        &timing.name_hold, &timing.self_retry, &timing.dial_min, &timing.dial_max, &timing.handshake,
                        &timing.resolve_every, &timing.cursor_wait, &timing.cursor_lost, &timing.hash_alarm}) {
    *each *= times;
  }
  return timing;
}

inline Profile ProfileOf(bool hours, int nodes) {
  constexpr int64_t kSecond = 1'000'000;
  const bool large = nodes > 12;
  Profile profile;
  if (hours) {
    const int64_t times = large ? 60 : 30;
    profile.timing = SlowTiming(times);
    profile.pace = 300;
    profile.forget_after_ms = 3 * 3600 * 1000;
    profile.work_us = (large ? 2 : 5) * 3600 * kSecond;
    profile.write_us = (large ? 200 : 40) * kSecond;
    profile.settle_us = (60 + nodes) * times * kSecond;
    profile.maps_us = profile.settle_us;
    profile.look_us = 5 * kSecond;
    profile.takeover_ms = 3'700'000;
  } else {
    profile.work_us = (large ? 7 : 12) * kSecond;
    profile.write_us = large ? 300'000 : 150'000;
    profile.timing.keep_lapsed = 4'000;  // or it would not be played at all
    profile.settle_us = (60 + 3 * nodes) * kSecond;
    profile.maps_us = 15 * kSecond;  // what is promised of real nodes, too (tests/e2e/chaos)
    profile.takeover_ms = 70'000;
  }
  return profile;
}

}  // namespace leasemap::sim
