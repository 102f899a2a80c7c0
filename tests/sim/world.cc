// See world.h.
#include "tests/sim/world.h"

#include <algorithm>

#include "peer/core/error.h"

namespace leasemap::sim {
namespace {

constexpr int64_t kSomeday = 1'700'000'000'000;  // UTC milliseconds at which virtual time begins, or soon after

// What distinguishes messages in the trace.
uint64_t Digest(const core::Message& message) {
  uint64_t digest = message.index();
  const auto add = [&](const std::vector<core::EntryPtr>& entries) {
    for (const auto& entry : entries) digest = (digest * 31 + entry->dot.seq) * 31 + entry->dot.replica.incarnation;
  };
  if (const auto* live = std::get_if<core::Live>(&message)) add(live->entries);
  if (const auto* entries = std::get_if<core::SessionEntries>(&message)) add(entries->entries);
  return digest;
}

const char* KindOf(const core::Message& message) {
  static constexpr const char* kNames[] = {"Hello", "Accept", "Refuse",         "Ping",       "Pong",     "Report",
                                           "Live",  "Ask",    "SessionEntries", "SessionEnd", "Broadcast"};
  return kNames[message.index()];
}

}  // namespace

World::World(uint64_t seed, int hosts, bool keep_lines, core::LeaseRules rules)
    : trace_(keep_lines),
      random_(seed),
      rules_(rules),
      base_wall_ms_(kSomeday + random_.Below(7'200'000)),
      hosts_(static_cast<size_t>(hosts)),
      host_of_{-1},
      network_(queue_, random_.Next(), MakeEvents()) {}

Network::Events World::MakeEvents() {
  Network::Events events;
  events.dialed = [this](ProcessId process, core::LinkId link, const std::string& address) {
    Call(process, [&](core::Node& node, core::Now now, int host) {
      trace_.Note(queue_.now_us(), "dialed", static_cast<uint64_t>(host), link);
      node.OnDialed(now, link, address, AddressOf(host));
    });
  };
  events.dial_failed = [this](ProcessId process, const std::string& address) {
    Call(process, [&](core::Node& node, core::Now now, int) { node.OnDialFailed(now, address); });
  };
  events.accepted = [this](ProcessId process, core::LinkId link, const std::string& remote) {
    Call(process, [&](core::Node& node, core::Now now, int host) {
      trace_.Note(queue_.now_us(), "accepted", static_cast<uint64_t>(host), link);
      node.OnAccepted(now, link, AddressOf(host), remote);
    });
  };
  events.message = [this](ProcessId process, core::LinkId link, core::Message message) {
    Call(process, [&](core::Node& node, core::Now now, int host) {
      trace_.Note(queue_.now_us(), KindOf(message), static_cast<uint64_t>(host), link, Digest(message));
      node.OnMessage(now, link, std::move(message));
    });
  };
  events.closed = [this](ProcessId process, core::LinkId link) {
    Call(process, [&](core::Node& node, core::Now now, int host) {
      trace_.Note(queue_.now_us(), "closed", static_cast<uint64_t>(host), link);
      node.OnClosed(now, link);
    });
  };
  events.room = [this](ProcessId process, core::LinkId link) {
    if (const int host = HostOf(process); host >= 0) Pump(host, link);
  };
  return events;
}

int World::HostOf(ProcessId process) const {
  const int host = host_of_[process];
  return host >= 0 && hosts_[host].process == process && hosts_[host].node ? host : -1;
}

template <typename F>
void World::Call(ProcessId process, F f) {
  const int host = HostOf(process);
  if (host < 0) return;
  Step(host, [&](core::Node& node, core::Now now) { f(node, now, host); });
}

template <typename F>
void World::Step(int host, F f) {
  core::Node& node = *hosts_[host].node;
  f(node, NowAt(host));
  core::Effects effects = node.Take();
  const bool changed = effects.changed;
  Perform(host, std::move(effects));
  SetTick(host);
  Check(host);
  if (changed && changed_) changed_(host);
}

void World::Perform(int host, core::Effects effects) {
  for (auto& line : effects.log) trace_.Say(queue_.now_us(), "node-" + std::to_string(host) + ": " + line.text);
  for (auto& send : effects.send) network_.Send(send.link, std::move(send.message), false);
  if (effects.pull) {
    for (const core::LinkId link : hosts_[host].node->LinksToPull()) Pump(host, link);
  }
  for (const auto& hang_up : effects.hang_up) {
    if (!hang_up.why.empty()) {
      trace_.Say(queue_.now_us(), "node-" + std::to_string(host) + " closes a link: " + hang_up.why);
    }
    network_.HangUp(hang_up.link);
  }
  for (const auto& address : effects.dial) network_.Dial(host, address);
  for (const auto& seed : effects.resolve) {
    queue_.After(1000 + random_.Below(20'000), [this, process = hosts_[host].process, seed] {
      Call(process, [&](core::Node& node, core::Now now, int) { node.OnResolved(now, seed, {seed}); });
    });
  }
}

void World::Pump(int host, core::LinkId link) {
  while (network_.BulkUnderWay(link) < kBulkWindow) {
    auto message = hosts_[host].node->Pull(NowAt(host), link);
    if (!message) return;
    network_.Send(link, *std::move(message), true);
  }
}

void World::SetTick(int host) {
  Host& at = hosts_[host];
  const core::Now now = NowAt(host);
  const int64_t due_us = queue_.now_us() + std::max<int64_t>(1, at.node->NextDue(now) - now.mono_ms) * 1000;
  if (at.tick_us != 0 && at.tick_us <= due_us) return;
  at.tick_us = due_us;
  queue_.After(due_us - queue_.now_us(), [this, process = at.process, due_us] {
    const int here = HostOf(process);
    if (here < 0 || hosts_[here].tick_us != due_us) return;
    hosts_[here].tick_us = 0;
    Step(here, [](core::Node& node, core::Now at) { node.Tick(at); });
  });
}

void World::Check(int host) {
  Host& at = hosts_[host];
  const auto look = [&](const char* rule, const std::string& fault) {
    if (!fault.empty()) Fail(std::string(rule) + ": node-" + std::to_string(host) + " " + fault);
  };
  look("ranks never fall", ranks_.Look(at.process, at.node->store()));
  look("coverage", coverage_.Look(at.process, at.node->vector(), at.node->store(), log_));
  if (at.ready || !at.node->ready()) return;
  at.ready = true;
  trace_.Note(queue_.now_us(), "ready", static_cast<uint64_t>(host));
  if (at.expects_all && !at.node->vector().Covers(at.at_start)) {
    look("readiness", "is ready and lacks what every node had when it started");
  }
}

core::Now World::NowAt(int host) const {
  const int64_t ms = queue_.now_us() / 1000;
  return {ms + 1000, base_wall_ms_ + ms + hosts_[host].offset_ms};
}

void World::Start(int host) {
  Host& at = hosts_[host];
  if (at.node) return;
  at.process = host_of_.size();
  host_of_.push_back(host);
  at.tick_us = 0;
  at.ready = false;
  core::NodeOptions options;
  options.node_id = "node-" + std::to_string(host);
  options.rules = rules_;
  options.advertise = AddressOf(host);
  options.seeds = at.seeds;
  options.seed = random_.Next();
  at.node = std::make_unique<core::Node>(std::move(options), NowAt(host));
  network_.Up(host, at.process);
  trace_.Note(queue_.now_us(), "start", static_cast<uint64_t>(host));
  Step(host, [](core::Node& node, core::Now now) { node.Tick(now); });
}

void World::Crash(int host, bool silently) {
  Host& at = hosts_[host];
  if (!at.node) return;
  trace_.Note(queue_.now_us(), silently ? "power loss" : "crash", static_cast<uint64_t>(host));
  ranks_.Forget(at.process);
  coverage_.Forget(at.process);
  at.node.reset();
  network_.Down(host, silently);
  if (changed_) changed_(host);
}

std::vector<int> World::living() const {
  std::vector<int> out;
  for (int host = 0; host < size(); ++host) {
    if (up(host)) out.push_back(host);
  }
  return out;
}

void World::Write(int host, const core::WriteCommand& command) {
  Step(host, [&](core::Node& node, core::Now now) {
    const core::EntryPtr* found = node.store().Find(command.key);
    const core::EntryPtr previous = found ? *found : nullptr;
    const auto written = node.Write(now, command);
    ++(written.ok() && *written ? writes_ : refused_);
    if (!written.ok()) {
      const std::string reason = core::ReasonOf(written.status());
      trace_.Note(queue_.now_us(), reason.c_str(), static_cast<uint64_t>(host));
      if (reason.empty()) Fail("a write was refused without a reason: " + written.status().ToString());
      return;
    }
    if (!*written) return;
    trace_.Note(queue_.now_us(), "write", static_cast<uint64_t>(host), (*written)->dot.seq, (*written)->lease.epoch);
    if (auto fault = dots_.Wrote(hosts_[host].process, *written, previous, log_); !fault.empty()) {
      Fail("dots are unique: node-" + std::to_string(host) + " " + fault);
    }
  });
}

bool World::RunUntil(int64_t until_us) {
  while (!failed() && queue_.RunOne(until_us)) {
  }
  return !failed();
}

void World::Fail(const std::string& what) {
  if (!failed()) failure_ = "at " + std::to_string(queue_.now_us() / 1000) + " ms: " + what;
  trace_.Say(queue_.now_us(), "FAILED: " + what);
}

std::string World::Unsettled() const {
  const auto nodes = living();
  if (nodes.empty()) return "no node lives";
  const core::Node& first = node(nodes.front());
  for (const int host : nodes) {
    const std::string name = "node-" + std::to_string(host);
    if (!ready(host)) return name + " is not ready";
    if (!(node(host).vector() == first.vector())) {
      return name + " and node-" + std::to_string(nodes.front()) + " cover different writes";
    }
    // The same entries, so those that lapsed differ only in how far each clock is.
    if (node(host).store().live_keys() != first.store().live_keys()) return name + " has other keys lapsed";
  }
  return "";
}

std::string World::CheckWhole() const {
  std::vector<Replica> replicas;
  for (const int host : living()) {
    replicas.push_back({"node-" + std::to_string(host), &node(host).store(), &node(host).vector()});
    if (auto fault = CoverageChecker::Whole(node(host).vector(), node(host).store(), log_); !fault.empty()) {
      return "coverage: " + replicas.back().name + " " + fault;
    }
  }
  const auto fault = CheckConverged(replicas, log_);
  return fault.empty() ? "" : "converged: " + fault;
}

}  // namespace leasemap::sim
