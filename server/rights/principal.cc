#include "server/rights/principal.h"

#include <algorithm>

#include "peer/core/data/bytes.h"

namespace leasemap::rights {
namespace {

bool AnyStarts(const std::vector<std::string>& prefixes, std::string_view key) {
  return std::any_of(prefixes.begin(), prefixes.end(), [key](const auto& prefix) { return key.starts_with(prefix); });
}

// The holder is this name, or below it.
bool IsOf(std::string_view name, std::string_view holder) {
  return holder.starts_with(name) && (holder.size() == name.size() || holder[name.size()] == '/');
}

}  // namespace

bool Principal::MayRead(std::string_view key) const { return AnyStarts(read, key); }

bool Principal::MayReadPrefix(std::string_view prefix) const { return AnyStarts(read, prefix); }

bool Principal::MayReadRange(std::string_view start, std::string_view end) const {
  return std::any_of(read.begin(), read.end(), [&](const std::string& prefix) {
    if (start < prefix) return false;
    const std::string after = core::AfterPrefix(prefix);
    return after.empty() || (!end.empty() && end <= after);
  });
}

bool Principal::MayWrite(std::string_view key) const { return AnyStarts(write, key); }

bool Principal::MayHold(std::string_view holder) const {
  return IsOf(name, holder) || std::any_of(lease_as.begin(), lease_as.end(), [holder](const std::string& other) {
           return other == "*" || IsOf(other, holder);
         });
}

}  // namespace leasemap::rights
