#include "server/rpc/resets.h"

#include <algorithm>

namespace leasemap::rpc {

bool BrokenOff::IsTooMany(int64_t total, int64_t most, SteadyTime now) {
  const bool within = now - from_ <= std::chrono::seconds(1);
  if (within && total - before_ > most) return true;
  if (!within) from_ = now, before_ = total;
  return false;
}

void Penalties::Add(const std::string& address, SteadyTime now) {
  if (by_address_.size() >= kMostAddresses && !by_address_.contains(address)) {
    by_address_.erase(std::min_element(by_address_.begin(), by_address_.end(),
                                       [](const auto& a, const auto& b) { return a.second.until < b.second.until; }));
  }
  by_address_[address] = {now + kLasts, now + kBetween};
}

bool Penalties::Allows(const std::string& address, SteadyTime now) {
  const auto it = by_address_.find(address);
  if (it == by_address_.end()) return true;
  if (it->second.until <= now) {
    by_address_.erase(it);
    return true;
  }
  if (now < it->second.next) return false;
  it->second.next = now + kBetween;
  return true;
}

bool Penalties::Has(const std::string& address, SteadyTime now) const {
  const auto it = by_address_.find(address);
  return it != by_address_.end() && it->second.until > now;
}

bool Penalties::any(SteadyTime now) const {
  return std::any_of(by_address_.begin(), by_address_.end(),
                     [now](const auto& each) { return each.second.until > now; });
}

}  // namespace leasemap::rpc
