// See scenario.h.
#include "tests/sim/scenario.h"

#include <algorithm>

#include "tests/sim/departures.h"
#include "tests/sim/faults.h"
#include "tests/sim/profile.h"
#include "tests/sim/racers.h"
#include "tests/sim/takeover.h"
#include "tests/sim/watching.h"
#include "tests/sim/world.h"
#include "tests/sim/writers.h"

namespace leasemap::sim {
namespace {

constexpr int64_t kSecond = 1'000'000;

// Hours are played, not seconds.
bool IsLong(const RunOptions& options) { return options.scenario == "hours" || options.scenario == "reboots"; }

core::LeaseRules RulesOf(const RunOptions& options) {
  core::Random random(options.seed ^ 0x72756c6573);
  static constexpr int64_t kPeriods[] = {3'600'000, 60'000, 5'000, 4'000};
  core::LeaseRules rules;
  rules.period_ms = IsLong(options) ? 3'600'000 : kPeriods[random.Below(4)];
  rules.leasing = random.Below(8) != 0;
  return rules;
}

Profile ProfileFor(const RunOptions& options) {
  Profile profile = ProfileOf(IsLong(options), options.nodes);
  // Clocks go wrong, and right again, a few times.
  if (options.scenario == "clocks") profile.work_us = 60 * kSecond;
  return profile;
}

WorldOptions WorldOf(const RunOptions& options, const Profile& profile) {
  WorldOptions world{options.seed,
                     options.nodes,
                     options.keep_lines,
                     RulesOf(options),
                     profile.timing,
                     profile.forget_after_ms,
                     {},
                     {}};
  // In every third run watches are read in messages of a few events, so that slow watchers get their cursors by passes.
  const bool small = options.seed % 3 == 0;
  world.watch_events = small ? 2 + options.seed % 7 : core::kWatchBatchEvents;
  world.pass_after = small ? 4 : core::kPassAfterEvents;
  return world;
}

class Scenario {
 public:
  explicit Scenario(const RunOptions& options)
      : options_(options),
        large_(options.nodes > 12),
        profile_(ProfileFor(options)),
        world_(WorldOf(options, profile_)),
        faults_(world_, profile_.pace),
        writers_(world_, 4, Keys(), profile_.write_us),
        racers_(world_, 4 * profile_.write_us + kSecond),
        watching_(world_, large_ ? 8 : 4, profile_.pace),
        departures_(world_) {
    if (!large_ && (Is("cold_start") || world_.random().Below(8) == 0)) writers_.Fill(700);
  }

  RunResult Go();

 private:
  bool Is(const char* name) const { return options_.scenario == name; }
  // Few, so that writes meet. In some of the hours so many that a key that was deleted stays so until it is collected.
  int Keys() {
    const bool many = Is("reboots") || (Is("hours") && world_.random().Below(3) == 0);
    return many ? 800 : 3 + static_cast<int>(world_.random().Below(20));
  }
  // Some nodes can never link, so that a gap may split the cluster.
  bool Sparse() const { return Is("line") || Is("ring") || Is("star") || Is("reboots"); }
  void Thin();
  bool Neighbours(int a, int b) const;
  std::vector<int> Everyone() const;
  void SetUp();
  void StartHost(int host, int64_t most_us);
  void WarmUp();
  void JoinStorm();
  void OddSeeds();
  void ColdStart();
  void Rejoin();
  void Operate(const std::vector<int>& hosts);
  void SetFaults();
  void Core();
  void CheckDepartures();
  std::string Agreement(const std::vector<int>& hosts) const;
  bool Settle(const char* who, const std::vector<int>& hosts);

  const RunOptions options_;
  const bool large_;
  const Profile profile_;
  World world_;
  Faults faults_;
  Writers writers_;
  Racers racers_;
  Watching watching_;
  Departures departures_;
  std::vector<std::vector<bool>> paths_;  // by host: whom it can ever link with
  int64_t settled_ms_ = 0, maps_ms_ = 0;
  uint64_t takeovers_ = 0;
};

std::vector<int> Scenario::Everyone() const {
  std::vector<int> all;
  for (int host = 0; host < world_.size(); ++host) all.push_back(host);
  return all;
}

bool Scenario::Neighbours(int a, int b) const {
  const int apart = std::abs(a - b);
  if (Is("line")) return apart == 1;
  if (Is("reboots")) return paths_[a][b];
  if (Is("ring")) return apart == 1 || apart == world_.size() - 1;
  return !Is("star") || a == 0 || b == 0;
}

// Takes paths away at random, as long as each two nodes that can't link have a neighbour in common: what a member
// covers is told no farther, and deletes would wait for ever.
void Scenario::Thin() {
  const int nodes = world_.size();
  paths_.assign(nodes, std::vector<bool>(nodes, true));
  const auto near = [&](int a, int b) {
    bool found = paths_[a][b];
    for (int c = 0; c < nodes && !found; ++c) found = c != a && c != b && paths_[a][c] && paths_[c][b];
    return found;
  };
  for (int tries = 0; tries < 2 * nodes * nodes; ++tries) {
    const int a = static_cast<int>(world_.random().Below(nodes)), b = static_cast<int>(world_.random().Below(nodes));
    if (a == b) continue;
    paths_[a][b] = paths_[b][a] = false;
    bool whole = true;
    for (int c = 0; c < nodes && whole; ++c) whole = (c == a || near(a, c)) && (c == b || near(b, c));
    paths_[a][b] = paths_[b][a] = !whole;
  }
}

void Scenario::SetUp() {
  const int nodes = world_.size();
  if (Is("reboots")) Thin();
  const int64_t disks = world_.random().Below(3);  // none, on some, on all
  for (int host = 0; host < nodes; ++host) {
    world_.at(host).has_disk = disks == 2 || (disks == 1 && world_.random().Below(2) == 0);
    world_.at(host).clock.Set(faults_.GoodOffset());
    for (int other = 0; other < nodes; ++other) {
      if (other != host && !Neighbours(host, other)) world_.network().reach().Separate(host, other);
      // Its own address among them, as one line of configuration for all would have it.
      const bool seed = Sparse() ? other != host && Neighbours(host, other) : other < 3;
      if (seed) world_.at(host).seeds.push_back("node-" + std::to_string(other));
    }
  }
  if (Is("cold_start")) OddSeeds();
  if (world_.random().Below(3) == 0) world_.network().SetLatency(5'000, 60'000);
  // In slow motion, like the rest: sessions take seconds.
  if (Is("reboots")) {
    world_.network().SetLatency(50'000, 400'000);
    world_.network().SetBulk(20'000'000);
  }
  const int first = Is("join_storm") ? std::max(1, nodes / 3) : nodes;
  for (int host = 0; host < first; ++host) StartHost(host, kSecond);
}

void Scenario::StartHost(int host, int64_t most_us) {
  world_.queue().After(world_.random().Below(most_us), [this, host] { world_.Start(host); });
}

// Until all that were started serve: what happens to a cluster that starts `cold_start` plays.
void Scenario::WarmUp() {
  const int64_t most_us = (world_.timing().absent_after + core::kResolveMs) * 1000;
  const auto serves = [&](int host) { return world_.ready(host); };
  while (world_.queue().now_us() < most_us && !world_.failed()) {
    world_.RunUntil(world_.queue().now_us() + profile_.look_us);
    const auto living = world_.living();
    if (world_.queue().now_us() > kSecond && std::all_of(living.begin(), living.end(), serves)) break;
  }
}

// The writers rest while the few agree; then the others come, and none may be ready before it has all.
void Scenario::JoinStorm() {
  writers_.Stop();
  racers_.Stop();
  world_.RunUntil(world_.queue().now_us() + 6 * kSecond);
  const auto first = world_.living();
  for (int host = 0; host < world_.size(); ++host) {
    if (world_.up(host)) continue;
    world_.at(host).at_start = world_.Claimed(first.front());
    world_.at(host).expects_all = world_.Unsettled(first).empty();
    StartHost(host, 200'000);
  }
  world_.RunUntil(world_.queue().now_us() + 3 * kSecond);
}

// Of each host's seeds some lead nowhere. All of them know at least one of two hosts, the two each other: the cluster
// is one.
void Scenario::OddSeeds() {
  static constexpr const char* kOdd[] = {kDeadName, kUnknownName, kHangingName};
  const bool one_name = world_.random().Below(3) == 0;
  for (int host = 0; host < world_.size(); ++host) {
    auto& seeds = world_.at(host).seeds;
    seeds.clear();
    if (one_name) {
      seeds.push_back(kNameOfAll);
    } else {
      for (int other = 0; other < 2; ++other) {
        const bool both = host < 2 || world_.random().Below(2) == 0;
        if (both || other == host % 2) seeds.push_back("node-" + std::to_string(other));
      }
      if (host > 1 && world_.random().Below(2) == 0) seeds.push_back("node-" + std::to_string(host));
    }
    for (const char* odd : kOdd) {
      if (world_.random().Below(4) == 0) seeds.insert(seeds.begin() + world_.random().Below(2), odd);
    }
  }
  if (world_.random().Below(2) == 0) world_.SlowNames(5 * kSecond);
}

// Everybody gets ready, whatever is among the seeds: within the time in which a seed is taken for absent, and the last
// of the tries that began before.
void Scenario::ColdStart() {
  const int64_t most_us = (world_.timing().absent_after + core::kResolveMs + 10'000) * 1000;
  world_.SetDisksFail(false);
  for (std::string fault = "not looked at"; !fault.empty() && !world_.failed();) {
    world_.RunUntil(world_.queue().now_us() + profile_.look_us);
    fault = world_.Unsettled(Everyone());
    if (!fault.empty() && world_.queue().now_us() > most_us) world_.Fail("cold start: " + fault);
  }
}

// Some begin again with an empty memory while links break: none may be ready before it has all that was there.
void Scenario::Rejoin() {
  writers_.Stop();
  racers_.Stop();
  world_.RunUntil(world_.queue().now_us() + 4 * kSecond);
  const auto agreed = world_.Unsettled(Everyone()).empty();
  faults_.EndedLinks();
  world_.network().SetBulk(400'000);  // sessions take a second or two …
  for (int64_t at_us = kSecond; at_us < 5 * kSecond; at_us += 200'000 + world_.random().Below(kSecond)) {
    world_.queue().After(at_us, [this] { world_.network().ResetLinks(100); });  // … and all links end in the middle
  }
  for (int host = 1; host < world_.size(); ++host) {
    if (world_.random().Below(2) == 0 || world_.failed()) continue;
    world_.at(host).at_start = world_.Claimed(0);
    world_.at(host).expects_all = agreed;
    world_.Crash(host, false);
    world_.queue().After(world_.random().Below(2 * kSecond), [this, host] { world_.Start(host, Finds::kNothing); });
  }
  world_.RunUntil(world_.queue().now_us() + 8 * kSecond);
}

// What the people do who run the cluster: a node that waits for one that is gone for good is told so.
void Scenario::Operate(const std::vector<int>& hosts) {
  for (const int host : hosts) {
    if (!world_.answers(host) || world_.ready(host)) continue;
    for (const auto& wait : std::vector(world_.node(host).waits_for())) {
      for (int member = 0; member < world_.size(); ++member) {
        const bool gone = !world_.up(member) || std::find(hosts.begin(), hosts.end(), member) == hosts.end();
        if (gone && wait.who == "node-" + std::to_string(member)) world_.Forget(host, member);
      }
    }
  }
}

void Scenario::SetFaults() {
  if (Is("faults") || Is("hours")) {
    faults_.RandomHalf();
    faults_.Restores();
  }
  if (Is("partition")) faults_.Partitions();
  if (Is("departures")) {
    departures_.Start(profile_.work_us - 4 * kSecond);  // and be done with it before all is well
    faults_.LongDelays();
    if (world_.random().Below(2) == 0) faults_.EndedLinks();
  }
  if (Is("clocks")) {
    if (world_.random().Below(4) != 0) faults_.ClocksSetBack();
    if (world_.random().Below(4) == 0) faults_.ClocksGain();
    if (world_.random().Below(2) == 0) faults_.Crashes(false);
    if (world_.random().Below(4) == 0) faults_.Partitions();
    faults_.Restores();
  }
  if (Is("reboots")) {
    faults_.Reboots();
    faults_.Restores();
  } else if (Sparse()) {
    faults_.EndedLinks();
    if (world_.random().Below(2) == 0) faults_.Crashes(false);
  }
  if (Is("restart_all")) {
    faults_.RollingRestart();
    if (world_.random().Below(2) == 0) faults_.RestartAll(profile_.work_us - 4 * kSecond);
  }
}

std::string Scenario::Agreement(const std::vector<int>& hosts) const {
  if (auto fault = world_.Unsettled(hosts); !fault.empty()) return fault;
  return watching_.Check();
}

// These nodes are well now: they have to agree within bounds. A second later they have to agree still; but what a node
// sent before it lost its power may come only then, and begins it anew.
bool Scenario::Settle(const char* who, const std::vector<int>& hosts) {
  const int64_t peace_us = world_.queue().now_us();
  world_.SetDisksFail(false);
  // Whoever took the name of one that was cut off may be refused for as long as that is.
  const bool refused = std::any_of(hosts.begin(), hosts.end(), [&](int host) { return world_.at(host).ever_hostile; });
  // Whoever moved gets its name back once what it sent from its old address, slowly, was heard for the last time.
  const bool moved = std::any_of(hosts.begin(), hosts.end(), [&](int host) { return world_.at(host).place != host; });
  const int64_t refused_us =
      std::max(refused ? core::kQuarantineMs * 1000 : 0, moved ? 2 * world_.timing().name_hold * 1000 : 0);
  const int64_t limit_us = peace_us + profile_.settle_us + refused_us;
  maps_ms_ = 0;
  std::string fault = "not looked at";
  while (!fault.empty() && world_.RunUntil(world_.queue().now_us() + profile_.look_us)) {
    settled_ms_ = (world_.queue().now_us() - peace_us) / 1000;
    Operate(hosts);
    fault = world_.Unsettled(hosts);
    if (maps_ms_ == 0 && fault.empty()) maps_ms_ = settled_ms_;
    if (fault.empty()) fault = watching_.Check();
    const int64_t over_us = maps_ms_ == 0 ? peace_us + profile_.maps_us + refused_us : limit_us;
    if (!fault.empty() && world_.queue().now_us() >= over_us) {
      world_.Fail(std::string(who) + " does not agree: " + fault);
    }
    if (fault.empty() && world_.RunUntil(world_.queue().now_us() + 4 * profile_.look_us)) fault = Agreement(hosts);
  }
  return !world_.failed();
}

// A majority is well and has to agree, whatever goes on among the rest and between the rest and it.
void Scenario::Core() {
  std::vector<int> all = Everyone(), core;
  while (core.size() * 2 <= all.size()) {
    const auto at = all.begin() + world_.random().Below(static_cast<int64_t>(all.size()));
    if (std::find(core.begin(), core.end(), *at) == core.end()) core.push_back(*at);
  }
  std::sort(core.begin(), core.end());
  faults_.Spare(core);
  watching_.Only(core);
  watching_.MayGiveUp();
  if (!Settle("the core", core)) return;
  if (const auto fault = world_.CheckWhole(core, false); !fault.empty()) world_.Fail("the core: " + fault);
  watching_.Only(all);
}

// What everybody has of them is folded every ten seconds, and once more after who was not heard then.
void Scenario::CheckDepartures() {
  world_.RunUntil(world_.queue().now_us() + 3 * core::kCollectEveryMs * 1000);
  if (const auto fault = departures_.Check(); !fault.empty() && !world_.failed()) world_.Fail("departures: " + fault);
}

RunResult Scenario::Go() {
  SetUp();
  writers_.Start();
  racers_.Start();
  watching_.Start();
  if (Is("cold_start")) {
    ColdStart();
  } else {
    WarmUp();
  }
  SetFaults();
  world_.RunUntil(world_.queue().now_us() + (Is("cold_start") ? 4 * kSecond : profile_.work_us));
  world_.SetDisksFail(true);
  if (Is("cold_start") && !world_.failed()) Rejoin();
  if (Is("join_storm") && !world_.failed()) JoinStorm();
  writers_.Stop();
  racers_.Stop();
  watching_.Stop();
  if ((Is("faults") || Is("hours")) && world_.random().Below(2) == 0 && !world_.failed()) Core();
  if (!world_.failed()) {
    // A line with a gap never agrees, and of who died without a word the names stay.
    faults_.Heal(!Sparse() && !Is("departures"));
    if (Sparse() || static_cast<int>(world_.living().size()) < world_.size()) watching_.MayGiveUp();
    if (Settle("the cluster", world_.living())) {
      if (const auto fault = world_.CheckWhole(world_.living(), true); !fault.empty()) world_.Fail(fault);
      if (Is("calm") && watching_.expired() > 0) world_.Fail("a cursor expired though nobody died");
      if (Is("departures") && !world_.failed()) CheckDepartures();
      if (!Sparse() && !world_.failed()) takeovers_ += CheckTakeover(world_, profile_.takeover_ms);
    }
  }
  RunResult result;
  result.failure = world_.failure();
  result.hash = world_.trace().hash();
  result.events = world_.trace().events();
  result.writes = world_.writes();
  result.refused = world_.refused();
  result.acked = world_.acked();
  result.races = racers_.races();
  result.won = racers_.won();
  result.watched = watching_.events();
  result.moves = watching_.moves();
  result.expired = watching_.expired();
  result.passes = watching_.passes();
  result.cut_offs = world_.cut_offs();
  result.yields = world_.yields();
  result.settled_ms = settled_ms_;
  result.takeovers = takeovers_;
  result.maps_ms = maps_ms_;
  result.virtual_ms = world_.queue().now_us() / 1000;
  result.lines.assign(world_.trace().lines().begin(), world_.trace().lines().end());
  return result;
}

}  // namespace

const std::vector<std::string>& Scenarios() {
  static const std::vector<std::string> kNames = {"calm",  "faults",      "partition",  "line",       "ring",
                                                  "star",  "restart_all", "join_storm", "cold_start", "departures",
                                                  "hours", "reboots",     "clocks"};
  return kNames;
}

RunResult Run(const RunOptions& options) { return Scenario(options).Go(); }

std::string ReplayCommand(const RunOptions& options) {
  return "make sim SEED=" + std::to_string(options.seed) + " NODES=" + std::to_string(options.nodes) +
         " SCENARIO=" + options.scenario;
}

}  // namespace leasemap::sim
