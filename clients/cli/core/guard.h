// Decides when a command that runs under a lease is stopped: TERM before the lease's local deadline, KILL at it. Pure:
// time, what is left of the lease, and whether the command ended come in.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_GUARD_H_
#define LEASEMAP_CLIENTS_CLI_CORE_GUARD_H_

#include "absl/time/time.h"

namespace leasemap::cli {

// A time since the machine was started, also while it slept.
using Moment = absl::Duration;

// How long the command has from TERM to KILL, if nothing else is asked for: an eighth of the lease.
inline constexpr double kGracePart = 1.0 / 8;
// The longest: the lease is renewed after a third of its duration, and its local deadline is at three quarters. With
// half of the rest for the command there is a sixth of the duration for further tries.
inline constexpr double kGraceMostPart = 1.0 / 4;
// The kernel ends a process at KILL, unless that waits for a disk or a file server. It is not waited for longer.
inline constexpr absl::Duration kKillMost = absl::Seconds(1);

// The life of one command: held, TERM sent, KILL sent, over.
class Guard {
 public:
  enum class Act {
    kNone,
    kTerm,     // send TERM: the lease is lost, or ends soon and was not renewed
    kKill,     // send KILL
    kRelease,  // the command is over: give the lease up
  };
  // What is seen of the lease and the command.
  struct Seen {
    absl::Duration left = absl::ZeroDuration();  // until the local deadline, which renewals move on; 0: it is lost
    bool ended = false;                          // the command itself ended
    bool gone = false;                           // all processes that it started in its group, too
  };

  explicit Guard(absl::Duration grace) : grace_(grace) {}

  // What is to be done now, once each.
  Act Look(Moment now, const Seen& seen);
  // When to look again at the latest.
  Moment next() const { return next_; }
  // The command was told to stop, since the lease is lost or was about to be.
  bool stopped() const { return stopped_; }

 private:
  enum class Phase { kHeld, kTermSent, kKillSent, kOver };

  const absl::Duration grace_;
  Phase phase_ = Phase::kHeld;
  bool stopped_ = false;
  Moment next_ = absl::InfiniteDuration();
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_GUARD_H_
