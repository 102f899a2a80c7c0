#include "clients/cli/core/guard.h"

namespace leasemap::cli {

Guard::Act Guard::Look(Moment now, const Seen& seen) {
  // Once it was told to stop, what it started in its group has to end, too: that may use what the lease guards.
  const bool over = stopped_ ? seen.gone : seen.ended;
  if (phase_ != Phase::kOver && over) {
    phase_ = Phase::kOver;
    next_ = absl::InfiniteDuration();
    return Act::kRelease;
  }
  switch (phase_) {
    case Phase::kHeld:
      next_ = now + (seen.left - grace_);
      if (seen.left > grace_) return Act::kNone;
      phase_ = Phase::kTermSent;
      stopped_ = true;
      // A lease that was lost without warning may be with another holder already. The command still gets its grace: the
      // harm is done, and a half-done clean-up adds to it.
      next_ = now + (seen.left > absl::ZeroDuration() ? seen.left : grace_);
      return Act::kTerm;
    case Phase::kTermSent:
      if (now < next_) return Act::kNone;
      phase_ = Phase::kKillSent;
      next_ = now + kKillMost;
      return Act::kKill;
    case Phase::kKillSent:
      if (now < next_) return Act::kNone;
      phase_ = Phase::kOver;
      next_ = absl::InfiniteDuration();
      return Act::kRelease;
    case Phase::kOver:
      return Act::kNone;
  }
  return Act::kNone;
}

}  // namespace leasemap::cli
