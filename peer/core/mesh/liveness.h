// When something came on a link, and when its silence ends it. All times are monotonic milliseconds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "peer/core/data/limits.h"
#include "peer/core/data/timing.h"

namespace leasemap::core {

class Liveness {
 public:
  // The connection came about at this time.
  explicit Liveness(int64_t mono_ms) : opened_ms_(mono_ms), heard_ms_(mono_ms) {}

  int64_t opened_ms() const { return opened_ms_; }
  int64_t heard_ms() const { return heard_ms_; }

  void Heard(int64_t mono_ms) { heard_ms_ = mono_ms; }
  // A piece of a message came that is not whole yet. Over a thin link nothing else is heard of a peer for long, so its
  // silence is borne for longer.
  void HeardPiece(int64_t mono_ms) { heard_ms_ = mono_ms, piece_ms_ = mono_ms; }
  // The message of which pieces came is whole.
  void EndPieces() { piece_ms_.reset(); }
  // A piece of a message came less than `within_ms` ago.
  bool IsArriving(int64_t mono_ms, int64_t within_ms) const { return piece_ms_ && mono_ms - *piece_ms_ < within_ms; }

  void Pinged(int64_t mono_ms) { ping_ms_ = mono_ms; }
  // The next ping is due at once.
  void PingNow(int64_t mono_ms, const Timing& timing) { ping_ms_ = std::min(ping_ms_, mono_ms - timing.heartbeat); }
  int64_t PingDue(const Timing& timing) const { return ping_ms_ + timing.heartbeat; }

  // How long it may be silent, and how long its handshake may take.
  int64_t SilentAfter(const Timing& timing) const { return timing.silent * (piece_ms_ ? kSilentInMessage : 1); }
  int64_t HandshakeMost(const Timing& timing) const { return timing.handshake * (piece_ms_ ? kHandshakeInMessage : 1); }
  int64_t SilentDue(const Timing& timing) const { return heard_ms_ + SilentAfter(timing); }
  int64_t HandshakeDue(const Timing& timing) const { return opened_ms_ + HandshakeMost(timing); }

 private:
  friend struct Inside;  // see node.h

  int64_t opened_ms_, heard_ms_;
  int64_t ping_ms_ = 0;              // when the last ping left
  std::optional<int64_t> piece_ms_;  // when a piece of the message that is under way came; nullopt: none is
};

}  // namespace leasemap::core
