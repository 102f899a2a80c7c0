// A reader of watches alone: the map, the members and the clock that it reads are made by hand.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/watch_reader.h"
#include "tests/core/matchers.h"

namespace leasemap::core {

class ReaderAlone : public testing::Test {
 protected:
  using Phase = Watch::Phase;
  static constexpr int64_t kWallMs = 1'700'000'000'000;

  WatchReader Reader() {
    return WatchReader({now_, options_, self_, map_, maps_, map_.vector, conflicts_, membership_, trusted_, horizon_ms_,
                        saving_, kept_dead_ms_, is_linked_, named_});
  }
  Watch Start(bool snapshot = false, const WatchFilter& filter = {}, const std::string& cursor = "") {
    auto watch = Reader().Start(filter, snapshot, cursor);
    EXPECT_THAT(watch, IsOk());
    return *std::move(watch);
  }
  // A watch that waits at a cursor.
  Watch Resume(const VersionVector& vector, int64_t told_ms = kWallMs) {
    return Start(false, {}, EncodeCursor({options_.cluster, vector, told_ms, WatchFilter().Hash()}));
  }
  WatchBatch Read(Watch& watch) {
    auto batch = Reader().Read(watch);
    EXPECT_THAT(batch, IsOk());
    return batch.ok() ? *std::move(batch) : WatchBatch{};
  }
  std::string Reason(Watch& watch) {
    const auto batch = Reader().Read(watch);
    return batch.ok() ? batch->empty() ? "WAITS" : "OK" : ReasonOf(batch.status());
  }
  std::string Text(Watch& watch) { return std::string(Reader().Read(watch).status().message()); }

  std::shared_ptr<Entry> Draft(const std::string& key, const ReplicaId& replica = {"p", 1}) {
    auto entry = std::make_shared<Entry>();
    entry->key = key;
    entry->value = "v";
    entry->dot = {replica, ++seq_};
    entry->stamp = StampAt(kWallMs) + seq_;
    entry->lease.epoch = seq_;
    entry->lease.holder = "h";
    entry->lease.duration_ms = 10'000;
    entry->lease.expire_ms = kWallMs + 10'000;
    return entry;
  }
  void Put(const EntryPtr& entry) {
    map_.vector.Add(entry->dot);
    map_.store.Merge(entry);
  }
  void Set(const std::string& key) { Put(Draft(key)); }
  void Delete(const std::string& key) {
    auto entry = Draft(key);
    entry->tombstone = true;
    Put(entry);
  }
  void SetEphemeral(const std::string& key, int64_t expire_ms) {
    auto entry = Draft(key);
    entry->ephemeral = true;
    entry->lease.expire_ms = expire_ms;
    Put(entry);
  }
  // The same lease and value, under a new dot.
  void Renew(const std::string& key) {
    const Entry& before = **map_.store.Find(key);
    auto entry = std::make_shared<Entry>(before);
    entry->dot = {{"p", 1}, ++seq_};
    entry->stamp = StampAt(kWallMs) + seq_;
    entry->value_dot = ValueDot(before);
    entry->value_stamp = ValueStamp(before);
    Put(entry);
  }
  static std::string Shown(const WatchBatch& batch) {
    std::string out;
    for (const WatchEvent& event : batch.events) {
      const char* kinds[] = {"+", "-", "x", "!", "~"};
      absl::StrAppend(&out, kinds[static_cast<int>(event.kind)], event.entry->key);
    }
    return out;
  }
  static WatchFilter Of(std::set<EventKind> kinds) {
    WatchFilter filter;
    filter.kinds = std::move(kinds);
    return filter;
  }

  NodeOptions options_;
  Now now_{MonoTime(1'000'000), kWallMs};
  ReplicaId self_{"self", 1};
  MapState map_{options_.rules};
  uint64_t maps_ = 0;
  Conflicts conflicts_;
  Saving saving_{false, 1};  // there is no disk
  Membership membership_{{"self", 1}, {}, 1};
  bool trusted_ = true;
  int64_t horizon_ms_ = kWallMs;
  int64_t kept_dead_ms_ = 3'600'000;
  std::set<ReplicaId> linked_;
  std::function<bool(const ReplicaId&)> is_linked_ = [this](const ReplicaId& id) { return linked_.contains(id); };
  std::function<VersionVector(const VersionVector&)> named_ = [](const VersionVector& vector) { return vector; };
  uint64_t seq_ = 0;
};

}  // namespace leasemap::core
