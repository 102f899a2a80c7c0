// The simulated cluster: nodes that start, crash, stand still and start again with a new incarnation, each with a wall
// clock of its own, and for each the part of the shell: effects carried out in order, bulk messages pulled through a
// bounded window, ticks when they are due. After every step of a node the checkers look at what it changed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peer/core/node/node.h"
#include "tests/sim/checkers/cut_offs.h"
#include "tests/sim/checkers/step_checks.h"
#include "tests/sim/checkers/yields.h"
#include "tests/sim/clock.h"
#include "tests/sim/disk.h"
#include "tests/sim/hostile.h"
#include "tests/sim/network.h"
#include "tests/sim/queue.h"
#include "tests/sim/trace.h"

namespace leasemap::sim {

struct WorldOptions {
  uint64_t seed = 1;
  int hosts = 5;
  bool keep_lines = false;
  core::LeaseRules rules;
  core::Timing timing;
  int64_t forget_after_ms = core::kForgetAfterMs;
  size_t watch_events = core::kWatchBatchEvents;  // of one message of a watch
  size_t pass_after = core::kPassAfterEvents;
};

// Names that a seed may have, beside node-7 for wherever that host is now.
inline constexpr char kNameOfAll[] = "all";        // all hosts, as a service's name does
inline constexpr char kDeadName[] = "dead";        // an address at which nobody ever is
inline constexpr char kUnknownName[] = "nowhere";  // the name servers do not know it
inline constexpr char kHangingName[] = "hangs";    // they do not answer

// What a process that starts finds of the one before it: all that was durable, nothing, or what was so some time ago.
enum class Finds { kAll, kNothing, kOlder };

struct Host {
  int place = 0;  // where it runs: its address
  std::vector<std::string> seeds;
  std::unique_ptr<core::Node> node;  // null while it is down
  bool has_disk = false;
  Disk disk;
  bool saving = false;               // a piece is on its way there
  bool disk_stopped = false;         // it takes nothing now
  std::optional<core::Image> older;  // as the disk was once
  ProcessId process = 0;
  WallClock clock;
  bool left = false;                     // it left, and is not to be started again
  int64_t tick_us = 0;                   // the next tick that is in the queue; 0: none
  bool still = false;                    // the process stands still …
  std::vector<Queue::Action> postponed;  // … and this waits for it
  int crash_after = 0;                   // it crashes in the middle of its so-manieth step from now; 0: it does not
  bool crash_silently = false;
  std::optional<Hostile> hostile;  // its process is in the hands of an adversary, until it ends
  bool ever_hostile = false;       // so was one of its processes
  bool ready = false;              // as seen last
  bool started_wrong = false;      // with a clock beyond the bound
  core::VersionVector at_start;    // what was everywhere when it started: to be covered once it is ready
  bool expects_all = false;        // … where no fault can have hidden it
};

// The number of the host of that name.
int HostNamed(const std::string& node);

class World {
 public:
  explicit World(const WorldOptions& options);

  // --- hosts
  void Start(int host, Finds finds = Finds::kAll);
  void Crash(int host, bool silently);
  // Crashes in the middle of its so-manieth step from now: some of what that step sends has left, the rest never will.
  void CrashInStep(int host, int steps, bool silently);
  void StandStill(int host);
  void GoOn(int host);
  // The disk as it is now may come back some day.
  void KeepImage(int host);
  // Whether writes to disks fail now and then. If not, those that take nothing do again at once.
  void SetDisksFail(bool fail);
  // Restores a copy from what would be durable now, and compares.
  void TryRestore(int host);
  // The process is an adversary's from now on. What ends it is a crash.
  void MakeHostile(int host);
  bool hostile(int host) const { return hosts_[host].hostile.has_value(); }
  // The node says that it leaves; that it ends is for the caller.
  void Leave(int host);
  // The node forgets that member, if it is away.
  void Forget(int host, int member);
  // From now on all may agree on a wrong time: what lapses by it is no fault.
  void ClocksLie() { clocks_lie_ = true; }
  bool clocks_lie() const { return clocks_lie_; }
  // Where it runs from its next start on: nobody was there before.
  void Move(int host);
  bool up(int host) const { return hosts_[host].node != nullptr; }
  bool answers(int host) const { return up(host) && !hosts_[host].still; }
  bool ready(int host) const { return answers(host) && hosts_[host].node->ready(); }
  Host& at(int host) { return hosts_[host]; }
  const Host& at(int host) const { return hosts_[host]; }
  const core::Node& node(int host) const { return *hosts_[host].node; }
  // What the node may say that it covers.
  const core::VersionVector& Claimed(int host) const {
    const core::Saving& saving = node(host).replica().saving();
    return saving.disk() ? *saving.saved_vector() : node(host).vector();
  }
  int size() const { return static_cast<int>(hosts_.size()); }
  std::vector<int> living() const;
  std::vector<int> places(const std::vector<int>& hosts) const;
  // Names are resolved only after up to this long.
  void SlowNames(int64_t most_us) { slow_names_us_ = most_us; }
  core::Now NowAt(int host) const;
  int64_t true_ms() const { return base_wall_ms_ + queue_.now_us() / 1000; }

