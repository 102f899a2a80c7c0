// Whether this node's wall clock can be trusted: leases, and lapses of ephemeral keys, hang on it.
//
// Two signs speak against it. The wall clock moved against the boot-time clock, which nobody sets, by more than the
// clock bound: somebody stepped it. Or fewer than half of the other members that answer have the same time within the
// bound: this is the clock that is off, or there is no telling. While either holds the node refuses writes and lets
// nothing lapse. What says that the clock is right is another member that agrees; a node to which nobody says anything
// has nothing but its own clock, goes on by it, and says so.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "peer/core/data/effects.h"
#include "peer/core/data/mono_time.h"

namespace leasemap::core {

inline constexpr char kClockMismatch[] = "CLOCK_MISMATCH";  // a refusal for the clock's sake: an answer, too

class ClockGuard {
 public:
  enum class State {
    kAgreed,    // at least half of the members that answer have this time (or this node knows of no other member)
    kAlone,     // nobody answers: goes on
    kJumped,    // stepped since somebody agreed last: not trusted
    kOutvoted,  // most of those that answer have another time: not trusted
  };

  // `bound_ms`: how far two clocks may differ; `answer_ms`: how long an answer counts.
  ClockGuard(int64_t bound_ms, int64_t answer_ms, Now now);

  // Compares the two clocks, drops old answers, decides. `members`: how many others are remembered. True if the clock
  // jumped just now: ask the others at once.
  bool Look(Now now, size_t members);
  // A member's clock was measured: it agrees with ours within the bound, or it does not.
  void Answer(Now now, const std::string& member, bool agrees);

  State state() const { return state_; }
  bool trusted() const { return state_ == State::kAgreed || state_ == State::kAlone; }
  // Trusted, and on more than its own word as far as there is anybody: a member agrees, or nobody is there or answers.
  bool settled() const { return trusted() && (agree_ > 0 || members_ == 0 || state_ == State::kAlone); }
  // CLOCK_UNSAFE unless it is trusted.
  absl::Status Check() const;
  // For people: what is wrong; empty if nothing is.
  std::string Describe() const;

 private:
  void Decide(Now now, size_t members);

  struct Said {
    bool agrees;
    MonoTime mono;
  };

  int64_t bound_ms_, answer_ms_;
  int64_t offset_ms_;    // wall − mono when the clock was taken for right last
  int64_t step_ms_ = 0;  // how far it jumped then
  MonoTime since_{};     // monotonic: of the last answer, the last jump or the start, whichever was latest
  bool jumped_ = false;  // and nobody agreed since
  State state_ = State::kAgreed;
  bool decided_ = false;              // nothing was said since the last decision …
  size_t members_ = 0;                // … which was made for this many members …
  MonoTime until_{};                  // … and holds until then, monotonic: it costs a walk over the answers
  size_t agree_ = 0, differ_ = 0;     // of the answers that count
  std::map<std::string, Said> said_;  // the last answer of each member; as many as there are members
};

}  // namespace leasemap::core
