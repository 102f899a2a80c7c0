#include "peer/core/mesh/quarantine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {

struct Rate {
  int64_t every_us;  // one in this time …
  int64_t burst;     // … and this many at once
};

Rate RateOf(Cost cost) {
  switch (cost) {
    case Cost::kControl:
      return {1'000'000 / kControlPerSecond, kControlBurst};
    case Cost::kSession:
      return {1'000'000 / kSessionsPerSecond, kSessionBurst};
    case Cost::kClient:
      return {1'000'000 / kClientPerSecond, kClientPerSecond};
    case Cost::kOutrun:
      return {kQuarantineMs * 1000, kOutrunBurst};
    case Cost::kBogus:
      return {kQuarantineMs * 1000, kBogusBurst};
  }
  return {0, 1};
}

}  // namespace

bool Quarantine::Charge(const std::string& node, Cost cost, MonoTime mono) {
  const Rate rate = RateOf(cost);
  const int64_t now_us = mono.ms() * 1000;
  int64_t& paid_us = paid_us_[node][static_cast<size_t>(cost)];
  const int64_t then_us = std::max(paid_us, now_us) + rate.every_us;
  if (then_us - now_us > rate.burst * rate.every_us) return false;  // and costs nothing
  paid_us = then_us;
  return true;
}

void Quarantine::CutOff(const std::string& node, const std::string& why, MonoTime mono) {
  held_[node] = {why, mono + kQuarantineMs};
  paid_us_.erase(node);  // it begins again when it may come back
  ++cut_offs_;
}

const std::string* Quarantine::Refused(const std::string& node, MonoTime mono) const {
  auto it = held_.find(node);
  return it != held_.end() && mono < it->second.until ? &it->second.why : nullptr;
}

void Quarantine::Tick(MonoTime mono) {
  std::erase_if(held_, [&](const auto& item) { return mono >= item.second.until; });
  std::erase_if(paid_us_, [&](const auto& item) {
    return std::all_of(item.second.begin(), item.second.end(), [&](int64_t us) { return us <= mono.ms() * 1000; });
  });
}

std::optional<Refuse> Quarantine::Judge(const std::string& node, MonoTime mono) const {
  const std::string* why = Refused(node, mono);
  if (why == nullptr) return std::nullopt;
  return Refuse{kQuarantined, absl::StrCat("it was cut off: ", *why)};
}

absl::Status Quarantine::ChargeClient(MonoTime mono) {
  if (Charge("", Cost::kClient, mono)) return absl::OkStatus();
  auto status = Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                        absl::StrCat("a node sends at most ", kClientPerSecond,
                                     " messages a second to others for its clients; try again in a moment"));
  SetRetryMs(status, 100);
  return status;
}

}  // namespace leasemap::core
