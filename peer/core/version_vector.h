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
#include "peer/core/entry.h"

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

// "Complete below": whatever incarnations of a node before `below` wrote is covered. The digest stands for the runs
// that were folded into the mark, so that a vector that still has them can tell that they say the same.
// How far each of them went is kept beside the vector for the latest of them (`Folded`): a dot beyond that was never
// covered, and is not now.
struct Mark {
  uint64_t below = 0;
  uint64_t digest = 0;  // sum over the folded runs of a hash of (incarnation, prefix)
  bool operator==(const Mark&) const = default;
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
  // Whether the owner of `report`, which names its marks without what they stand for, covers 1 … dot.seq for sure: by
  // a run, or by a mark that stands for the same as is known here.
  bool KnowsCovered(const VersionVector& report, const Dot& dot) const;

  // --- folding, so that restarts grow nothing
  // What all of `node`'s incarnations before `below` come to; nullopt while a gap in one of them is open.
  std::optional<uint64_t> DigestBelow(const std::string& node, uint64_t below) const;
  // Replaces the runs of `node` before `below` by a mark; false if there are none, or a gap is open.
  bool Fold(const std::string& node, uint64_t below);
  // Folds what `other` has folded, where its mark stands for just the runs that are here. Whether anything changed.
  bool AdoptMarks(const VersionVector& other);
  // Takes a mark over, and drops the runs that it stands for.
  void JoinMark(const std::string& node, const Mark& mark);
  // How far folded incarnations went. One that is not named wrote nothing that was covered, unless it is before
  // `known_from`: those are no longer known, and taken for covered.
  struct Folded {
    std::map<ReplicaId, uint64_t> prefixes;
    uint64_t known_from = 0;
  };
  // Null: not known at all.
  const Folded* folded() const { return folded_.get(); }
  void AddFolded(const Folded& folded);
  // Learns from `whole`, which covers this, what the marks here stand for: runs there that are folded here, too.
  void LearnFolded(const VersionVector& whole);
  // For who reads a vector that was written down: runs and marks as they were named, also a run below a mark.
  void SetRun(const ReplicaId& replica, Coverage coverage) { runs_[replica] = std::move(coverage); }
  void SetMark(const std::string& node, const Mark& mark) { marks_[node] = mark; }
  void DropRun(const ReplicaId& replica) { runs_.erase(replica); }
  // The same claims without Folded, as they travel in reports.
  VersionVector Brief() const;
  const std::map<std::string, Mark>& marks() const { return marks_; }
  uint64_t MarkOf(const std::string& node) const;

  const std::map<ReplicaId, Coverage>& runs() const { return runs_; }
  bool empty() const { return runs_.empty() && marks_.empty(); }
  bool operator==(const VersionVector& other) const { return runs_ == other.runs_ && marks_ == other.marks_; }

 private:
  // What is covered of a folded incarnation: nullopt if it is not folded, or how far it went is no longer known.
  std::optional<uint64_t> FoldedPrefix(const ReplicaId& replica) const;
  bool CoversMark(const std::string& node, const Mark& mark) const;
  uint64_t FoldedDigest(const std::string& node, uint64_t below) const;
  void Redigest(const std::string& node, const Mark& other);
  bool BelowMark(const ReplicaId& replica) const { return replica.incarnation < MarkOf(replica.node); }

  // Never an empty Coverage. Below its node's mark only what goes beyond what was folded.
  std::map<ReplicaId, Coverage> runs_;
  std::map<std::string, Mark> marks_;
  std::shared_ptr<const Folded> folded_;  // shared by copies; null: none
};

}  // namespace leasemap::core
