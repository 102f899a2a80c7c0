// See pool.h.
#include "tests/sim/explore/pool.h"

#include "peer/core/data/bytes.h"
#include "peer/core/data/error.h"
#include "tests/sim/checkers/coverage.h"
#include "tests/sim/checkers/dots_unique.h"
#include "tests/sim/checkers/ranks_never_fall.h"

namespace leasemap::explore {
namespace {

// One step of time: what is due a second after something (a lack, a heartbeat) is due after one step, and so is what is
// due sooner (reports).
constexpr int64_t kStepMs = core::kLackMs;
static_assert(kStepMs >= core::kHeartbeatMs && kStepMs >= core::kReportEveryMs && kStepMs < core::kSilentMs);

constexpr int64_t kMonoMs = 1'000'000;

bool IsHeartbeat(const core::Message& message) {
  return std::holds_alternative<core::Ping>(message) || std::holds_alternative<core::Pong>(message);
}

}  // namespace

core::Now Pool::At(int step) const { return {core::MonoTime(kMonoMs + step * kStepMs), wall_ms_ + step * kStepMs}; }

NodeNumber Pool::Start(const std::string& name, int step, int earlier) {
  core::NodeOptions options;
  options.node_id = name;
  options.seed = core::Hash64(name);
  options.batch_entries = 1;
  core::Now now = At(step);
  now.mono += earlier - 10;
  now.wall_ms += earlier - 10;
  return Keep(std::make_unique<core::Node>(std::move(options), now), step);
}

NodeNumber Pool::Keep(std::unique_ptr<core::Node> node, int step) {
  node->Take();
  Digester d;
  const Digest inside = core::Inside::Of(*node, At(step));
  d.Number(inside.high);
  d.Number(inside.low);
  d.Number(static_cast<uint64_t>(step));
  const auto [it, fresh] = node_numbers_.try_emplace(d.Done(), static_cast<NodeNumber>(nodes_.size()));
  if (fresh) {
    Kept kept;
    for (uint64_t link = 1; link <= kLinks; ++link)
      kept.links[link - 1] = core::Inside::Of(*node, core::LinkId{link}, At(step));
    kept.step = step;
    kept.digest = it->first;
    kept.node = std::move(node);
    nodes_.push_back(std::move(kept));
  }
  return it->second;
}

MessageNumber Pool::Keep(core::Message message) {
  const auto number = static_cast<MessageNumber>(messages_.size());
  const auto [it, fresh] = message_numbers_.try_emplace(core::Inside::Of(message), number);
  if (fresh) messages_.push_back(std::make_unique<core::Message>(std::move(message)));
  return it->second;
}

const Outcome& Pool::Do(const Event& event) {
  const auto [it, fresh] = outcome_numbers_.try_emplace(event, static_cast<uint32_t>(outcomes_.size()));
  if (!fresh) return outcomes_[it->second];
  Outcome& outcome = outcomes_.emplace_back();
  const Kept& before = nodes_[event.node];
  const int step = before.step + (event.kind == Event::Kind::kStep ? 1 : 0);
  auto node = std::make_unique<core::Node>(*before.node);
  Tell(*node, event, step, outcome);
  const bool refused = event.kind == Event::Kind::kWrite && !outcome.wrote;
  if (refused) return outcome;
  core::Effects effects = node->Take();
  for (auto& send : effects.send) {
    // Heartbeats overtake what is queued, and have nothing to do with it: Beat exchanges them.
    if (event.kind == Event::Kind::kStep && IsHeartbeat(send.message)) continue;
    outcome.sent.push_back({static_cast<uint64_t>(send.link), Keep(std::move(send.message))});
  }
  for (const auto& hang_up : effects.hang_up) outcome.hung_up.push_back(static_cast<uint64_t>(hang_up.link));
  for (const auto& answered : effects.answered) {
    if (answered.status.ok()) {
      outcome.acked.push_back(answered.entry);
    } else if (core::ReasonOf(answered.status) == "SUPERSEDED") {
      const core::EntryPtr* held = node->store().Find(answered.entry->key);
      if (held == nullptr || !core::Outranks(**held, *answered.entry)) outcome.fault = "acks: superseded by nothing";
    }
  }
  // Its digest does not have what a reset keeps.
  if (node->retirement().resets() > 0) outcome.fault = "explorer: a node was reset, though nothing is collected";
  if (!effects.dial.empty() || !effects.resolve.empty()) outcome.fault = "explorer: a node dials by itself";
  if (auto fault = Compare(*before.node, *node); !fault.empty()) outcome.fault = fault;
  outcome.node = Keep(std::move(node), step);
  return outcome;
}

void Pool::Tell(core::Node& node, const Event& event, int step, Outcome& outcome) {
  const core::Now now = At(step);
  switch (event.kind) {
    case Event::Kind::kMessage:
      return node.OnMessage(now, core::LinkId{event.link}, *messages_[event.message]);
    case Event::Kind::kClosed:
      return node.OnClosed(now, core::LinkId{event.link});
    case Event::Kind::kPull:
      if (auto message = node.Pull(now, core::LinkId{event.link}))
        outcome.sent.push_back({event.link, Keep(*std::move(message))});
      return;
    case Event::Kind::kWrite: {
      core::WriteCommand command = menu_[event.link];
      command.holder = node.self().node;
      command.value = "of " + command.holder;
      const core::EntryPtr* found = node.store().Find(command.key);
      const core::EntryPtr previous = found ? *found : nullptr;
      if (auto written = node.Submit(now, command); written.ok()) outcome.wrote = written->entry;
      if (outcome.wrote && previous && !core::Outranks(*outcome.wrote, *previous)) {
        outcome.fault = "dots are unique: a write that does not outrank what it replaces";
      }
      return;
    }
    case Event::Kind::kStep:
      node.Tick(now);
      return Beat(node, event.link & 0xffff, event.link >> 16, now);
    case Event::Kind::kDialed:
      return node.OnDialed(now, core::LinkId{event.link}, "", "");
    case Event::Kind::kAccepted:
      return node.OnAccepted(now, core::LinkId{event.link}, "", "");
  }
}

// The heartbeats of a step, on links (bits by id) whose other end pings, and answers.
void Pool::Beat(core::Node& node, uint32_t pinged, uint32_t answered, core::Now now) {
  const auto token = static_cast<uint64_t>(now.mono.ms());
  for (uint64_t link = 1; link <= kLinks; ++link) {
    if (pinged >> link & 1) node.OnMessage(now, core::LinkId{link}, core::Ping{token});
    if (answered >> link & 1) node.OnMessage(now, core::LinkId{link}, core::Pong{token, now.wall_ms});
  }
}

std::string Pool::Compare(const core::Node& before, const core::Node& after) const {
  sim::RanksNeverFall ranks;
  sim::RanksNeverFall::Seen seen;
  ranks.Look(1, before.store(), &seen);
  if (auto fault = ranks.Look(1, after.store(), &seen); !fault.empty()) return "ranks never fall: " + fault;
  if (!after.vector().Covers(before.vector())) return "coverage: what was covered is so no longer";
  return "";
}

LogNumber Pool::Add(LogNumber log, const core::EntryPtr& entry, std::string* fault) {
  // The order of the writes in a history makes no difference.
  const Digest one = core::Inside::Of(*entry);
  const Digest all{log_digests_[log].high ^ one.high, log_digests_[log].low + one.low};
  if (auto it = log_numbers_.find(all); it != log_numbers_.end()) return it->second;
  sim::WriteLog more = logs_[log];
  *fault = sim::DotsUnique().Wrote(1, entry, nullptr, more);
  if (!fault->empty()) {
    *fault = "dots are unique: " + *fault;
    return log;
  }
  const auto number = static_cast<LogNumber>(logs_.size());
  logs_.push_back(std::move(more));
  log_digests_.push_back(all);
  log_numbers_.emplace(all, number);
  return number;
}

std::string Pool::Check(NodeNumber number, LogNumber log) {
  if (!checked_.insert(uint64_t{number} << 32 | log).second) return "";
  const core::Node& at = node(number);
  const auto fault =
      sim::CoverageChecker::Whole({at.self().node, &at.store(), &at.vector(), &at.replica().floor()}, logs_[log]);
  return fault.empty() ? "" : "coverage: " + at.self().node + " " + fault;
}

}  // namespace leasemap::explore
