#include "peer/core/node/watch.h"

#include "peer/core/data/bytes.h"

namespace leasemap::core {

bool WatchFilter::MatchesKey(std::string_view key) const {
  if (prefixes.empty() && keys.empty()) return true;
  if (keys.find(key) != keys.end()) return true;
  for (const auto& prefix : prefixes) {
    if (key.substr(0, prefix.size()) == prefix) return true;
  }
  return false;
}

uint64_t WatchFilter::Hash() const {
  std::string canonical;
  PutVarint(canonical, prefixes.size());
  for (const auto& prefix : prefixes) PutString(canonical, prefix);
  PutVarint(canonical, keys.size());
  for (const auto& key : keys) PutString(canonical, key);
  // No kinds means SET, DELETED and EXPIRED: the same watch as one that names the three.
  const std::set<EventKind> all = {EventKind::kSet, EventKind::kDeleted, EventKind::kExpired};
  for (const EventKind kind : kinds.empty() ? all : kinds) PutVarint(canonical, static_cast<uint64_t>(kind));
  return Hash64(canonical);
}

}  // namespace leasemap::core
