// What one link has still to send of entries: the own log from a place of its own, and the session that it serves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "peer/core/data/message.h"
#include "peer/core/sync/replica.h"
#include "peer/core/sync/session.h"

namespace leasemap::core {

class Outflow {
 public:
  // The link is up, and its peer has this node's writes up to `known`.
  void Begin(const OwnLog& log, uint64_t known);
  // A session was asked for; one that is not over yet ends by that.
  void Serve(ServedSession session) { serving_.emplace(std::move(session)); }

  // Next has something to send.
  bool HasMore(const OwnLog& log) const { return HasLive(log) || (serving_ && !serving_->done()); }
  bool HasLive(const OwnLog& log) const { return next_ < log.end(); }
  bool serves() const { return serving_.has_value(); }
  // The own write of this seq is still to be sent.
  bool IsAhead(uint64_t seq) const { return next_ <= seq; }

  // The next bulk message, of at most `most` entries. `report_now`: the peer is to report at once.
  std::optional<Message> Next(const Replica& replica, bool report_now, size_t most);

 private:
  friend struct Inside;  // see node.h

  uint64_t next_ = 1;        // the next own seq to send
  uint64_t made_since_ = 1;  // from this one on it was made since the link is up
  std::optional<ServedSession> serving_;
};

}  // namespace leasemap::core
