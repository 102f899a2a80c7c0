// See watching.h.
#include "tests/sim/watching.h"

#include <algorithm>

#include "peer/core/data/error.h"
#include "tests/sim/checkers/bounds.h"

namespace leasemap::sim {

Watching::Watching(World& world, int watchers, int64_t pace)
    : world_(world), random_(world.random().Next()), pace_(pace), watchers_(static_cast<size_t>(watchers)) {
  for (int host = 0; host < world.size(); ++host) hosts_.push_back(host);
  for (size_t id = 1; id < watchers_.size(); id += 2) {  // every other one watches a part of the map
    watchers_[id].filter.prefixes.insert("k1");
    watchers_[id].filter.keys.insert("k2");
  }
  for (size_t id = 2; id < watchers_.size(); id += 3) watchers_[id].slow = true;
  for (size_t id = 0; id < watchers_.size(); id += 4) {  // these ask for renewals too
    watchers_[id].filter.kinds = {core::EventKind::kSet, core::EventKind::kDeleted, core::EventKind::kExpired,
                                  core::EventKind::kLease};
  }
  world_.OnChanged([this](int host) { OnChanged(host); });
}

void Watching::Start() {
  for (size_t id = 0; id < watchers_.size(); ++id) {
    Wake(id, random_.Below(1'000'000));
    MoveLater(id, 0);
  }
}

void Watching::Stop() {
  stopped_ = true;
  for (size_t id = 0; id < watchers_.size(); ++id) {
    if (!watchers_[id].watch) Wake(id, random_.Below(300'000));
  }
}

void Watching::Only(std::vector<int> hosts) {
  hosts_ = std::move(hosts);
  for (size_t id = 0; id < watchers_.size(); ++id) {
    if (std::find(hosts_.begin(), hosts_.end(), watchers_[id].host) != hosts_.end()) continue;
    Disconnect(id);
    Wake(id, random_.Below(300'000));
  }
}

void Watching::MoveLater(size_t id, int64_t away_us) {
  world_.queue().After(away_us + pace_ * (500'000 + random_.Below(4'000'000)), [this, id] {
    if (stopped_) return;
    Disconnect(id);
    // Now and then a cursor is kept for long: where hours are played, for as long as deletes take to be collected.
    const int64_t long_us = pace_ * (pace_ > 1 ? 60'000'000 : 20'000'000);
    const int64_t rest_us = random_.Below(8) == 0 ? random_.Below(long_us) : random_.Below(300'000);
    watchers_[id].wake_us = 0;  // the read that is in the queue is not for this one
    Wake(id, rest_us);
    MoveLater(id, rest_us);
  });
}

void Watching::Disconnect(size_t id) {
  Watcher& watcher = watchers_[id];
  if (watcher.watch) ++moves_;
  watcher.watch.reset();
  watcher.fold.Drop();
}

void Watching::Connect(size_t id) {
  Watcher& watcher = watchers_[id];
  const int host = hosts_[static_cast<size_t>(random_.Below(static_cast<int64_t>(hosts_.size())))];
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
void Watching::Read(size_t id) {
  Watcher& watcher = watchers_[id];
  watcher.wake_us = 0;
  if (!watcher.watch) return Connect(id);
  if (!world_.up(watcher.host) || world_.at(watcher.host).process != watcher.process) {
    Disconnect(id);
    return Wake(id, 50'000);
  }
  if (world_.at(watcher.host).still) return Wake(id, 200'000);
  const core::Node& node = world_.node(watcher.host);
  const core::Now now = world_.NowAt(watcher.host);
  auto batch = node.ReadWatch(now, *watcher.watch);
  if (!batch.ok()) return Ended(id, batch.status());
  if (!batch->empty()) {
    watcher.vain = 0;
    world_.trace().Note(world_.queue().now_us(), "batch", id, batch->events.size(), batch->cursor.size());
  }
  auto fault = CheckSize(*batch);
  if (fault.empty()) fault = watcher.fold.Take(*batch, watcher.filter, node.shown().store, node.shown().vector);
  if (const auto cursor = core::DecodeCursor(batch->cursor); cursor && fault.empty()) {
    const Host& at = world_.at(watcher.host);
    if (at.has_disk && !at.disk.Covers(cursor->vector)) fault = "a cursor names what is not on the node's disk";
  }
  passes_ += batch->pass;
  if (!fault.empty()) {
    return world_.Fail("watchers: " + std::to_string(id) + " at node-" + std::to_string(watcher.host) + ": " + fault);
  }
  if (watcher.slow && !stopped_ && !batch->events.empty()) {
    watcher.busy_until_us = world_.queue().now_us() + pace_ * random_.Below(400'000);
    return Wake(id, watcher.busy_until_us - world_.queue().now_us() + 100);
  }
  Wake(id, batch->more ? 100 : std::max<int64_t>(1, batch->wake - now.mono) * 1000);
}

void Watching::Ended(size_t id, const absl::Status& why) {
  Watcher& watcher = watchers_[id];
  const std::string reason = core::ReasonOf(why);
  world_.trace().Note(world_.queue().now_us(), reason.c_str(), id, static_cast<uint64_t>(watcher.host));
  const bool expired = reason == "CURSOR_EXPIRED";
  if (!expired && reason != "NOT_CAUGHT_UP") return world_.Fail("a watch ended: " + why.ToString());
  Disconnect(id);
  expired_ += expired;
  watcher.vain += !expired;
  if (expired || (may_give_up_ && watcher.vain >= 3)) watcher.fold.Clear();
  Wake(id, 100'000);
}

void Watching::Wake(size_t id, int64_t after_us) {
  const int64_t at_us = world_.queue().now_us() + after_us;
  Watcher& watcher = watchers_[id];
  if (watcher.wake_us != 0 && watcher.wake_us <= at_us) return;
  watcher.wake_us = at_us;
  world_.queue().After(after_us, [this, id, at_us] {
    if (watchers_[id].wake_us == at_us) Read(id);
  });
}

// As in the server: a watch reads again soon after a change, several changes at once.
void Watching::OnChanged(int host) {
  for (size_t id = 0; id < watchers_.size(); ++id) {
    const bool busy = world_.queue().now_us() < watchers_[id].busy_until_us;
    if (watchers_[id].watch && watchers_[id].host == host && !busy) Wake(id, 100 + random_.Below(2000));
  }
}

std::string Watching::Check() const {
  for (size_t id = 0; id < watchers_.size(); ++id) {
    const Watcher& watcher = watchers_[id];
    const std::string name = "watcher " + std::to_string(id);
    if (!watcher.watch || watcher.fold.cursor().empty()) return name + " found no node";
    auto fault = watcher.fold.Compare(watcher.filter, world_.node(watcher.host).store());
    if (!fault.empty()) return name + ": " + fault;
  }
  return "";
}

uint64_t Watching::events() const {
  uint64_t sum = 0;
  for (const Watcher& watcher : watchers_) sum += watcher.fold.events();
  return sum;
}

}  // namespace leasemap::sim
