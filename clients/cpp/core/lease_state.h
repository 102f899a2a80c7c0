// When a lease is renewed, and when it is given up for lost. Pure: time of the boot-time clock comes in.
#pragma once

#include <optional>
#include <string>

#include "clients/cpp/core/endpoints.h"
#include "leasemap/entry.h"

namespace leasemap::internal {

// Of a lease's duration, from before the request was sent to the local deadline.
inline constexpr double kUsedPart = 0.75;
// Renewed after a third: then two more tries, each as long, fit in before the deadline.
inline constexpr double kRenewPart = 1.0 / 3;
// Leases that are due within a sixth of their duration go along with one that is due. That is half of the time between
// two renewals, so after two calls all leases of one duration are renewed by one, whenever they were taken; and none is
// renewed more than twice as often as it has to be.
inline constexpr double kAlongPart = 1.0 / 6;
// The pause after a renewal that failed: a twelfth, so that several fit in; and not more than a second.
inline constexpr double kRetryPart = 1.0 / 12;
inline constexpr absl::Duration kRetryMost = absl::Seconds(1);
// The server takes no lease for longer.
inline constexpr absl::Duration kDurationMost = absl::Hours(24 * 365 * 100);

enum class Stage { kNew, kHeld, kLost, kReleased };

// What is known of one lease.
//
// The deadline is counted from before the request was sent, so it runs out before the cluster's. Of the lease three
// quarters are used: the shortest lease a cluster allows is four times its bound on clock skew, so the quarter that is
// left covers that bound. No node shows the key as lapsed, by whatever clock within the bound, while this program
// believes it holds it, and a renewal that is sent in time is a renewal on every node.
class LeaseState {
 public:
  LeaseState(absl::Duration duration, bool ephemeral) : duration_(duration), ephemeral_(ephemeral) {}

  // The cluster granted or renewed the lease by a request that was first sent at `sent`. False if it is another lease:
  // the one before lapsed in between, or was given up, and anything may have happened meanwhile. An answer that comes
  // after the deadline brings nothing back: a caller that looked meanwhile was told that the lease is not held.
  bool Granted(const Entry& entry, Moment sent, Moment now, const std::string& target);

  bool Held(Moment now) const { return stage_ == Stage::kHeld && now < deadline_; }
  bool Overdue(Moment now) const { return stage_ == Stage::kHeld && now >= deadline_; }
  // The time until the local deadline; 0 if it is not held.
  absl::Duration Left(Moment now) const;

  bool Due(Moment now) const { return stage_ == Stage::kHeld && !renewing_ && now >= renew_at_; }
  // It is not due yet, but goes along with one that is.
  bool GoesAlong(Moment now) const { return Due(now + duration_ * kAlongPart); }
  // When the keeper has to look at it again.
  Moment Next() const { return renewing_ ? deadline_ : std::min(renew_at_, deadline_); }
  void Renewing(bool renewing) { renewing_ = renewing; }
  // A renewal did not get through: again soon. `lacked`: the node answered that it cannot do it now, as one that does
  // not have the lease yet.
  void Failed(Moment now, double chance, bool lacked = false);
  bool lacked() const { return lacked_; }
  // Renew it at once.
  void MakeDue(Moment now) { renew_at_ = std::min(renew_at_, now); }

  struct Verdict {
    Stage stage;
    std::string why;  // it is lost
  };
  // A watch brought this of its key: what follows.
  Verdict Seen(Kind kind, const Entry& entry) const;

  // It is over; false if it was before.
  bool End(Stage stage, std::string why);

  // Calls of this client that delete the key, or give the lease up, right now: their events on a watch are no loss.
  void Ending(int change) { ending_ += change; }
  // It vanishes with the lease only if this client made it.
  void KeepsKey() { ephemeral_ = false; }

  Stage stage() const { return stage_; }
  const std::string& why() const { return why_; }
  absl::Duration duration() const { return duration_; }
  bool ephemeral() const { return ephemeral_; }
  // The latest that was granted.
  const std::optional<Entry>& entry() const { return entry_; }
  // The node that granted it.
  const std::string& target() const { return target_; }

 private:
  absl::Duration duration_;
  bool ephemeral_;
  Stage stage_ = Stage::kNew;
  std::string why_;
  std::optional<Entry> entry_;
  std::string target_;
  Moment deadline_, renew_at_;
  bool renewing_ = false;
  bool lacked_ = false;  // by the node that was asked last
  int ending_ = 0;
};

}  // namespace leasemap::internal
