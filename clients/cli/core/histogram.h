// Counts latencies in buckets of nearly equal relative width, as HdrHistogram by Gil Tene does: a few kilobytes hold
// any number of them, and each percentile is right to 3 %.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_HISTOGRAM_H_
#define LEASEMAP_CLIENTS_CLI_CORE_HISTOGRAM_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace leasemap::cli {

class Histogram {
 public:
  // Below a microsecond counts as none; above an hour as an hour.
  void Add(absl::Duration latency);

  uint64_t count() const { return count_; }
  absl::Duration max() const { return max_; }
  // At least this part of all (0 to 1) took no longer. Zero if there are none.
  absl::Duration Percentile(double part) const;

  // A line for each step of latency that has any: the most that it stands for, how many, and a bar as long as they are
  // many, `width` characters at most.
  std::vector<std::string> Lines(size_t width) const;

 private:
  // Of each doubling, 32 buckets.
  static constexpr int kSubBits = 5;
  static constexpr int kDoublings = 32 - kSubBits;  // 2^32 µs is more than an hour
  static size_t BucketOf(uint64_t us);
  // The largest value of the bucket.
  static uint64_t MostOf(size_t bucket);

  std::array<uint64_t, size_t{kDoublings + 1} << kSubBits> buckets_ = {};
  uint64_t count_ = 0;
  absl::Duration max_;
};

// A latency for people, in milliseconds: three digits of it at least.
std::string ShowLatency(absl::Duration latency);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_HISTOGRAM_H_
