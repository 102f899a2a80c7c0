#include "peer/net/paths.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace leasemap::net {

bool Paths::Ended(const std::string& ip, LinkEnd end, int64_t lasted_ms, int64_t now_ms) {
  auto it = paths_.find(ip);
  if (it != paths_.end() && now_ms - it->second.since_ms >= kForgetMs) {
    paths_.erase(it);
    it = paths_.end();
  }
  if (end == LinkEnd::kFine || lasted_ms >= kLastsMs) {
    if (it != paths_.end()) it->second.ends = 0;
    return false;
  }
  if (it == paths_.end()) {
    if (paths_.size() >= kMostPaths) {
      paths_.erase(std::min_element(paths_.begin(), paths_.end(), [](const auto& a, const auto& b) {
        return a.second.since_ms < b.second.since_ms;
      }));
    }
    it = paths_.emplace(ip, Path{}).first;
  }
  Path& path = it->second;
  path.since_ms = now_ms;
  path.stuck |= end == LinkEnd::kStuck;
  if (++path.ends < kEnds || path.segment == kSmallest) return false;
  path.ends = 0;
  path.segment = path.segment == 0 ? kSmaller : kSmallest;
  return true;
}

int Paths::SegmentTo(const std::string& ip, int64_t now_ms) const {
  const auto it = paths_.find(ip);
  return it == paths_.end() || now_ms - it->second.since_ms >= kForgetMs ? 0 : it->second.segment;
}

std::map<std::string, std::string> Paths::Describe(int64_t now_ms) const {
  std::map<std::string, std::string> out;
  for (const auto& [ip, path] : paths_) {
    if (!path.stuck || SegmentTo(ip, now_ms) == 0) continue;
    out.emplace(ip, absl::StrCat("large packets to ", ip,
                                 " are lost: links stalled although small packets pass; they "
                                 "now use segments of ",
                                 path.segment, " bytes; check the MTU of the networks in between"));
  }
  return out;
}

}  // namespace leasemap::net
