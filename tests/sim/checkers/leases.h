// What a lease promises on one node: it is given to nobody else before it has lapsed, its start and holder stay while
// it lives, and the fencing token never falls from one write of a key to the next that knew of it.
//
// The right time and every host's clock are known here, so a lapse is judged by the clock of the node that gave the
// lease, not by the one that takes it over: as long as the two differ by less than the bound, no takeover may come
// before its expire_time there; or, if that clock was ahead when it gave the lease, before its duration has passed by
// the right time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "peer/core/data/entry.h"
#include "peer/core/data/lease.h"

namespace leasemap::sim {

class LeaseChecker {
 public:
  // The wall clock of the node of this ID now, in UTC milliseconds; the right time for "".
  using ClockOf = std::function<int64_t(const std::string& node)>;
  LeaseChecker(core::LeaseRules rules, ClockOf clock_of) : rules_(rules), clock_of_(std::move(clock_of)) {}

  // A node wrote `entry` when it held `previous` (or null).
  std::string Wrote(const core::Entry& entry, const core::Entry* previous);
  // A node made this entry just now, for a client or not.
  void Made(const core::Entry& entry) { made_ms_.emplace(entry.dot, clock_of_("")); }

 private:
  std::string TakesOver(const core::Entry& entry, const core::Entry& previous) const;

  std::map<core::Dot, int64_t> made_ms_;  // when, by the right time
  const core::LeaseRules rules_;
  const ClockOf clock_of_;
};

}  // namespace leasemap::sim
