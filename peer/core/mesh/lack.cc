#include "peer/core/mesh/lack.h"

#include <memory>
#include <utility>

namespace leasemap::core {

void Lack::Update(MonoTime mono, const VectorPtr& report, const Replica& replica) {
  if (!report || (looked_at_ == report && looked_change_ == replica.change())) return;
  looked_at_ = report;
  looked_change_ = replica.change();
  const bool covered = replica.vector().Covers(*report);
  // What is lacked may be later than the report (LackValue).
  if (covered && claim_ && !replica.vector().Covers(*claim_->claimed)) return;
  if (covered) {
    claim_.reset();
    fetch_now_ = false;
  } else if (!claim_ || replica.vector().Covers(*claim_->claimed)) {
    claim_ = Claim{report, mono};
  }
}

void Lack::LackValue(MonoTime mono, const Dot& dot) {
  auto claimed = std::make_shared<VersionVector>(claim_ ? *claim_->claimed : VersionVector());
  claimed->Add(dot.replica, 1, dot.seq);  // its writer has all up to it
  claim_ = Claim{std::move(claimed), claim_ ? claim_->since : mono};
  fetch_now_ = true;
}

MonoTime Lack::Due(MonoTime mono, const Liveness& alive, const Timing& timing) const {
  // At once, but not again and again: a peer that sends all renewals ahead of their values is not asked for each.
  if (fetch_now_) return std::max(claim_->since, asked_ + timing.lack);
  return claim_->since + (alive.IsArriving(mono, timing.lack) ? timing.session_turn : timing.lack);
}

void Lack::Joined(MonoTime mono, const Replica& replica, const Timing& timing) {
  if (claim_ && !replica.vector().Covers(*claim_->claimed)) avoid_until_ = mono + timing.lack;
}

}  // namespace leasemap::core
