// Which dots are covered: for each incarnation a prefix 1…n, and above it exceptions, as ranges.
//
// "Covered" means that the dot's entry was merged here, or that a session told that whatever it wrote is there already
// in its own or a higher rank. (Version vectors with exceptions: Malkhi and Terry, "Concise Version Vectors in WinFS",
// 2005, section 3.)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/past.h"

namespace leasemap::core {

// What is covered of one incarnation.
struct Coverage {
  uint64_t prefix = 0;
  // First → last; above prefix + 1, disjoint, with gaps between. (In a session there are thousands.)
  absl::btree_map<uint64_t, uint64_t> exceptions;
  bool operator==(const Coverage&) const = default;

  bool Covers(uint64_t seq) const;
  bool Covers(const Coverage& other) const;
  void Add(uint64_t first, uint64_t last);
  // The greatest seq covered.
  uint64_t Top() const { return exceptions.empty() ? prefix : exceptions.rbegin()->second; }
  // What both cover.
  Coverage Common(const Coverage& other) const;
  // The least seq that `other` covers and this does not.
  std::optional<uint64_t> FirstMissing(const Coverage& other) const;
};

// Whether it is known what another vector's past mark stands for.
enum class Meaning {
  kUnknown,   // it may be what is not known here
  kFolded,    // of what it does not name, that which is folded here
  kAllKnown,  // … and that which is still named here
};

class VersionVector {
 public:
  bool Covers(const Dot& dot) const;
  bool Covers(const VersionVector& other) const;
  void Add(const Dot& dot);
  void Add(const ReplicaId& replica, uint64_t first, uint64_t last);
  void Join(const VersionVector& other);
  // Claims no more of a replica, which is the node's present incarnation, than `known` does. Whether that changed
  // anything.
  bool Limit(const ReplicaId& replica, const Coverage& known);
  // Some dot that `other` covers and this does not: the first in the order of dots.
  std::optional<Dot> FirstMissing(const VersionVector& other) const;
  // Exceptions of all incarnations together.
  size_t exceptions() const;
  // A vector that claims no more than this one and has at most `max` exceptions; `cut` says whether some were left out.
  VersionVector CutShort(size_t max, bool* cut) const;
  // Whether 1 … dot.seq are covered without a gap.
  bool CoversPrefix(const Dot& dot) const;

  // --- the past (past.h), so that what ended grows nothing
  // Moves these into the past; those with a gap stay. How many went.
  size_t Fold(const std::vector<ReplicaId>& ended);
  // Whether what is covered here of the processes that the past mark of `report` stands for is just that.
  Meaning MeaningOf(const VersionVector& report) const;
  // Whether the owner of `report`, whose past mark means that here, covers 1 … dot.seq for sure.
  bool KnowsCovered(const VersionVector& report, Meaning meaning, const Dot& dot) const;
  // Whether the owner of `report` covers of that process just what is covered here, without a gap.
  bool IsAlike(const VersionVector& report, Meaning meaning, const ReplicaId& replica) const;
  // Of an entry that the owner of `holder` holds, who covers it: also where neither can name its process any more.
  bool CoversHeld(const Dot& dot, const VersionVector& holder) const;
  // Learns from `whole` what the past mark here stands for; false if that is not known there.
  bool Learn(const VersionVector& whole);
  // Whether all that the floor names is covered, on the ground of an `own` floor. What a mark alone says is believed.
  bool CoversFloor(const VersionVector& floor, const VersionVector& own) const;
  const PastMark& past_mark() const { return past_mark_; }
  // What the mark stands for; null: not known, or nothing.
  const Past* past() const { return past_.get(); }
  bool IsPast(const ReplicaId& replica) const;

  // The same claims, with a name for each of these processes, which are there: the mark does not stand for them, though
  // nothing may be covered of them yet.
  VersionVector Naming(const std::vector<ReplicaId>& present) const;
  // The same claims without what the mark stands for, as they travel in reports and cursors.
  VersionVector Brief() const;
  // The same claims with a name for each process that is known, and nothing of those that are not.
  VersionVector Expanded() const;

  // For who reads a vector that was written down.
  void SetRun(const ReplicaId& replica, Coverage coverage) { runs_[replica] = std::move(coverage); }
  void SetPastMark(const PastMark& mark);
  void SetPast(Past past);
  void DropRun(const ReplicaId& replica) { runs_.erase(replica); }

  const std::map<ReplicaId, Coverage>& runs() const { return runs_; }
  bool empty() const { return runs_.empty() && past_mark_ == PastMark(); }
  bool operator==(const VersionVector& other) const { return runs_ == other.runs_ && past_mark_ == other.past_mark_; }

 private:
  bool whole() const { return past_ != nullptr || past_mark_ == PastMark(); }
  std::optional<uint64_t> PastPrefix(const ReplicaId& replica) const;
  void Unfold(const ReplicaId& replica);
  void JoinPast(const VersionVector& other);
  // The first that is missing of another's past; `meaning` of its mark here.
  std::optional<Dot> FirstMissingPast(const VersionVector& other, Meaning meaning) const;
  // Whether all that was dropped here is named there, so that the names tell what it was.
  bool NamesDropped(const VersionVector& other) const;

  // Never an empty Coverage, but in Naming: it names a process that the mark does not stand for.
  std::map<ReplicaId, Coverage> runs_;
  PastMark past_mark_;
  std::shared_ptr<const Past> past_;  // shared by copies; null: none, or not known
};

}  // namespace leasemap::core
