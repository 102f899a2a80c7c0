// See world.h.
#include "tests/sim/world.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "tests/sim/checkers/bounds.h"
#include "tests/sim/checkers/describe.h"
#include "tests/sim/checkers/values.h"

namespace leasemap::sim {
namespace {

constexpr int64_t kSomeday = 1'700'000'000'000;  // UTC milliseconds at which virtual time begins, or soon after
constexpr int kPlacesEach = 4;                   // a host can move so often, less one

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
  static constexpr const char* kNames[] = {"Hello", "Accept", "Refuse",         "Ping",       "Pong",      "Report",
                                           "Live",  "Ask",    "SessionEntries", "SessionEnd", "Broadcast", "other"};
  return kNames[std::min<size_t>(message.index(), std::size(kNames) - 1)];
}

}  // namespace

World::World(const WorldOptions& options)
    : options_(options),
      trace_(options.keep_lines),
      random_(options.seed),
      disk_random_(options.seed ^ 0x6469736b),
      base_wall_ms_(kSomeday + random_.Below(7'200'000)),
      hosts_(static_cast<size_t>(options.hosts)),
      host_of_{-1},
      hostile_ever_{false},
      next_place_(options.hosts),
      network_(queue_, random_.Next(), kPlacesEach * options.hosts, MakeEvents()),
      checks_(
          options.rules, [this](const std::string& node) { return WallAt(node); },
          [this](const core::ReplicaId& id) { return VectorOf(id); }),
      cut_off_checks_([this](const std::string& node) { return checks_.collection().Latest(node); }) {
  for (int host = 0; host < options.hosts; ++host) hosts_[host].place = host;
  queue_.Handle(Queue::kTick, [this](uint32_t host, uint64_t process) { Tick(static_cast<int>(host), process); });
}

Network::Events World::MakeEvents() {
  Network::Events events;
  events.dialed = [this](ProcessId process, core::LinkId link, const std::string& address) {
    Call(process, [this, link, address](core::Node& node, core::Now now, int host) {
      trace_.Note(queue_.now_us(), "dialed", static_cast<uint64_t>(host), static_cast<uint64_t>(link));
      node.OnDialed(now, link, address, AddressOf(hosts_[host].place));
    });
  };
  events.dial_failed = [this](ProcessId process, const std::string& address, const std::string& why) {
    Call(process, [address, why](core::Node& node, core::Now now, int) { node.OnDialFailed(now, address, why); });
  };
  events.accepted = [this](ProcessId process, core::LinkId link, const std::string& remote) {
    Call(process, [this, link, remote](core::Node& node, core::Now now, int host) {
      trace_.Note(queue_.now_us(), "accepted", static_cast<uint64_t>(host), static_cast<uint64_t>(link));
      node.OnAccepted(now, link, AddressOf(hosts_[host].place), remote);
    });
  };
  // Nothing of a link comes to a process that stands still (network.h).
  events.message = [this](ProcessId process, core::LinkId link, core::Message m) { Receive(process, link, &m); };
  events.piece = [this](ProcessId process, core::LinkId link) {
    Call(process, [link](core::Node& node, core::Now now, int) { node.OnPiece(now, link); });
  };
  events.malformed = [this](ProcessId process, core::LinkId link) { Receive(process, link, nullptr); };
  events.closed = [this](ProcessId process, core::LinkId link) {
    Call(process, [this, link](core::Node& node, core::Now now, int host) {
      trace_.Note(queue_.now_us(), "closed", static_cast<uint64_t>(host), static_cast<uint64_t>(link));
      node.OnClosed(now, link);
    });
  };
  events.room = [this](ProcessId process, core::LinkId link) {
    if (const int host = HostOf(process); host >= 0 && !hosts_[host].still) Pump(host, link);
  };
  return events;
}

int World::HostOf(ProcessId process) const {
  const int host = host_of_[process];
  return host >= 0 && hosts_[host].process == process && hosts_[host].node ? host : -1;
}

void World::Call(ProcessId process, std::function<void(core::Node&, core::Now, int)> f) {
  const int host = HostOf(process);
  if (host < 0) return;
  if (hosts_[host].still) {
    hosts_[host].postponed.push_back([this, process, f = std::move(f)] { Call(process, f); });
    return;
  }
  Step(host, [&](core::Node& node, core::Now now) { f(node, now, host); });
}

