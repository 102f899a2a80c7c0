#include "peer/core/mesh/refusal_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

std::optional<std::string> RefusalLog::Note(MonoTime mono, const std::string& who, const std::string& address, By by,
                                            const Refuse& refuse) {
  // Strangers may come under ever new names. The oldest makes room, but not at once, so that they can't fill the log.
  if (refusals_.size() >= kMaxLoggedRefusals && !refusals_.contains(who)) {
    const auto oldest = std::min_element(refusals_.begin(), refusals_.end(),
                                         [](const auto& a, const auto& b) { return a.second.mono < b.second.mono; });
    if (mono - oldest->second.mono < kLoggedRefusalMs) return std::nullopt;
    refusals_.erase(oldest);
  }
  // Both sides dial, so the same refusal comes from either in turn.
  std::string cause = absl::StrCat(Shown(refuse.reason), ": ", refuse.message.substr(0, 500));
  LoggedRefusal& logged = refusals_[who];
  logged.mono = mono;
  if (logged.cause == cause) return std::nullopt;
  logged.line = absl::StrCat(by == By::kPeer ? "refused by " : "refusing ", Shown(who), " (", address, "): ", cause);
  logged.cause = std::move(cause);
  return logged.line;
}

std::vector<std::string> RefusalLog::Lines() const {
  std::vector<std::string> lines;
  for (const auto& [who, logged] : refusals_) lines.push_back(logged.line);
  return lines;
}

}  // namespace leasemap::core