  // --- clients
  // How a write ended, once its acks came or did not; never if the node ends before.
  using Answer = std::function<void(const absl::Status&, const core::EntryPtr&)>;
  absl::StatusOr<core::EntryPtr> Write(int host, const core::WriteCommand& command, Answer answer = nullptr);
  // Called after a step that changed something a watch could see.
  void OnChanged(std::function<void(int host)> changed) { changed_ = std::move(changed); }

  // --- the run
  // Goes on until `until_us` or the first failure; false then.
  bool RunUntil(int64_t until_us);
  void Fail(const std::string& what);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  // Why these nodes do not yet agree; empty: they do. Cheap.
  std::string Unsettled(const std::vector<int>& hosts) const;
  // Everything, on these nodes. `all`: whatever survived is held by one of them.
  std::string CheckWhole(const std::vector<int>& hosts, bool all) const;

  Queue& queue() { return queue_; }
  Network& network() { return network_; }
  Trace& trace() { return trace_; }
  core::Random& random() { return random_; }
  StepChecks& checks() { return checks_; }
  const core::LeaseRules& rules() const { return options_.rules; }
  const core::Timing& timing() const { return options_.timing; }
  uint64_t writes() const { return writes_; }
  uint64_t refused() const { return refused_; }
  uint64_t acked() const { return acked_; }
  uint64_t cut_offs() const { return cut_off_checks_.seen(); }
  uint64_t deaths() const { return deaths_; }
  uint64_t yields() const { return yield_checks_.yields(); }

 private:
  static constexpr int kBulkWindow = 3;

  Network::Events MakeEvents();
  // Carries out f at this process, once it goes on if it stands still, never if it is over.
  void Call(ProcessId process, std::function<void(core::Node& node, core::Now now, int host)> f);
  template <typename F>
  void Step(int host, F f, bool beat = false);
  void Answered(int host, const std::vector<core::Effects::Answered>& answers);
  // Null: bytes that can't be read.
  void Receive(ProcessId process, core::LinkId link, core::Message* message);
  void LookAtClaims(int host, const core::Message& message);
  void Send(int host, core::LinkId link, core::Message message, bool bulk);
  CutOffChecker::Sender SenderOf(core::LinkId link) const;
  void Met(int host, const core::Message& message);
  void Perform(int host, core::Effects effects);
  void Save(int host);
  void StopDisk(int host);
  void MendDisk(int host);
  void Resolve(int host, const std::string& seed);
  std::vector<std::string> AddressesOf(const std::string& name) const;
  void Pump(int host, core::LinkId link);
  void SetTick(int host);
  void Tick(int host, ProcessId process);
  void Check(int host);
  void Look(int host, const char* rule, const std::string& fault);
  int HostOf(ProcessId process) const;
  int64_t WallAt(const std::string& node) const;
  const core::VersionVector* VectorOf(const core::ReplicaId& id) const;
  core::NodeOptions OptionsOf(int host);

  const WorldOptions options_;
  Queue queue_;
  Trace trace_;
  core::Random random_;
  core::Random disk_random_;  // its own, so that runs without disks are as they were
  bool disks_fail_ = true;
  const int64_t base_wall_ms_;
  std::vector<Host> hosts_;
  std::vector<int> host_of_;        // by process
  std::vector<bool> hostile_ever_;  // by process: it is, or was to its end, an adversary's
  int next_place_;
  int64_t slow_names_us_ = 0;
  Network network_;
  std::function<void(int)> changed_;
  std::string failure_;
  struct Awaited {
    core::Ack ack;
    Answer answer;
  };
  std::map<std::pair<ProcessId, core::WaitId>, Awaited> awaited_;
  uint64_t writes_ = 0, refused_ = 0, acked_ = 0, deaths_ = 0;
  bool false_hashes_ = false;  // somebody told some: an alarm is no fault of the maps'
  StepChecks checks_;
  CutOffChecker cut_off_checks_;
  YieldChecker yield_checks_;
  bool clocks_lie_ = false;
};

}  // namespace leasemap::sim
