// The past: processes that ended and of which all members cover the same. They need no names of their own any more: in
// a report or a cursor one mark stands for all of them.
//
// A mark stands for every process that started up to `upto` and that its vector does not name. So what a vector says is
// the same whatever the order in which processes were folded, and a node that knows how far each of them went can tell
// whether two vectors claim the same. How far they went is kept for the latest that were folded; of those before only
// a digest is left, and what they wrote is no longer told from what is new, except by the entries themselves.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "peer/core/data/entry.h"

namespace leasemap::core {

// What travels in place of names.
struct PastMark {
  uint64_t upto = 0;    // the latest incarnation among them; 0: there are none
  uint64_t digest = 0;  // sum over them of DigestOf
  bool operator==(const PastMark&) const = default;
};

// A hash of how far a process went; 0 if it wrote nothing.
uint64_t DigestOf(const ReplicaId& replica, uint64_t prefix);

class Past {
 public:
  Past() = default;
  // With some that were dropped.
  explicit Past(const PastMark& dropped) : dropped_(dropped), mark_(dropped) {}
  // In order of their start, so that those after some time are found at the end.
  struct ByStart {
    bool operator()(const ReplicaId& a, const ReplicaId& b) const {
      return std::tie(a.incarnation, a.node) < std::tie(b.incarnation, b.node);
    }
  };
  struct Process {
    uint64_t prefix = 0;  // it wrote 1 … prefix
    uint64_t order = 0;   // in which they were folded here
  };
  using Processes = std::map<ReplicaId, Process, ByStart>;

  // How far it went; nullopt if it is not among those that are known.
  std::optional<uint64_t> PrefixOf(const ReplicaId& replica) const;
  const Processes& known() const { return known_; }
  // Those of which only a digest is left.
  const PastMark& dropped() const { return dropped_; }
  bool MayHaveDropped(const ReplicaId& replica) const { return replica.incarnation <= dropped_.upto; }
  // Of all of them.
  const PastMark& mark() const { return mark_; }

  // Adds one that is not among them. Beyond kMaxFolded the one that was folded first is dropped.
  void Add(const ReplicaId& replica, uint64_t prefix);
  void Remove(const ReplicaId& replica);
  // The mark reaches that far, as another's does that stands for the same.
  void Reach(uint64_t upto) { mark_.upto = std::max(mark_.upto, upto); }
  // Takes over another's dropped ones, as a whole: which they are nobody knows. What is known here and may be among
  // them goes, but for what the other knows.
  void TakeDropped(const Past& other);
  // The digest of those that started after `upto`.
  uint64_t DigestAfter(uint64_t upto) const;

 private:
  Processes known_;
  std::map<uint64_t, ReplicaId> by_order_;
  uint64_t next_order_ = 1;
  PastMark dropped_, mark_;
};

}  // namespace leasemap::core
