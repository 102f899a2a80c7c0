#include "clients/cli/core/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace leasemap::cli {

size_t Histogram::BucketOf(uint64_t us) {
  constexpr uint64_t kSub = uint64_t{1} << kSubBits;
  if (us < kSub) return us;
  const uint64_t shift = std::bit_width(us) - kSubBits - 1;
  return (shift << kSubBits) + (us >> shift);
}

uint64_t Histogram::MostOf(size_t bucket) {
  constexpr uint64_t kSub = uint64_t{1} << kSubBits;
  if (bucket < 2 * kSub) return bucket;
  const size_t shift = (bucket >> kSubBits) - 1;
  return (((bucket & (kSub - 1)) + kSub + 1) << shift) - 1;
}

void Histogram::Add(absl::Duration latency) {
  latency = std::clamp(latency, absl::ZeroDuration(), absl::Hours(1));
  ++buckets_[BucketOf(static_cast<uint64_t>(absl::ToInt64Microseconds(latency)))];
  ++count_;
  max_ = std::max(max_, latency);
}

absl::Duration Histogram::Percentile(double part) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(part * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted && seen > 0) return std::min(absl::Microseconds(MostOf(bucket)), max_);
  }
  return max_;
}

std::vector<std::string> Histogram::Lines(size_t width) const {
  // Two lines a doubling: enough to see the shape, and few enough for a terminal.
  struct Step {
    uint64_t most = 0, count = 0;
  };
  std::vector<Step> steps;
  constexpr size_t kTogether = size_t{1} << (kSubBits - 1);
  for (size_t first = 0; first < buckets_.size(); first += kTogether) {
    Step step{.most = MostOf(first + kTogether - 1)};
    for (size_t bucket = first; bucket < first + kTogether; ++bucket) step.count += buckets_[bucket];
    if (step.count > 0) steps.push_back(step);
  }
  uint64_t largest = 1;
  for (const Step& step : steps) largest = std::max(largest, step.count);
  std::vector<std::string> lines;
  for (const Step& step : steps) {
    const auto bar = static_cast<size_t>(
        std::ceil(static_cast<double>(width) * static_cast<double>(step.count) / static_cast<double>(largest)));
    lines.push_back(absl::StrFormat("%10s %10d  %s", ShowLatency(absl::Microseconds(step.most)), step.count,
                                    std::string(bar, '#')));
  }
  return lines;
}

std::string ShowLatency(absl::Duration latency) {
  const double ms = absl::ToDoubleMilliseconds(latency);
  const int digits = ms < 10 ? 3 : ms < 100 ? 2 : ms < 1000 ? 1 : 0;
  return absl::StrFormat("%.*f ms", digits, ms);
}

}  // namespace leasemap::cli
