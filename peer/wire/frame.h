// Frames: what cuts the byte stream of a link into messages.
//
//   frame = length (4 bytes, big-endian, 1 … limit), then that many bytes of a serialized Envelope
//
// The length is checked before anything is stored. An Envelope larger than kPieceBytes travels as several frames, each
// with a Part, so that a heartbeat never waits behind a large value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace leasemap::wire {

inline constexpr size_t kMaxFrameBytes = 1 << 20;        // larger messages go in pieces (docs/decisions/0020)
inline constexpr size_t kMaxFirstFrameBytes = 16 << 10;  // a Hello is below 1 KiB: strangers get no more
inline constexpr size_t kPieceBytes = 16 << 10;          // 0.13 ms at 1 Gbit/s, 0.5 s at 256 kbit/s
inline constexpr size_t kMaxEnvelopeBytes = 8 << 20;     // an entry is below 1.1 MiB, a report of 64 members below 4

// Appends one frame to `out`. `body` is 1 to kMaxFrameBytes long.
void AppendFrame(std::string& out, std::string_view body);

// Takes bytes as they come, gives frames. After an error it gives nothing more.
class FrameReader {
 public:
  // No frame above `bytes` is taken from now on.
  void SetLimit(size_t bytes) { limit_ = bytes; }
  void Feed(std::string_view bytes);
  // The body of the next frame, valid until the next call; nullopt: more bytes are needed, or status() is an error.
  std::optional<std::string_view> Next();
  const absl::Status& status() const { return status_; }
  // What the bytes taken so far seem to be, where they are no frame of ours: "HTTP/2, as on a gRPC port", for example;
  // empty if there is no telling. Before the first frame was given out.
  std::string Guess() const;
  size_t buffered() const { return buffer_.size() - taken_; }

 private:
  size_t limit_ = kMaxFirstFrameBytes;
  std::string buffer_;
  size_t taken_ = 0;  // bytes of buffer_ that were given out
  absl::Status status_;
  std::string guess_;  // after an error: Guess() of what was there
};

}  // namespace leasemap::wire