template <typename F>
void World::Step(int host, F f, bool beat) {
  Host& at = hosts_[host];
  const uint64_t collected = at.node->store().collected();
  yield_checks_.Saw(NowAt(host).wall_ms);
  yield_checks_.Before(*at.node);
  f(*at.node, NowAt(host));
  core::Effects effects = at.node->Take();
  const bool changed = effects.changed || effects.renewed || at.node->store().collected() != collected;
  const bool crashes = at.crash_after > 0 && --at.crash_after == 0;
  if (crashes) {
    effects.send.resize(static_cast<size_t>(random_.Below(static_cast<int64_t>(effects.send.size()) + 1)));
    effects.pull = false;
    effects.hang_up.clear();
  }
  const auto answered = std::exchange(effects.answered, {});
  // Most steps are heartbeats, which leave the node's next tick where it is (Node::NextDue).
  auto sends = std::exchange(effects.send, {});
  const bool ticks_on = beat && at.tick_us != 0 && effects.empty();
  effects.send = std::move(sends);
  Look(host, "bounds", CheckHeld(at.node->GetUsage()));
  Look(host, "yields", yield_checks_.After(at.process, *at.node));
  if (effects.unsaved) Save(host);
  Perform(host, std::move(effects));
  if (changed || !answered.empty()) Check(host);
  if (crashes) return Crash(host, at.crash_silently);
  if (!ticks_on) SetTick(host);
  if (changed && changed_) changed_(host);
  Answered(host, answered);
}

void World::Receive(ProcessId process, core::LinkId link, core::Message* message) {
  const int at = HostOf(process);
  if (at < 0) return;
  const CutOffChecker::Sender sender = SenderOf(link);
  cut_off_checks_.Before(*hosts_[at].node, link, sender, message, NowAt(at));
  const bool beat = message != nullptr &&
                    (std::holds_alternative<core::Ping>(*message) || std::holds_alternative<core::Pong>(*message));
  const auto take = [&](core::Node& node, core::Now now) {
    if (message == nullptr) {
      trace_.Note(queue_.now_us(), "junk", static_cast<uint64_t>(at), static_cast<uint64_t>(link));
      return node.OnMalformed(now, link, "junk");
    }
    trace_.Note(queue_.now_us(), KindOf(*message), static_cast<uint64_t>(at), static_cast<uint64_t>(link),
                Digest(*message));
    Met(at, *message);
    node.OnMessage(now, link, std::move(*message));
    // An adversary's own node may do as it likes.
    if (!hosts_[at].hostile) Look(at, "cut-offs", cut_off_checks_.After(node, link, sender));
  };
  Step(at, take, beat);
}

CutOffChecker::Sender World::SenderOf(core::LinkId link) const {
  const ProcessId process = network_.Peer(link);
  const int host = host_of_[process];
  if (host < 0) return {};
  return {absl::StrCat("node-", host), hostile_ever_[process], hosts_[host].ever_hostile};
}

void World::Send(int host, core::LinkId link, core::Message message, bool bulk) {
  Look(host, "bounds", CheckSize(message));
  LookAtClaims(host, message);
  const int to = HostOf(network_.Peer(link));
  if (!hosts_[host].hostile || to < 0) return network_.Send(link, std::move(message), bulk);
  const core::Node& receiver = *hosts_[to].node;
  Hostile& adversary = *hosts_[host].hostile;
  if (adversary.claims_too_much()) checks_.Lies(hosts_[host].node->self());
  const Hostile::Receiver told{receiver.self(), receiver.replica().own_log().end() - 1};
  for (auto& sent : adversary.Tamper(hosts_[host].node->self(), told, std::move(message))) {
    if (sent) {
      network_.Send(link, *std::move(sent), bulk);
    } else {
      network_.SendJunk(link);
    }
  }
}

void World::MakeHostile(int host) {
  Host& at = hosts_[host];
  if (!at.node) return;
  at.hostile.emplace(random_.Next());
  at.ever_hostile = true;
  false_hashes_ |= at.hostile->tells_false_hashes();
  hostile_ever_[at.process] = true;
  trace_.Note(queue_.now_us(), "hostile", static_cast<uint64_t>(host));
  trace_.Say(queue_.now_us(), absl::StrCat("node-", host, " is hostile: ", at.hostile->Describe()));
}

