// See scenario.h.
#include "tests/sim/scenario.h"

#include <algorithm>

#include "tests/sim/clients.h"
#include "tests/sim/faults.h"
#include "tests/sim/world.h"

namespace leasemap::sim {
namespace {

constexpr int64_t kSecond = 1'000'000;

core::LeaseRules RulesOf(core::Random& random) {
  static constexpr int64_t kPeriods[] = {3'600'000, 60'000, 5'000, 4'000};
  core::LeaseRules rules;
  rules.period_ms = kPeriods[random.Below(4)];
  rules.leasing = random.Below(8) != 0;
  return rules;
}

class Scenario {
 public:
  Scenario(const RunOptions& options, core::LeaseRules rules)
      : options_(options),
        large_(options.nodes > 12),
        world_(options.seed, options.nodes, options.keep_lines, rules),
        faults_(world_),
        clients_(world_, 4, large_ ? 8 : 4, 3 + static_cast<int>(world_.random().Below(20)),
                 large_ ? 300'000 : 150'000),
        work_us_((large_ ? 7 : 12) * kSecond) {
    if (!large_ && world_.random().Below(8) == 0) clients_.Fill(700);
  }

  RunResult Go();

 private:
  void SetUp();
  void StartHost(int host, int64_t most_us);
  void JoinStorm();
  void SetFaults();
  bool Settle();
  std::string Agreement() const;

  const RunOptions options_;
  const bool large_;
  World world_;
  Faults faults_;
  Clients clients_;
  int64_t work_us_;
  int64_t settled_ms_ = 0;
};

void Scenario::SetUp() {
  const int nodes = world_.size();
  for (int host = 0; host < nodes; ++host) {
    world_.at(host).offset_ms = faults_.GoodOffset();
    if (options_.scenario == "line") {
      if (host > 0) world_.at(host).seeds.push_back(AddressOf(host - 1));
      if (host + 1 < nodes) world_.at(host).seeds.push_back(AddressOf(host + 1));
      for (int other = 0; other + 1 < host; ++other) world_.network().Separate(host, other);
    } else {
      // Its own address among them, as one line of configuration for all would have it.
      for (int seed = 0; seed < std::min(nodes, 3); ++seed) world_.at(host).seeds.push_back(AddressOf(seed));
    }
  }
  if (world_.random().Below(3) == 0) world_.network().SetLatency(5'000, 60'000);
  const int first = options_.scenario == "join_storm" ? std::max(1, nodes / 3) : nodes;
  for (int host = 0; host < first; ++host) StartHost(host, kSecond);
}

void Scenario::StartHost(int host, int64_t most_us) {
  world_.queue().After(world_.random().Below(most_us), [this, host] { world_.Start(host); });
}

// The writers rest while the few agree; then the others come, and none may be ready before it has all.
void Scenario::JoinStorm() {
  clients_.Stop();
  world_.RunUntil(world_.queue().now_us() + 6 * kSecond);
  const auto first = world_.living();
  for (int host = 0; host < world_.size(); ++host) {
    if (world_.up(host)) continue;
    world_.at(host).at_start = world_.node(first.front()).vector();
    world_.at(host).expects_all = world_.Unsettled().empty();
    StartHost(host, 200'000);
  }
  world_.RunUntil(world_.queue().now_us() + 3 * kSecond);
}

void Scenario::SetFaults() {
  const std::string& name = options_.scenario;
  if (name == "partition") faults_.Partitions();
  if (name == "line") {
    faults_.EndedLinks();
    if (world_.random().Below(2) == 0) faults_.Crashes();
  }
  if (name == "restart_all") {
    faults_.RollingRestart();
    if (world_.random().Below(2) == 0) faults_.RestartAll(work_us_ - 4 * kSecond);
  }
  if (name != "faults") return;
  // A random half of the menu, never none of it.
  for (bool any = false; !any;) {
    const auto maybe = [&](void (Faults::*fault)()) {
      if (world_.random().Below(2) == 0) return;
      any = true;
      (faults_.*fault)();
    };
    maybe(&Faults::Crashes);
    maybe(&Faults::Partitions);
    maybe(&Faults::OneWayCuts);
    maybe(&Faults::EndedLinks);
    maybe(&Faults::Clocks);
  }
}

std::string Scenario::Agreement() const {
  if (auto fault = world_.Unsettled(); !fault.empty()) return fault;
  return clients_.Check();
}

// Peace: everything has to agree within a minute, and some seconds for each node for the sake of lines. A second later
// it has to agree still; but what a node sent before it lost its power may come only then, and begins it anew.
bool Scenario::Settle() {
  const int64_t peace_us = world_.queue().now_us();
  const int64_t limit_us = peace_us + (60 + 3 * world_.size()) * kSecond;
  std::string fault = "not looked at";
  while (!fault.empty() && world_.RunUntil(world_.queue().now_us() + 250'000)) {
    settled_ms_ = (world_.queue().now_us() - peace_us) / 1000;
    fault = Agreement();
    if (!fault.empty() && world_.queue().now_us() >= limit_us) world_.Fail("no agreement: " + fault);
    if (fault.empty() && world_.RunUntil(world_.queue().now_us() + kSecond)) fault = Agreement();
  }
  if (world_.failed()) return false;
  if (fault = world_.CheckWhole(); !fault.empty()) world_.Fail(fault);
  if (options_.scenario == "calm" && clients_.expired() > 0) world_.Fail("a cursor expired though nobody died");
  return !world_.failed();
}

RunResult Scenario::Go() {
  SetUp();
  clients_.Start();
  SetFaults();
  world_.RunUntil(work_us_);
  if (options_.scenario == "join_storm" && !world_.failed()) JoinStorm();
  clients_.Stop();
  if (!world_.failed()) {
    const bool line = options_.scenario == "line";
    faults_.Heal(!line);  // a line with a gap never agrees
    if (line || static_cast<int>(world_.living().size()) < world_.size()) clients_.MayGiveUp();
    Settle();
  }
  RunResult result;
  result.failure = world_.failure();
  result.hash = world_.trace().hash();
  result.events = world_.trace().events();
  result.writes = world_.writes();
  result.refused = world_.refused();
  result.watched = clients_.events();
  result.moves = clients_.moves();
  result.expired = clients_.expired();
  result.settled_ms = settled_ms_;
  result.lines.assign(world_.trace().lines().begin(), world_.trace().lines().end());
  return result;
}

}  // namespace

const std::vector<std::string>& Scenarios() {
  static const std::vector<std::string> kNames = {"calm", "faults", "partition", "line", "restart_all", "join_storm"};
  return kNames;
}

RunResult Run(const RunOptions& options) {
  core::Random random(options.seed ^ 0x72756c6573);
  return Scenario(options, RulesOf(random)).Go();
}

std::string ReplayCommand(const RunOptions& options) {
  return "make sim SEED=" + std::to_string(options.seed) + " NODES=" + std::to_string(options.nodes) +
         " SCENARIO=" + options.scenario;
}

}  // namespace leasemap::sim
