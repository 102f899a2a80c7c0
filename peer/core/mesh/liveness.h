// When something came on a link, and when its silence ends it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "peer/core/data/limits.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/timing.h"

namespace leasemap::core {

class Liveness {
 public:
  // The connection came about at this time.
  explicit Liveness(MonoTime mono) : opened_(mono), heard_(mono) {}

  MonoTime opened() const { return opened_; }
  MonoTime heard() const { return heard_; }

  void Heard(MonoTime mono) { heard_ = mono; }
  // A piece of a message came that is not whole yet. Over a thin link nothing else is heard of a peer for long, so its
  // silence is borne for longer.
  void HeardPiece(MonoTime mono) { heard_ = mono, piece_ = mono; }
  // The message of which pieces came is whole.
  void EndPieces() { piece_.reset(); }
  // A piece of a message came less than `within_ms` ago.
  bool IsArriving(MonoTime mono, int64_t within_ms) const { return piece_ && mono - *piece_ < within_ms; }

  void Pinged(MonoTime mono) { pinged_ = mono; }
  // The next ping is due at once.
  void PingNow(MonoTime mono, const Timing& timing) { pinged_ = std::min(pinged_, mono - timing.heartbeat); }
  MonoTime PingDue(const Timing& timing) const { return pinged_ + timing.heartbeat; }

  // How long it may be silent, and how long its handshake may take.
  int64_t SilentAfter(const Timing& timing) const { return timing.silent * (piece_ ? kSilentInMessage : 1); }
  int64_t HandshakeMost(const Timing& timing) const { return timing.handshake * (piece_ ? kHandshakeInMessage : 1); }
  MonoTime SilentDue(const Timing& timing) const { return heard_ + SilentAfter(timing); }
  MonoTime HandshakeDue(const Timing& timing) const { return opened_ + HandshakeMost(timing); }

 private:
  friend struct Inside;  // see node.h

  MonoTime opened_, heard_;
  MonoTime pinged_{};              // when the last ping left
  std::optional<MonoTime> piece_;  // when a piece of the message that is under way came; nullopt: none is
};

}  // namespace leasemap::core
