// See clients.h.
#include "tests/sim/clients.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"

namespace leasemap::sim {

Clients::Clients(World& world, int writers, int watchers, int keys, int64_t pause_us)
    : world_(world),
      random_(world.random().Next()),
      writers_(writers),
      keys_(keys),
      pause_us_(pause_us),
      watchers_(static_cast<size_t>(watchers)) {
  for (size_t id = 1; id < watchers_.size(); id += 2) {  // every other one watches a part of the map
    watchers_[id].filter.prefixes.insert("k1");
    watchers_[id].filter.keys.insert("k2");
  }
  world_.OnChanged([this](int host) { OnChanged(host); });
}

void Clients::Start() {
  for (int writer = 0; writer < writers_; ++writer) {
    world_.queue().After(random_.Below(pause_us_), [this, writer] { WriteSome(writer); });
  }
  if (fill_ > 0) world_.queue().After(random_.Below(2'000'000), [this] { FillSome(); });
  for (size_t id = 0; id < watchers_.size(); ++id) {
    Wake(id, random_.Below(1'000'000));
    MoveLater(id);
  }
}

void Clients::FillSome() {
  const int host = static_cast<int>(random_.Below(world_.size()));
  for (int n = 0; n < 60 && fill_ > 0 && world_.ready(host); ++n, --fill_) {
    core::WriteCommand command;
    command.key = absl::StrCat("k1/fill/", fill_);
    command.value = absl::StrCat(++next_value_);
    command.holder = absl::StrCat("node-", host);
    world_.Write(host, command);
  }
  if (fill_ > 0 && !stopped_) world_.queue().After(20'000, [this] { FillSome(); });
}

void Clients::WriteSome(int writer) {
  if (stopped_) return;
  const int host = static_cast<int>(random_.Below(world_.size()));
  if (world_.ready(host)) world_.Write(host, RandomCommand(host, writer));
  // Now and then a burst, so that links fall behind; now and then a rest.
  const int64_t pick = random_.Below(20);
  const int64_t pause = pick < 4 ? 200 : pick == 19 ? 6 * pause_us_ : pause_us_ / 2 + random_.Below(pause_us_);
  world_.queue().After(pause, [this, writer] { WriteSome(writer); });
}

core::WriteCommand Clients::RandomCommand(int host, int writer) {
  core::WriteCommand command;
  command.key = absl::StrCat("k", random_.Below(keys_));
  command.value = absl::StrCat(++next_value_);
  command.holder = random_.Below(3) == 0 ? absl::StrCat("node-", host) : absl::StrCat("client-", writer % 3);
  const int64_t what = random_.Below(10);
  command.change = what < 6   ? core::Change::kSet
                   : what < 8 ? core::Change::kDelete
                   : what < 9 ? core::Change::kRenew
                              : core::Change::kRelease;
  if (!world_.rules().leasing) {
    if (what >= 8) command.change = core::Change::kSet;
    return command;
  }
  static constexpr std::array<int64_t, 5> kDurations = {0, 0, 2000, 3000, 15000};
  const size_t pick = static_cast<size_t>(random_.Below(6));
  if (pick < kDurations.size()) command.duration_ms = kDurations[pick];
  if (command.change == core::Change::kSet) {
    command.if_absent = random_.Below(10) == 0;
    command.ephemeral = command.duration_ms != 0 && random_.Below(3) == 0;
  }
  if (command.change == core::Change::kDelete) command.allow_missing = random_.Below(2) == 0;
  return command;
}

void Clients::MoveLater(size_t id) {
  world_.queue().After(500'000 + random_.Below(4'000'000), [this, id] {
    if (stopped_) return;
    Disconnect(id);
    Wake(id, random_.Below(300'000));
    MoveLater(id);
  });
}

void Clients::Disconnect(size_t id) {
  Watcher& watcher = watchers_[id];
  if (watcher.watch) ++moves_;
  watcher.watch.reset();
  watcher.fold.Drop();
}

void Clients::Connect(size_t id) {
  Watcher& watcher = watchers_[id];
  const int host = static_cast<int>(random_.Below(world_.size()));
  if (!world_.ready(host)) return Wake(id, 200'000);
  const std::string& cursor = watcher.fold.cursor();
  auto watch = world_.node(host).StartWatch(world_.NowAt(host), watcher.filter, cursor.empty(), cursor);
  if (!watch.ok()) return world_.Fail("a watch was refused: " + watch.status().ToString());
  watcher.watch = *std::move(watch);
  watcher.host = host;
  watcher.process = world_.at(host).process;
  Read(id);
}

// Reads what there is, and sees to the next read.
void Clients::Read(size_t id) {
  Watcher& watcher = watchers_[id];
  watcher.wake_us = 0;
  if (!watcher.watch) return Connect(id);
  if (!world_.up(watcher.host) || world_.at(watcher.host).process != watcher.process) {
    Disconnect(id);
    return Wake(id, 50'000);
  }
  const core::Node& node = world_.node(watcher.host);
  const core::Now now = world_.NowAt(watcher.host);
  auto batch = node.ReadWatch(now, *watcher.watch);
  if (!batch.ok()) {
    const std::string reason = core::ReasonOf(batch.status());
    world_.trace().Note(world_.queue().now_us(), reason.c_str(), id, static_cast<uint64_t>(watcher.host));
    if (reason != "CURSOR_EXPIRED" && reason != "NOT_CAUGHT_UP") {
      return world_.Fail("a watch ended: " + batch.status().ToString());
    }
    Disconnect(id);
    const bool expired = reason == "CURSOR_EXPIRED";
    expired_ += expired;
    watcher.vain += !expired;
    if (expired || (may_give_up_ && watcher.vain >= 3)) watcher.fold.Clear();
    return Wake(id, 100'000);
  }
  if (!batch->empty()) {
    watcher.vain = 0;
    world_.trace().Note(world_.queue().now_us(), "batch", id, batch->events.size(), batch->cursor.size());
  }
  if (auto fault = watcher.fold.Take(*batch, watcher.filter, node.store()); !fault.empty()) {
    return world_.Fail("watchers: " + std::to_string(id) + " at node-" + std::to_string(watcher.host) + ": " + fault);
  }
  Wake(id, batch->more ? 100 : std::max<int64_t>(1, batch->wake_ms - now.mono_ms) * 1000);
}

void Clients::Wake(size_t id, int64_t after_us) {
  const int64_t at_us = world_.queue().now_us() + after_us;
  Watcher& watcher = watchers_[id];
  if (watcher.wake_us != 0 && watcher.wake_us <= at_us) return;
  watcher.wake_us = at_us;
  world_.queue().After(after_us, [this, id, at_us] {
    if (watchers_[id].wake_us == at_us) Read(id);
  });
}

// As in the server: a watch reads again soon after a change, several changes at once.
void Clients::OnChanged(int host) {
  for (size_t id = 0; id < watchers_.size(); ++id) {
    if (watchers_[id].watch && watchers_[id].host == host) Wake(id, 100 + random_.Below(2000));
  }
}

std::string Clients::Check() const {
  for (size_t id = 0; id < watchers_.size(); ++id) {
    const Watcher& watcher = watchers_[id];
    const std::string name = "watcher " + std::to_string(id);
    if (!watcher.watch || watcher.fold.cursor().empty()) return name + " found no node";
    auto fault = watcher.fold.Compare(watcher.filter, world_.node(watcher.host).store());
    if (!fault.empty()) return name + ": " + fault;
  }
  return "";
}

uint64_t Clients::events() const {
  uint64_t sum = 0;
  for (const Watcher& watcher : watchers_) sum += watcher.fold.events();
  return sum;
}

}  // namespace leasemap::sim
