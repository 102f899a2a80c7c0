// What each owner has of the map: how many keys, and how much memory. The owner of an entry is its holder up to the
// first "/": with rights that is the principal whose lease it is (docs/security.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "peer/core/data/entry.h"

namespace leasemap::core {

// The owner of what this holder holds.
std::string_view OwnerOf(std::string_view holder);

class Owners {
 public:
  struct Use {
    uint64_t keys = 0;   // without those that were deleted or lapsed
    uint64_t bytes = 0;  // of memory (Footprint)
  };

  // One entry more, or less, that is in the map for readers.
  void Count(const Entry& entry, bool add);
  Use UseOf(std::string_view owner) const;
  size_t size() const { return uses_.size(); }  // owners that have something

 private:
  std::map<std::string, Use, std::less<>> uses_;
};

}  // namespace leasemap::core
