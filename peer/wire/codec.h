// Between the core's messages and the bytes of protos/leasemap/peer/v1/peer.proto. Everything that comes from a peer is
// checked here: the core sees only messages whose fields keep their limits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "peer/core/message.h"

namespace leasemap::wire {

// The frames of one message. They may be written with frames of small messages between them.
std::vector<std::string> EncodeFrames(const core::Message& message);

// Turns the frames of one link into messages.
class Decoder {
 public:
  // nullopt: a piece of a larger message, or a kind that a later protocol version added, which is skipped. An error
  // says what is wrong; the link has to be closed then.
  absl::StatusOr<std::optional<core::Message>> Decode(std::string_view frame);

 private:
  std::string pieces_;  // of an Envelope that is under way; at most kMaxEnvelopeBytes
};

}  // namespace leasemap::wire
