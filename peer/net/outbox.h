// The messages that one end of a link has yet to write, and their order.
//
// Heartbeats go first, then small messages in their order, then reports, then bulk. A message of several frames (its
// pieces, see frame.h) is never mixed with another such message, but small ones go between the frames of bulk: so a
// link that takes a minute for one value is not silent meanwhile. Of the reports only the latest waits: a report says
// what is there, so an older one says nothing more, and over a thin link they would pile up.
//
// No sockets and no time here. Bounds are its owner's (connection.h), by bytes().
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "peer/core/data/message.h"
#include "peer/wire/codec.h"

namespace leasemap::net {

class Outbox {
 public:
  void Add(const core::Message& message);
  // Entries and sessions, which their owner makes only while there is room.
  void AddBulk(const core::Message& message);
  // The next frame to be written; empty if there is none.
  std::string Next();
  bool empty() const;
  // Of all frames that were not given out; a report that waits is not encoded yet, and does not count.
  size_t bytes() const { return bytes_; }
  void Clear();

 private:
  using Frames = std::deque<std::string>;
  void Queue(const core::Message& message, std::deque<Frames>& queue);
  std::string Take(Frames& frames);

  wire::Encoder encoder_;
  Frames urgent_;                       // heartbeats
  Frames rest_;                         // of the message that is being written …
  bool rest_is_bulk_ = false;           // … between whose frames small messages may go
  std::deque<Frames> small_, bulk_;     // each message's frames
  std::optional<core::Report> report_;  // the latest; encoded when it is its turn, since it names what changed
  size_t bytes_ = 0;
};

}  // namespace leasemap::net
