#include "tests/sim/checkers/collection.h"

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {

const core::VersionVector* CollectionChecker::Find(const core::ReplicaId& id) const {
  if (const core::VersionVector* vector = vector_of_(id)) return vector;
  auto it = ended_.find(id);
  return it == ended_.end() ? nullptr : &it->second;
}

uint64_t CollectionChecker::Latest(const std::string& node) const {
  const auto after = ended_.upper_bound({node, UINT64_MAX});
  if (after == ended_.begin()) return 0;
  const core::ReplicaId& last = std::prev(after)->first;
  return last.node == node ? last.incarnation : 0;
}

bool CollectionChecker::EverCovered(const std::string& node, const core::Dot& dot) const {
  for (auto it = ended_.lower_bound({node, 0}); it != ended_.end() && it->first.node == node; ++it) {
    if (Find(it->first)->Covers(dot)) return true;
  }
  return false;
}

std::string CollectionChecker::Collected(const core::Node& node, const core::Entry& entry) const {
  for (const core::Member& member : node.GetStatus().members) {
    if (member.gone() || IsLiar(member.id)) continue;
    const core::VersionVector* vector = Find(member.id);
    if (vector != nullptr && vector->Covers(entry.dot)) continue;
    return "collected what its member " + Describe(member.id) + " does not cover: " + Describe(entry);
  }
  return "";
}

}  // namespace leasemap::sim
