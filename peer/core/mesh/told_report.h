// What this node reported to the peer of a link last, and when the next report to it is due.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "peer/core/data/limits.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/timing.h"
#include "peer/core/mesh/membership.h"

namespace leasemap::core {

class ToldReport {
 public:
  // It was told what is so as of `change` (Reports::change); `cut_short`: Report::cut_short.
  void Told(MonoTime mono, uint64_t change, bool cut_short);
  // The peer waits for an ack: the next report leaves sooner.
  void Hurry() { hurry_ = true; }
  // It was told of this change.
  bool IsUpToDate(uint64_t change) const { return change_ == change; }
  // Monotonic: when the next report may leave, of a node with this many links.
  MonoTime Due(size_t links, const Timing& timing) const;

  // The members that are linked with this node and not with the peer: it hears of them from this one. Ascending.
  const std::vector<std::string>& relayed() const { return relayed_; }
  // … found again, if a link of this node (Membership::linked_change) or of the peer changed.
  void UpdateRelayed(const Membership& membership, const std::string& peer,
                     const std::vector<std::string>& linked_there);
  void PeersChanged() { relayed_change_ = 0; }
  bool Relays(const std::string& node) const { return std::binary_search(relayed_.begin(), relayed_.end(), node); }

 private:
  friend struct Inside;  // see node.h

  MonoTime told_{};
  uint64_t change_ = 0;
  bool cut_short_ = false, hurry_ = false;
  std::vector<std::string> relayed_;
  uint64_t relayed_change_ = 0;  // Membership::linked_change() as of which `relayed_` was found; 0: to be found again
};

}  // namespace leasemap::core
