// What a world looks at in messages, as they leave and as they come.
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tests/sim/checkers/describe.h"
#include "tests/sim/world.h"

namespace leasemap::sim {

// What a node says that it has is on its disk.
void World::LookAtClaims(int host, const core::Message& message) {
  const Host& at = hosts_[host];
  if (!at.has_disk || at.hostile) return;
  const auto* accept = std::get_if<core::Accept>(&message);
  const auto* report = accept != nullptr ? &accept->report : std::get_if<core::Report>(&message);
  if (report == nullptr || report->vector == nullptr || at.disk.Covers(*report->vector)) return;
  Look(host, "disk", "reports what is not on its disk: " + Describe(*report->vector));
}

// Pairs of entries that are about to be merged.
void World::Met(int host, const core::Message& message) {
  const std::vector<core::EntryPtr>* entries = nullptr;
  if (const auto* live = std::get_if<core::Live>(&message)) entries = &live->entries;
  if (const auto* session = std::get_if<core::SessionEntries>(&message)) entries = &session->entries;
  if (entries == nullptr) return;
  for (const core::EntryPtr& entry : *entries) {
    const core::EntryPtr* held = hosts_[host].node->store().Find(entry->key);
    // What an adversary made of a write is not that write.
    const core::Entry* written = checks_.log().Find(entry->dot.replica, entry->dot.seq);
    if (written != nullptr && !(*written == *entry)) continue;
    if (held != nullptr) Look(host, "merge laws", checks_.Met(*held, entry));
  }
}

}  // namespace leasemap::sim
