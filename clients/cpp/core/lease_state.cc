#include "clients/cpp/core/lease_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/core/entries.h"

namespace leasemap::internal {

bool LeaseState::Granted(const Entry& entry, Moment sent, Moment now, const std::string& target) {
  if (entry_ && !SameLease(entry, *entry_)) return false;
  if (Overdue(now)) return true;
  if (!entry_ || !Older(entry, *entry_)) {
    entry_ = entry;
    target_ = target;
  }
  if (stage_ == Stage::kNew) stage_ = Stage::kHeld;
  lacked_ = false;
  deadline_ = std::max(deadline_, sent + duration_ * kUsedPart);
  renew_at_ = std::max(renew_at_, sent + duration_ * kRenewPart);
  return true;
}

absl::Duration LeaseState::Left(Moment now) const {
  return stage_ == Stage::kHeld ? std::max(absl::ZeroDuration(), deadline_ - now) : absl::ZeroDuration();
}

void LeaseState::Failed(Moment now, double chance, bool lacked) {
  lacked_ = lacked;
  renew_at_ = now + std::min(kRetryMost, duration_ * kRetryPart) * (0.5 + 0.5 * chance);
}

LeaseState::Verdict LeaseState::Seen(Kind kind, const Entry& entry) const {
  if (stage_ != Stage::kHeld || !entry_ || Older(entry, *entry_)) return {stage_, ""};
  if (kind == Kind::kExpired) {
    if (entry.version == entry_->version) return {Stage::kLost, "it lapsed on a node"};
    return {Stage::kHeld, ""};
  }
  if (!SameLease(entry, *entry_)) {
    return {Stage::kLost, absl::StrCat(entry.holder, kind == Kind::kSet ? " has the key" : " deleted the key")};
  }
  if (kind == Kind::kSet && entry.leased()) return {Stage::kHeld, ""};
  if (ending_ > 0) return {Stage::kReleased, ""};
  return {Stage::kLost, absl::StrCat(kind == Kind::kDeleted ? "the key was deleted" : "it was given up",
                                     " by another program of this holder")};
}

bool LeaseState::End(Stage stage, std::string why) {
  if (stage_ == Stage::kLost || stage_ == Stage::kReleased) return false;
  stage_ = stage;
  why_ = std::move(why);
  return true;
}

}  // namespace leasemap::internal
