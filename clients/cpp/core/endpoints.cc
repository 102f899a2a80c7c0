#include "clients/cpp/core/endpoints.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace leasemap::internal {

absl::Duration AttemptTime(absl::Duration left, absl::Duration most) {
  if (most > kAttempt) return std::min(left, most);
  return std::min({left, most, std::max(kAttemptLeast, left / 2)});
}

absl::Duration Backoff::Next(double chance) {
  const absl::Duration pause = std::min(kLongestPause, kFirstPause * std::pow(2, std::min(failures_, 16)));
  ++failures_;
  return pause * (0.5 + 0.5 * chance);
}

Endpoints::Endpoints(const std::vector<std::string>& targets, std::function<double()> chance)
    : chance_(std::move(chance)) {
  Replace(targets);
}

void Endpoints::Replace(const std::vector<std::string>& targets) {
  targets_.clear();
  for (const std::string& target : targets) {
    if (!Has(target)) targets_.push_back(target);
  }
  for (auto each = troubles_.begin(); each != troubles_.end();) {
    Has(each->first) ? ++each : (troubles_.erase(each++), each);
  }
  if (Has(home_) || targets_.empty()) return;
  home_ =
      targets_[std::min(targets_.size() - 1, static_cast<size_t>(chance_() * static_cast<double>(targets_.size())))];
}

const std::string& Endpoints::Pick(Moment now) {
  const auto at = std::find(targets_.begin(), targets_.end(), home_) - targets_.begin();
  const std::string* best = nullptr;
  absl::Duration least = absl::InfiniteDuration();
  for (size_t i = 0; i < targets_.size(); ++i) {
    const std::string& target = targets_[(at + i) % targets_.size()];
    const absl::Duration wait = Wait(target, now);
    if (wait < least) {
      best = &target;
      least = wait;
    }
  }
  if (best) home_ = *best;
  return home_;
}

absl::Duration Endpoints::Pause(Moment now) const {
  absl::Duration least = absl::InfiniteDuration();
  for (const std::string& target : targets_) least = std::min(least, Wait(target, now));
  return least;
}

void Endpoints::Failed(const std::string& target, Moment now) {
  if (!Has(target)) return;
  Trouble& trouble = troubles_[target];
  trouble.until = now + trouble.backoff.Next(chance_());
}

void Endpoints::Worked(const std::string& target) { troubles_.erase(target); }

bool Endpoints::Has(const std::string& target) const {
  return std::find(targets_.begin(), targets_.end(), target) != targets_.end();
}

absl::Duration Endpoints::Wait(const std::string& target, Moment now) const {
  const auto found = troubles_.find(target);
  return found == troubles_.end() ? absl::ZeroDuration() : std::max(absl::ZeroDuration(), found->second.until - now);
}

absl::StatusOr<std::vector<std::string>> SplitEndpoints(const std::vector<std::string>& texts) {
  std::vector<std::string> found;
  for (const std::string& text : texts) {
    for (absl::string_view part : absl::StrSplit(text, ',')) {
      part = absl::StripAsciiWhitespace(part);
      if (part.empty()) continue;
      if (!SplitHostPort({part.data(), part.size()})) {
        return absl::InvalidArgumentError(absl::StrCat("endpoint \"", part, "\" is not host:port, as 127.0.0.1:7400"));
      }
      found.emplace_back(part);
    }
  }
  if (found.empty()) return absl::InvalidArgumentError("no endpoints; give host:port of at least one node");
  return found;
}

std::optional<HostPort> SplitHostPort(std::string_view endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = endpoint.substr(0, colon);
  const std::string port(endpoint.substr(colon + 1));
  uint32_t number = 0;
  if (!absl::SimpleAtoi(port, &number) || number > 65535) return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address without its brackets
  }
  if (host.empty()) return std::nullopt;
  return HostPort{std::string(host), port};
}

}  // namespace leasemap::internal
