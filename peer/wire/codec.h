// Between the core's messages and the bytes of protos/leasemap/peer/v1/peer.proto. Everything that comes from a peer is
// checked here: the core sees only messages whose fields keep their limits.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "peer/core/data/message.h"
#include "peer/wire/report_codec.h"

namespace leasemap::wire {

// Turns the messages of one end of a link into frames.
class Encoder {
 public:
  // The frames of one message. They may be written with frames of small messages between them, but reports in order.
  std::vector<std::string> Encode(const core::Message& message);

 private:
  LastReport last_;
};

// Turns the frames of one end of a link into messages.
class Decoder {
 public:
  // nullopt: a piece of a larger message, or a kind that a later protocol version added, which is skipped. An error
  // says what is wrong; the link has to be closed then.
  absl::StatusOr<std::optional<core::Message>> Decode(std::string_view frame);

 private:
  LastReport last_;
  std::string pieces_;  // of an Envelope that is under way; at most kMaxEnvelopeBytes
};

}  // namespace leasemap::wire