// Tells the clients, who may write anew at once.
void World::Answered(int host, const std::vector<core::Effects::Answered>& answers) {
  for (const auto& one : answers) {
    auto it = awaited_.find({hosts_[host].process, one.wait});
    if (it == awaited_.end()) continue;
    const Awaited awaited = std::move(it->second);
    awaited_.erase(it);
    const std::string reason = one.status.ok() ? "acked" : core::ReasonOf(one.status);
    const Host& at = hosts_[host];
    if (at.has_disk && one.status.ok() && one.entry != nullptr && !at.disk.Covers(one.entry->dot)) {
      Look(host, "disk", "answered a write that is not on its disk: " + Describe(*one.entry));
    }
    trace_.Note(queue_.now_us(), reason.c_str(), static_cast<uint64_t>(host), one.entry ? one.entry->dot.seq : 0);
    if (one.status.ok() && one.entry != nullptr) {
      ++acked_;
      Look(host, "acks", checks_.Acked(*at.node, awaited.ack, *one.entry, at.has_disk));
    }
    if (awaited.answer) awaited.answer(one.status, one.entry);
  }
}

void World::Perform(int host, core::Effects effects) {
  if (trace_.keeps_lines()) {
    for (auto& line : effects.log) trace_.Say(queue_.now_us(), "node-" + std::to_string(host) + ": " + line.text);
  }
  for (auto& send : effects.send) Send(host, send.link, std::move(send.message), false);
  if (effects.pull) {
    for (const core::LinkId link : hosts_[host].node->LinksToPull()) Pump(host, link);
  }
  for (const auto& hang_up : effects.hang_up) {
    if (!hang_up.why.empty() && trace_.keeps_lines()) {
      trace_.Say(queue_.now_us(), "node-" + std::to_string(host) + " closes a link: " + hang_up.why);
    }
    network_.HangUp(hang_up.link);
  }
  for (const auto& address : effects.dial) network_.Dial(hosts_[host].place, address);
  for (const auto& seed : effects.resolve) Resolve(host, seed);
}

