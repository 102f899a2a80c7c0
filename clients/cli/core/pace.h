// When the calls of `leasemap bench` are due. With a rate they are due by the clock, whether or not earlier ones were
// answered, and their latency counts from then: a node that stalls delays all calls that were due meanwhile, and none
// of them is left out ("coordinated omission", Gil Tene).
#ifndef LEASEMAP_CLIENTS_CLI_CORE_PACE_H_
#define LEASEMAP_CLIENTS_CLI_CORE_PACE_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace leasemap::cli {

// With a rate, calls that were due before the end are sent until this time after it: on a busy machine this program may
// be late itself.
inline constexpr absl::Duration kLateMost = absl::Milliseconds(100);

class Pace {
 public:
  // `rate`: calls a second; 0: one is due as soon as fewer than `most` are under way. The first is due at `begin`, none
  // at `end` or later.
  Pace(double rate, uint64_t most, absl::Time begin, absl::Time end)
      : rate_(rate), most_(most), begin_(begin), end_(end), over_(rate > 0 ? end + kLateMost : end) {}

  // The time from which the latency of the call to be sent now counts; nothing if none is to be sent now.
  std::optional<absl::Time> Take(absl::Time now) {
    if (under_way_ >= most_ || Over(now)) return std::nullopt;
    const absl::Time due = rate_ > 0 ? Due() : now;
    if (due > now || due >= end_) return std::nullopt;
    ++sent_;
    ++under_way_;
    return due;
  }
  void Answered() { --under_way_; }

  // No call is sent any more. Calls that were due before the end and could not be sent are `missed`.
  bool Over(absl::Time now) const { return now >= over_ || (rate_ > 0 && Due() >= end_); }
  uint64_t missed() const {
    if (rate_ <= 0) return 0;
    const auto all = static_cast<uint64_t>(absl::ToDoubleSeconds(end_ - begin_) * rate_);
    return all > sent_ ? all - sent_ : 0;
  }

  // When to look again, if no answer comes before.
  absl::Time Next() const { return rate_ > 0 && under_way_ < most_ && Due() < end_ ? Due() : over_; }
  uint64_t sent() const { return sent_; }
  uint64_t under_way() const { return under_way_; }

 private:
  absl::Time Due() const { return begin_ + absl::Seconds(static_cast<double>(sent_) / rate_); }

  const double rate_;
  const uint64_t most_;
  const absl::Time begin_, end_, over_;
  uint64_t sent_ = 0, under_way_ = 0;
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_PACE_H_
