// The simulated cluster: nodes that start, crash and start again with an empty map and a new incarnation, each with a
// wall clock of its own, and for each the part of the shell: effects carried out in order, bulk messages pulled through
// a bounded window, ticks when they are due. After every step of a node the checkers look at it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peer/core/node.h"
#include "tests/sim/checkers/converged.h"
#include "tests/sim/checkers/coverage.h"
#include "tests/sim/checkers/dots_unique.h"
#include "tests/sim/checkers/ranks_never_fall.h"
#include "tests/sim/network.h"
#include "tests/sim/queue.h"
#include "tests/sim/trace.h"

namespace leasemap::sim {

struct Host {
  std::vector<std::string> seeds;
  std::unique_ptr<core::Node> node;  // null while it is down
  ProcessId process = 0;
  int64_t offset_ms = 0;         // of the wall clock
  int64_t tick_us = 0;           // the next tick that is in the queue; 0: none
  bool ready = false;            // as seen last
  core::VersionVector at_start;  // what was everywhere when it started: to be covered once it is ready
  bool expects_all = false;      // … where no fault can have hidden it
};

class World {
 public:
  World(uint64_t seed, int hosts, bool keep_lines, core::LeaseRules rules);

  // --- hosts
  void Start(int host);
  void Crash(int host, bool silently);
  bool up(int host) const { return hosts_[host].node != nullptr; }
  bool ready(int host) const { return up(host) && hosts_[host].node->ready(); }
  Host& at(int host) { return hosts_[host]; }
  const core::Node& node(int host) const { return *hosts_[host].node; }
  int size() const { return static_cast<int>(hosts_.size()); }
  std::vector<int> living() const;
  core::Now NowAt(int host) const;

  // --- clients
  void Write(int host, const core::WriteCommand& command);
  // Called after a step that changed something a watch could see.
  void OnChanged(std::function<void(int host)> changed) { changed_ = std::move(changed); }

  // --- the run
  // Goes on until `until_us` or the first failure; false then.
  bool RunUntil(int64_t until_us);
  void Fail(const std::string& what);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  // Why the living nodes do not yet agree; empty: they do. Cheap.
  std::string Unsettled() const;
  // Everything, on every living node.
  std::string CheckWhole() const;

  Queue& queue() { return queue_; }
  Network& network() { return network_; }
  Trace& trace() { return trace_; }
  core::Random& random() { return random_; }
  const core::LeaseRules& rules() const { return rules_; }
  uint64_t writes() const { return writes_; }
  uint64_t refused() const { return refused_; }

 private:
  static constexpr int kBulkWindow = 3;

  Network::Events MakeEvents();
  template <typename F>
  void Call(ProcessId process, F f);
  template <typename F>
  void Step(int host, F f);
  void Perform(int host, core::Effects effects);
  void Pump(int host, core::LinkId link);
  void SetTick(int host);
  void Check(int host);
  int HostOf(ProcessId process) const;

  Queue queue_;
  Trace trace_;
  core::Random random_;
  const core::LeaseRules rules_;
  const int64_t base_wall_ms_;
  std::vector<Host> hosts_;
  std::vector<int> host_of_;  // by process
  Network network_;
  std::function<void(int)> changed_;
  std::string failure_;
  uint64_t writes_ = 0, refused_ = 0;

  WriteLog log_;
  RanksNeverFall ranks_;
  CoverageChecker coverage_;
  DotsUnique dots_;
};

}  // namespace leasemap::sim