void World::Resolve(int host, const std::string& seed) {
  const bool hangs = seed == kHangingName;
  const int64_t after_us = hangs ? core::kResolveMs * 1000 : 1000 + random_.Below(20'000 + slow_names_us_);
  queue_.After(after_us, [this, process = hosts_[host].process, seed] {
    Call(process, [this, seed](core::Node& node, core::Now now, int) {
      const auto addresses = AddressesOf(seed);
      node.OnResolved(now, seed, addresses, addresses.empty() ? "no such name" : "");
    });
  });
}

void World::Pump(int host, core::LinkId link) {
  while (network_.BulkUnderWay(link) < kBulkWindow) {
    auto message = hosts_[host].node->Pull(NowAt(host), link);
    if (!message) return;
    Send(host, link, *std::move(message), true);
  }
}

void World::SetTick(int host) {
  Host& at = hosts_[host];
  const core::Now now = NowAt(host);
  const int64_t due_us = queue_.now_us() + std::max<int64_t>(1, at.node->NextDue(now) - now.mono) * 1000;
  if (at.tick_us != 0 && at.tick_us <= due_us) return;
  at.tick_us = due_us;
  queue_.Post(due_us - queue_.now_us(), Queue::kTick, static_cast<uint32_t>(host), at.process);
}

void World::Tick(int host, ProcessId process) {
  Host& at = hosts_[host];
  if (HostOf(process) < 0 || at.tick_us != queue_.now_us() || at.still) return;  // GoOn ticks anew
  at.tick_us = 0;
  Step(host, [](core::Node& node, core::Now now) { node.Tick(now); });
}

void World::Look(int host, const char* rule, const std::string& fault) {
  if (!fault.empty()) Fail(std::string(rule) + ": node-" + std::to_string(host) + " " + fault);
}

void World::Check(int host) {
  Host& at = hosts_[host];
  // An ephemeral key may lapse as early as a trusted clock can be ahead: the bound, what drifts between two heartbeats,
  // and a little. Whoever starts with a wrong clock and alone can't know.
  const int64_t ahead_ms = 2 * rules().clock_bound_ms + timing().heartbeat / 10 + 1000;
  const int64_t fastest_ms = clocks_lie_ ? yield_checks_.highest_ms() : true_ms();
  const auto [rule, fault] = checks_.Look(at.process, *at.node, at.started_wrong ? INT64_MAX : fastest_ms + ahead_ms);
  Look(host, rule, fault);
  if (at.node->GetStatus().hash_alarms > 0 && !false_hashes_)
    Look(host, "hashes", "has another map than a member that covers the same");
  if (at.ready || !at.node->ready()) return;
  at.ready = true;
  trace_.Note(queue_.now_us(), "ready", static_cast<uint64_t>(host));
  if (at.expects_all && !at.node->vector().Covers(at.at_start)) {
    Look(host, "readiness", "is ready and lacks what every node had when it started");
  }
}

int64_t World::WallAt(const std::string& node) const {
  if (node.empty()) return true_ms();
  return hosts_[HostNamed(node)].clock.At(true_ms());
}

const core::VersionVector* World::VectorOf(const core::ReplicaId& id) const {
  const Host& at = hosts_[HostNamed(id.node)];
  return at.node && at.node->self() == id ? &at.node->vector() : nullptr;
}

core::Now World::NowAt(int host) const {
  const int64_t ms = queue_.now_us() / 1000;
  return {core::MonoTime(ms + 1000), hosts_[host].clock.At(base_wall_ms_ + ms)};
}

core::NodeOptions World::OptionsOf(int host) {
  const Host& at = hosts_[host];
  core::NodeOptions options;
  options.node_id = "node-" + std::to_string(host);
  options.rules = options_.rules;
  options.timing = options_.timing;
  options.forget_after_ms = options_.forget_after_ms;
  options.watch_events = options_.watch_events;
  options.pass_after = options_.pass_after;
  options.leave_out_bytes = 1;
  options.disk = at.has_disk;
  options.save_bytes = 2000;  // two dozen entries
  options.advertise = AddressOf(at.place);
  options.seeds = at.seeds;
  options.seed = random_.Next();
  return options;
}

void World::Start(int host, Finds finds) {
  Host& at = hosts_[host];
  if (at.node) return;
  at.process = host_of_.size();
  host_of_.push_back(host);
  hostile_ever_.push_back(false);
  at.tick_us = 0;
  at.ready = false;
  at.crash_after = 0;
  at.started_wrong = std::abs(at.clock.OffsetAt(true_ms())) > options_.rules.clock_bound_ms;
  if (finds == Finds::kNothing) at.disk = {};
  if (finds == Finds::kOlder && at.older) {
    at.disk = {};
    at.disk.Write({true, at.older->entries, {}, at.older, at.older->conflicts});
  }
  at.saving = at.disk_stopped = false;
  const auto image = at.has_disk ? at.disk.Read() : std::nullopt;
  at.node = std::make_unique<core::Node>(OptionsOf(host), NowAt(host), image ? &*image : nullptr);
  network_.Up(at.place, at.process);
  trace_.Note(queue_.now_us(), "start", static_cast<uint64_t>(host), static_cast<uint64_t>(image.has_value()),
              static_cast<uint64_t>(finds));
  Step(host, [](core::Node& node, core::Now now) { node.Tick(now); });
}

void World::Crash(int host, bool silently) {
  Host& at = hosts_[host];
  if (!at.node) return;
  trace_.Note(queue_.now_us(), silently ? "power loss" : "crash", static_cast<uint64_t>(host));
  checks_.Ended(at.process, *at.node);
  ++deaths_;
  awaited_.erase(awaited_.lower_bound({at.process, 0}), awaited_.lower_bound({at.process + 1, 0}));
  at.node.reset();
  at.hostile.reset();
  at.still = false;
  at.postponed.clear();
  network_.Down(at.place, silently);
  if (changed_) changed_(host);
}

void World::CrashInStep(int host, int steps, bool silently) {
  if (!up(host)) return;
  hosts_[host].crash_after = steps;
  hosts_[host].crash_silently = silently;
}

void World::TryRestore(int host) {
  if (!up(host)) return;
  const core::Image image = node(host).TakeImage();
  const core::Node restored(OptionsOf(host), NowAt(host), &image);
  Look(host, "restoring", StepChecks::Restored(node(host), restored, checks_.log()));
}

void World::Leave(int host) {
  if (!answers(host)) return;
  trace_.Note(queue_.now_us(), "leaves", static_cast<uint64_t>(host));
  Step(host, [](core::Node& node, core::Now now) { node.Leave(now); });
}

void World::Forget(int host, int member) {
  if (!answers(host)) return;
  Step(host, [&](core::Node& node, core::Now now) {
    const auto status = node.Forget(now, "node-" + std::to_string(member));
    trace_.Note(queue_.now_us(), status.ok() ? "forgets" : "does not forget", static_cast<uint64_t>(host),
                static_cast<uint64_t>(member));
  });
}

void World::StandStill(int host) {
  if (!answers(host)) return;
  trace_.Note(queue_.now_us(), "stands still", static_cast<uint64_t>(host));
  hosts_[host].still = true;
  network_.Hold(hosts_[host].place, true);
}

void World::GoOn(int host) {
  Host& at = hosts_[host];
  if (!at.still) return;
  trace_.Note(queue_.now_us(), "goes on", static_cast<uint64_t>(host));
  at.still = false;
  const ProcessId process = at.process;
  for (auto& action : std::exchange(at.postponed, {})) action();
  if (HostOf(process) < 0) return;
  network_.Hold(at.place, false);
  at.tick_us = 0;
  Step(host, [](core::Node& node, core::Now now) { node.Tick(now); });
  if (HostOf(process) < 0) return;
  for (const core::LinkId link : at.node->LinksToPull()) Pump(host, link);
}

absl::StatusOr<core::EntryPtr> World::Write(int host, const core::WriteCommand& command, Answer answer) {
  absl::StatusOr<core::EntryPtr> result;
  Step(host, [&](core::Node& node, core::Now now) {
    const core::EntryPtr* found = node.store().Find(command.key);
    const core::EntryPtr previous = found ? *found : nullptr;
    const auto submitted = node.Submit(now, command);
    result = submitted.ok() ? absl::StatusOr<core::EntryPtr>(submitted->entry) : submitted.status();
    if (submitted.ok() && submitted->wait != 0) {
      awaited_[{hosts_[host].process, submitted->wait}] = {command.ack, std::move(answer)};
    }
    ++(result.ok() && *result ? writes_ : refused_);
    if (!result.ok()) {
      const std::string reason = core::ReasonOf(result.status());
      trace_.Note(queue_.now_us(), reason.c_str(), static_cast<uint64_t>(host));
      if (reason.empty()) Fail("a write was refused without a reason: " + result.status().ToString());
      return;
    }
    if (!*result || (*result)->dot.seq <= checks_.log().Count((*result)->dot.replica)) return;  // a retry's is old
    const core::EntryPtr& written = *result;
    trace_.Note(queue_.now_us(), "write", static_cast<uint64_t>(host), written->dot.seq, written->lease.epoch);
    Look(host, "writes", checks_.Wrote(written, previous));
    const bool keeps = command.change == core::Change::kRenew || command.change == core::Change::kRelease;
    if (keeps) Look(host, "values", CheckKeeps(*written, previous.get()));
    if (written->tombstone || command.change == core::Change::kRelease) return;
    const core::EntryPtr read = node.Get(now, command.key);
    if (!read || read->dot != written->dot) Look(host, "writes", "does not show what it just wrote: " + command.key);
  });
  return result;
}

bool World::RunUntil(int64_t until_us) {
  while (!failed() && queue_.RunOne(until_us)) {
  }
  return !failed();
}

void World::Fail(const std::string& what) {
  if (!failed()) failure_ = "at " + std::to_string(queue_.now_us() / 1000) + " ms: " + what;
  trace_.Say(queue_.now_us(), "FAILED: " + what);
  if (!trace_.keeps_lines()) return;
  for (const int host : living()) {
    const core::Node& one = node(host);
    trace_.Say(queue_.now_us(), absl::StrCat(Describe(one.self()), ready(host) ? "" : " (not ready)", " covers ",
                                             Describe(one.vector()), "; floor ", Describe(one.replica().floor())));
    for (const auto& [key, slot] : one.store().by_key()) {
      if (one.store().by_key().size() < 50)
        trace_.Say(queue_.now_us(), absl::StrCat("  holds ", Describe(*slot.entry)));
    }
  }
}

}  // namespace leasemap::sim
