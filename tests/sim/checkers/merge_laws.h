// Merging is a join: whichever of two entries of a key comes first, how often, and in whatever company, the same one
// stands. Fed with every pair of entries that meet on some node, and with the one that met that key before them.
#pragma once

#include <map>
#include <string>

#include "peer/core/data/entry.h"

namespace leasemap::sim {

class MergeLaws {
 public:
  std::string Met(const core::EntryPtr& held, const core::EntryPtr& incoming);

 private:
  std::map<std::string, core::EntryPtr> third_;  // by key
};

}  // namespace leasemap::sim
