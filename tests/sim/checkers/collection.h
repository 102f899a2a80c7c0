// What is dead goes only when every member that the node remembers covers it: judged not by what members reported but
// by what the process of that incarnation covers, or covered when it ended.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "peer/core/node/node.h"

namespace leasemap::sim {

class CollectionChecker {
 public:
  // The vector of the living process of this incarnation; null: it is over, or was reset.
  using VectorOf = std::function<const core::VersionVector*(const core::ReplicaId& id)>;
  explicit CollectionChecker(VectorOf vector_of) : vector_of_(std::move(vector_of)) {}

  // An incarnation of a process began.
  void Began(const core::ReplicaId& id) { ended_[id]; }

  // An incarnation is over (a crash, a reset), and covered this.
  void Ended(const core::ReplicaId& id, const core::VersionVector& vector) { ended_[id] = vector; }
  // This incarnation claims to cover what it does not: its reports were believed, and that is all that can be asked.
  void Lies(const core::ReplicaId& id) { liars_.insert(id); }
  bool IsLiar(const core::ReplicaId& id) const { return liars_.contains(id); }
  // The node collected this entry just now.
  std::string Collected(const core::Node& node, const core::Entry& entry) const;
  // Whether any process of this node covers the dot, or covered it when it ended.
  bool EverCovered(const std::string& node, const core::Dot& dot) const;
  // The latest incarnation of this node that there was so far; 0: none.
  uint64_t Latest(const std::string& node) const;
  // What an incarnation covers, or covered when it ended; null: it never was.
  const core::VersionVector* Find(const core::ReplicaId& id) const;

 private:
  const VectorOf vector_of_;
  std::map<core::ReplicaId, core::VersionVector> ended_;
  std::set<core::ReplicaId> liars_;
};

}  // namespace leasemap::sim
