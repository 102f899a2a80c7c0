// See writers.h.
#include "tests/sim/writers.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"

namespace leasemap::sim {

void Writers::Start() {
  for (int writer = 0; writer < writers_; ++writer) {
    world_.queue().After(random_.Below(pause_us_), [this, writer] { WriteSome(writer); });
  }
  if (fill_ > 0) world_.queue().After(random_.Below(2'000'000), [this] { FillSome(); });
}

void Writers::FillSome() {
  const int host = static_cast<int>(random_.Below(world_.size()));
  for (int n = 0; n < 60 && fill_ > 0 && world_.ready(host); ++n, --fill_) {
    core::WriteCommand command;
    command.key = absl::StrCat("k1/fill/", fill_);
    command.value = absl::StrCat(++next_value_);
    command.holder = absl::StrCat("node-", host);
    (void)world_.Write(host, command);
  }
  if (fill_ > 0 && !stopped_) world_.queue().After(20'000, [this] { FillSome(); });
}

void Writers::WriteSome(int writer) {
  if (stopped_) return;
  const int host = static_cast<int>(random_.Below(world_.size()));
  if (world_.ready(host)) {
    core::WriteCommand command = RandomCommand(host, writer);
    const bool named = command.change == core::Change::kSet || command.change == core::Change::kDelete;
    if (named && random_.Below(4) == 0) command.request_id = absl::StrCat("request-", ++next_request_);
    const auto written = world_.Write(host, command);
    if (!command.request_id.empty() && written.ok() && *written) Retry(command, *written);
  }
  // Now and then a burst, so that links fall behind; now and then a rest.
  const int64_t pick = random_.Below(20);
  const int64_t pause = pick < 4 ? 200 : pick == 19 ? 6 * pause_us_ : pause_us_ / 2 + random_.Below(pause_us_);
  world_.queue().After(pause, [this, writer] { WriteSome(writer); });
}

// The caller did not hear the answer, and asks again, there or elsewhere. Where the write is known it is not done
// again.
void Writers::Retry(const core::WriteCommand& command, const core::EntryPtr& first) {
  world_.queue().After(random_.Below(2'000'000), [this, command, first] {
    const int host = static_cast<int>(random_.Below(world_.size()));
    if (!world_.ready(host)) return;
    const core::EntryPtr* held = world_.node(host).store().Find(command.key);
    const bool stands = held != nullptr && (*held)->dot == first->dot;
    const auto again = world_.Write(host, command);
    const std::string reason = core::ReasonOf(again.status());
    if (reason == "CLOCK_UNSAFE" || reason == "SYNCING") return;
    if (stands && (!again.ok() || !*again || (*again)->dot != first->dot)) {
      world_.Fail(absl::StrCat("requests: node-", host, " did not know that ", command.request_id,
                               " was done: ", again.status().ToString()));
    }
  });
}

core::WriteCommand Writers::RandomCommand(int host, int writer) {
  core::WriteCommand command;
  command.key = absl::StrCat("k", random_.Below(keys_));
  command.value = absl::StrCat(++next_value_);
  command.holder = random_.Below(3) == 0 ? absl::StrCat("node-", host) : absl::StrCat("client-", writer % 3);
  static constexpr core::Ack::Level kLevels[] = {core::Ack::Level::kMajority, core::Ack::Level::kAll,
                                                 core::Ack::Level::kNodes};
  if (random_.Below(3) == 0) command.ack = {kLevels[random_.Below(3)], 1 + static_cast<uint32_t>(random_.Below(3))};
  const int64_t what = random_.Below(10);
  command.change = what < 6   ? core::Change::kSet
                   : what < 8 ? core::Change::kDelete
                   : what < 9 ? core::Change::kRenew
                              : core::Change::kRelease;
  if (!world_.rules().leasing) {
    if (what >= 8) command.change = core::Change::kSet;
    return command;
  }
  static constexpr std::array<int64_t, 6> kDurations = {0, 0, 2000, 3000, 15000, 600'000};
  const size_t pick = static_cast<size_t>(random_.Below(7));
  if (pick < kDurations.size()) command.duration_ms = kDurations[pick];
  if (command.change == core::Change::kSet) {
    command.if_absent = random_.Below(10) == 0;
    command.ephemeral = command.duration_ms != 0 && random_.Below(3) == 0;
  }
  if (command.change == core::Change::kDelete) command.allow_missing = random_.Below(2) == 0;
  return command;
}

}  // namespace leasemap::sim
