// The gate's seeds: of each scenario some hundreds with 5 nodes, and five runs of 50. Each runs twice and must leave
// the same trace. LEASEMAP_SIM_SEEDS=1000 runs so many seeds a case instead of 100.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <tuple>

#include "tests/sim/scenario.h"

namespace leasemap::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

uint64_t SeedsACase() {
  const char* wanted = std::getenv("LEASEMAP_SIM_SEEDS");
  const uint64_t seeds = wanted == nullptr ? 0 : std::strtoull(wanted, nullptr, 10);
  return seeds > 0 ? seeds : kSanitized ? 5 : 100;
}

void RunTwice(const RunOptions& options) {
  const RunResult first = Run(options);
  ASSERT_EQ(first.failure, "") << "replay: " << ReplayCommand(options);
  const RunResult second = Run(options);
  ASSERT_EQ(first.hash, second.hash) << "two runs differ; replay: " << ReplayCommand(options);
  ASSERT_EQ(first.events, second.events);
  // A run in which nothing was written or watched would prove nothing.
  ASSERT_GT(first.writes, 5u) << ReplayCommand(options);
  ASSERT_GT(first.watched, 5u) << ReplayCommand(options);
}

class FiveNodes : public testing::TestWithParam<std::tuple<std::string, int>> {};

TEST_P(FiveNodes, Agree) {
  const auto& [scenario, part] = GetParam();
  const bool is_long = scenario == "hours" || scenario == "reboots";
  const uint64_t count = is_long ? (SeedsACase() + 4) / 5 : SeedsACase();
  for (uint64_t n = 0; n < count; ++n) {
    RunOptions options;
    options.seed = 1 + static_cast<uint64_t>(part) * count + n;
    options.scenario = scenario;
    RunTwice(options);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FiveNodes, testing::Combine(testing::ValuesIn(Scenarios()), testing::Values(0, 1, 2)),
                         [](const auto& run) {
                           return std::get<0>(run.param) + "_" + std::to_string(std::get<1>(run.param));
                         });

class FiftyNodes : public testing::TestWithParam<std::tuple<std::string, uint64_t>> {};

TEST_P(FiftyNodes, Agree) {
  if (kSanitized) GTEST_SKIP() << "too slow under sanitizers";
  RunOptions options;
  options.nodes = 50;
  std::tie(options.scenario, options.seed) = GetParam();
  RunTwice(options);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FiftyNodes,
                         testing::Values(std::tuple("faults", 1), std::tuple("faults", 2), std::tuple("faults", 3),
                                         std::tuple("restart_all", 1), std::tuple("join_storm", 1),
                                         std::tuple("hours", 1)),
                         [](const auto& run) {
                           return std::get<0>(run.param) + "_" + std::to_string(std::get<1>(run.param));
                         });

}  // namespace
}  // namespace leasemap::sim
