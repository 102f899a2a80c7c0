// Members that broke the rules: who sends how much, and who is refused for it and until when.
//
// A member is expected to be slow, late, dead or of another version; none of that counts here. What counts is what no
// node of ours does: far more control messages than its timers and its clients can cause, sessions without end, writes
// from the future again and again, frames that can't be read, a claim to have writes of this process that it never
// made. Such a member is cut off for a while, under its node ID, so that it can't just dial again.
//
// Rates are kept as in an ATM switch (the virtual scheduling form of GCRA, ITU-T I.371): one number for each, the time
// at which a sender that kept to its rate would have sent as much as this one did.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"

namespace leasemap::core {

inline constexpr char kQuarantined[] = "QUARANTINED";  // the reason that both sides log

// What one member may cause, and in which bursts.
enum class Cost {
  kControl,  // a small message that asks for work: a ping, a report, a query, a broadcast
  kSession,  // a session: a walk over the whole map
  kClient,   // of this node's own sending (node ""): what its clients make it send to all, well below what others bear
  kOutrun,   // a later self of this node that it knows: each costs all links
  kBogus,    // a write of its own from the future: three at once may be a clock that is being set
};

class Quarantine {
 public:
  // Counts one; false: that was too much.
  bool Charge(const std::string& node, Cost cost, MonoTime mono);
  // Counts a message to others that a client asked for: a node sends few enough of these that nobody takes them for a
  // flood. BYTES_LIMIT if that was too much.
  absl::Status ChargeClient(MonoTime mono);
  // Refuses the node from now on for kQuarantineMs.
  void CutOff(const std::string& node, const std::string& why, MonoTime mono);
  // Why the node is refused; null if it is not.
  const std::string* Refused(const std::string& node, MonoTime mono) const;
  // The refusal of a handshake with the node; nullopt: it is not refused.
  std::optional<Refuse> Judge(const std::string& node, MonoTime mono) const;
  // Lets go of what says nothing any more.
  void Tick(MonoTime mono);

  size_t held() const { return held_.size(); }  // refused now, as of the last Tick
  size_t rates() const { return paid_us_.size(); }
  uint64_t cut_offs() const { return cut_offs_; }  // ever

 private:
  struct Held {
    std::string why;
    MonoTime until{};
  };
  static constexpr size_t kCosts = 5;

  std::map<std::string, std::array<int64_t, kCosts>> paid_us_;  // monotonic µs; only of members seen of late
  std::map<std::string, Held> held_;
  uint64_t cut_offs_ = 0;
};

}  // namespace leasemap::core
