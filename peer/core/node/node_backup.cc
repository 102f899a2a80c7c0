// How a copy of the map (backup.h) takes the place of an empty one.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/node/node.h"

namespace leasemap::core {

absl::Status Node::CheckRestore(Now now, const std::vector<EntryPtr>& entries) const {
  if (auto status = CheckWritable(now); !status.ok()) return status;
  if (!vector().empty()) {
    return InvalidField("data",
                        "the map of this node is not empty; start nodes with empty maps and restore there, or "
                        "write the entries as new ones (leasemap restore --as-new-writes)");
  }
  for (const auto& [id, link] : links_) {
    if (!link.up() || link.theirs.vector() == nullptr || link.theirs.vector()->empty()) continue;
    return InvalidField("data", absl::StrCat("the map of ", Shown(link.node()), " is not empty"));
  }
  const Reach reach = replica_.ReachAt(now.wall_ms);
  int64_t growth = 0;
  for (const EntryPtr& entry : entries) {
    if (IsBogus(reach, *entry)) {
      return InvalidField("data", absl::StrCat("the entry of key \"", Shown(entry->key),
                                               "\" is of the future by this node's clock; set the clock, or write the "
                                               "entries as new ones (leasemap restore --as-new-writes)"));
    }
    growth += static_cast<int64_t>(Footprint(*entry));
  }
  return replica_.room().Check(replica_.held_bytes(), growth);
}

void Node::Restore(Now now, const std::vector<EntryPtr>& entries) {
  for (const EntryPtr& entry : entries) Apply(now, entry);
}

void Node::EndRestore(Now now, const Image& image) {
  replica_.EndRestore(now.mono, image);
  Log(false, absl::StrCat("restored a map from a backup: ", store().live_keys(), " keys"));
  SettleWaits(now);
}

WaitId Node::AwaitSaved() { return replica_.saved() ? 0 : Hold(absl::OkStatus(), nullptr); }

}  // namespace leasemap::core
