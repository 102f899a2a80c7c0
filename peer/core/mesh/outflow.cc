#include "peer/core/mesh/outflow.h"

#include <algorithm>
#include <utility>

#include "peer/core/data/check.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

void Outflow::Begin(const OwnLog& log, uint64_t known) {
  LEASEMAP_CHECK(known < log.end(), known, " of ", log.end());  // who claims more is refused in the handshake
  next_ = std::max(log.first(), known + 1);
  made_since_ = log.end();
}

std::optional<Message> Outflow::Next(const Replica& replica, bool report_now, size_t most) {
  const OwnLog& log = replica.own_log();
  if (HasLive(log)) {
    next_ = std::max(next_, log.first());
    Live live;
    live.report_now = report_now;
    size_t bytes = 0;
    while (HasLive(log) && live.entries.size() < most) {
      EntryPtr entry = log.at(next_);
      // Of what was made before the link came up, only what is the key's present entry: a newcomer might hear of what
      // replaced the rest from nobody, since that was deleted and collected. A session covers the dots that it lacks
      // by this.
      if (next_ < made_since_ && !replica.IsPresent(*entry)) {
        ++next_;
        continue;
      }
      if (!live.entries.empty() && bytes + Weight(*entry) > kBatchBytes) break;
      bytes += Weight(*entry);
      live.entries.push_back(std::move(entry));
      ++next_;
    }
    if (!live.entries.empty()) return live;
  }
  if (!serving_) return std::nullopt;
  Message message = serving_->Next(replica.store(), most);
  if (serving_->done()) serving_.reset();
  return message;
}

}  // namespace leasemap::core
