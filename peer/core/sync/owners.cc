#include "peer/core/sync/owners.h"

#include "peer/core/data/check.h"

namespace leasemap::core {

std::string_view OwnerOf(std::string_view holder) { return holder.substr(0, holder.find('/')); }

void Owners::Count(const Entry& entry, bool add) {
  const std::string_view owner = OwnerOf(entry.lease.holder);
  auto it = uses_.find(owner);
  if (it == uses_.end()) {
    LEASEMAP_CHECK(add, "nothing is counted of ", std::string(owner));
    it = uses_.emplace(std::string(owner), Use{}).first;
  }
  Use& use = it->second;
  use.keys += add ? 1 : -1;
  use.bytes += add ? Footprint(entry) : -Footprint(entry);
  if (use.keys == 0) uses_.erase(it);
}

Owners::Use Owners::UseOf(std::string_view owner) const {
  const auto it = uses_.find(owner);
  return it == uses_.end() ? Use{} : it->second;
}

}  // namespace leasemap::core
