// Which dots are covered: for each incarnation a prefix 1…n, and above it exceptions, as ranges.
//
// "Covered" means that the dot's entry was merged here, or that a session told that whatever it wrote is there already
// in its own or a higher rank. (Version vectors with exceptions: Malkhi and Terry, "Concise Version Vectors in WinFS",
// 2005, section 3.)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "peer/core/entry.h"

namespace leasemap::core {

// What is covered of one incarnation.
struct Coverage {
  uint64_t prefix = 0;
  std::map<uint64_t, uint64_t> exceptions;  // first → last; above prefix + 1, disjoint, with gaps between
  bool operator==(const Coverage&) const = default;

  bool Covers(uint64_t seq) const;
  bool Covers(const Coverage& other) const;
  void Add(uint64_t first, uint64_t last);
  // The greatest seq covered.
  uint64_t Top() const { return exceptions.empty() ? prefix : exceptions.rbegin()->second; }
  // The least seq that `other` covers and this does not.
  std::optional<uint64_t> FirstMissing(const Coverage& other) const;
};

class VersionVector {
 public:
  bool Covers(const Dot& dot) const;
  bool Covers(const VersionVector& other) const;
  void Add(const Dot& dot);
  void Add(const ReplicaId& replica, uint64_t first, uint64_t last);
  void Join(const VersionVector& other);
  // Some dot that `other` covers and this does not: the first in the order of dots.
  std::optional<Dot> FirstMissing(const VersionVector& other) const;
  // Exceptions of all incarnations together.
  size_t exceptions() const;
  // A vector that claims no more than this one and has at most `max` exceptions; `cut` says whether some were left out.
  VersionVector CutShort(size_t max, bool* cut) const;

  const std::map<ReplicaId, Coverage>& runs() const { return runs_; }
  bool empty() const { return runs_.empty(); }
  bool operator==(const VersionVector&) const = default;

 private:
  std::map<ReplicaId, Coverage> runs_;  // never an empty Coverage
};

}  // namespace leasemap::core
