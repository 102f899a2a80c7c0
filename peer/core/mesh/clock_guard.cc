#include "peer/core/mesh/clock_guard.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

ClockGuard::ClockGuard(int64_t bound_ms, int64_t answer_ms, Now now)
    : bound_ms_(bound_ms), answer_ms_(answer_ms), offset_ms_(now.offset_ms()), since_(now.mono) {}

bool ClockGuard::Look(Now now, size_t members) {
  const int64_t offset = now.offset_ms();
  const bool jumps = std::abs(offset - offset_ms_) > bound_ms_;
  if (jumps) {
    step_ms_ = offset - offset_ms_;
    offset_ms_ = offset;
    jumped_ = true;
    since_ = now.mono;
    said_.clear();  // what was said was about another time
    decided_ = false;
  }
  if (decided_ && members == members_ && now.mono < until_) return false;
  Decide(now, members);
  return jumps;
}

void ClockGuard::Decide(Now now, size_t members) {
  decided_ = true;
  members_ = members;
  until_ = now.mono < since_ + answer_ms_ ? since_ + answer_ms_ : MonoTime::Never();
  agree_ = differ_ = 0;
  for (auto it = said_.begin(); it != said_.end();) {
    if (now.mono - it->second.mono >= answer_ms_) {
      it = said_.erase(it);
    } else {
      ++(it->second.agrees ? agree_ : differ_);
      until_ = std::min(until_, it->second.mono + answer_ms_);
      ++it;
    }
  }
  const bool alone = said_.empty() && (members == 0 || now.mono - since_ >= answer_ms_);
  if (alone) jumped_ = false;
  if (jumped_) {
    state_ = State::kJumped;
  } else if (agree_ < differ_) {
    state_ = State::kOutvoted;
  } else {
    state_ = alone && members > 0 ? State::kAlone : State::kAgreed;
  }
}

void ClockGuard::Answer(Now now, const std::string& member, bool agrees) {
  const auto [it, first] = said_.try_emplace(member);
  Said& said = it->second;
  // The same again changes nothing (but that it holds for longer than `until_` says).
  const bool again = !first && !jumped_ && said.agrees == agrees && now.mono - said.mono < answer_ms_;
  said = {agrees, now.mono};
  since_ = now.mono;
  decided_ = decided_ && again;
  if (agrees) {
    jumped_ = false;
    offset_ms_ = now.offset_ms();  // small steps add up only until somebody confirms them
  }
}

absl::Status ClockGuard::Check() const {
  if (trusted()) return absl::OkStatus();
  auto status = Refusal(absl::StatusCode::kUnavailable, "CLOCK_UNSAFE",
                        absl::StrCat(Describe(), "; write through another node, and check NTP here"));
  SetRetryMs(status, kClockRetryMs);
  return status;
}

std::string ClockGuard::Describe() const {
  switch (state_) {
    case State::kAgreed:
      return "";
    case State::kAlone:
      return "no other member answers: this node goes on by its own clock";
    case State::kJumped:
      return absl::StrCat("this node's clock was set ", step_ms_ < 0 ? "back" : "forward", " by ",
                          ShownDuration(std::abs(step_ms_)), ", and no other member has agreed with it since");
    case State::kOutvoted:
      return absl::StrCat("this node's clock differs by more than the bound from those of ", differ_, " of the ",
                          agree_ + differ_, " other members that answer");
  }
  return "";
}

}  // namespace leasemap::core
