#include "peer/core/node/backup.h"

#include "peer/core/data/error.h"
#include "peer/core/node/node.h"

namespace leasemap::core {

absl::StatusOr<BackupPage> ReadBackup(const Node& node, BackupPlace& place, size_t bytes) {
  if (!node.ready() || node.yielding() || place.maps.value_or(node.retirement().maps()) != node.retirement().maps()) {
    auto status = Refusal(absl::StatusCode::kUnavailable, "SYNCING",
                          "this node takes another map in place of the one that is read; begin again");
    SetRetryMs(status, 1000);
    return status;
  }
  place.maps = node.retirement().maps();
  BackupPage page;
  const Store& store = node.store();
  page.keys = store.keys();
  const Store::Slot* slot = nullptr;
  for (size_t had = 0; had < bytes && (slot = store.NextWithRenewals(place.position, &place.position)) != nullptr;) {
    if (place.position != slot->latest()) continue;  // it comes once more, under its latest place
    had += Weight(*slot->entry);
    page.entries.push_back(slot->entry);
  }
  uint64_t next = 0;
  if (store.NextWithRenewals(place.position, &next) != nullptr) return page;
  page.rest = Image();
  page.rest->whole = true;
  node.replica().Describe(*page.rest);
  return page;
}

}  // namespace leasemap::core
