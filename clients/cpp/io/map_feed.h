// What feeds a SyncMap: its watch and its near cache on the loop, and the copy that all threads read.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "clients/cpp/core/lately.h"
#include "clients/cpp/core/near_cache.h"
#include "clients/cpp/io/following.h"
#include "clients/cpp/io/subscribed.h"

namespace leasemap::internal {

// The copy.
class Table final : public ShownMap {
 public:
  void Show(const std::string& key, EntryPtr entry) override;
  void ShowAll(EntryMap entries) override;
  EntryPtr Shown(const std::string& key) const override { return Find(key); }

  std::optional<std::string> Get(std::string_view key) const;
  EntryPtr Find(std::string_view key) const;
  bool Contains(std::string_view key) const;
  size_t size() const;
  std::vector<EntryPtr> Entries() const;

 private:
  mutable absl::Mutex mutex_;  // guards the entries; held for one look or change, but by Entries
  EntryMap entries_ ABSL_GUARDED_BY(mutex_);
};

class MapFeed;

// One handler of a map's events. The events that it was not told yet wait here: of each key the latest one.
class MapEvents final : public Subscribed {
 public:
  using Handler = std::function<void(const Event&)>;

  MapEvents(std::shared_ptr<Engine> engine, std::weak_ptr<MapFeed> feed, Handler handler);

  // On the loop.
  void Publish(const std::vector<Change>& changes);
  // An event of kBookmark, which is empty, so that the handler looks at what is there.
  void PublishBookmark();

 private:
  void OnStopped() override;
  void Drain();

  const std::weak_ptr<MapFeed> feed_;
  const Handler handler_;
  Lately<Change> latest_, lost_;
  bool draining_ = false;  // the handler has some
};

class MapFeed final : public Follower, public WriteViewer, public std::enable_shared_from_this<MapFeed> {
 public:
  MapFeed(std::shared_ptr<Engine> engine, std::string prefix);

  // Any thread:
  const std::string& prefix() const { return prefix_; }
  const Table& table() const { return table_; }
  bool synced() const;
  absl::Status WaitSynced(absl::Duration most) const;
  absl::Status refused() const;

  // On the loop:
  void Start();
  void Stop();
  void Add(const std::shared_ptr<MapEvents>& events);
  void Remove(const MapEvents* events);

  v1::WatchRequest Request() override { return cache_.Request(); }
  void Took(const v1::WatchResponse& message) override;
  bool Broke(const absl::Status& status) override;
  void Ended() override;
  std::vector<std::string> Versions(const std::string& key) const override { return cache_.Versions(key); }
  void Wrote(const Entry& entry, const std::vector<std::string>& before) override;

 private:
  // What those who wait for the map see.
  struct State {
    bool synced = false;
    bool ended = false;
    absl::Status last;     // why the watch broke last
    absl::Status refused;  // why the nodes refused it, which ended it; or OK
  };
  void PlanExpiry();
  bool IsDecided() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return state_.synced || state_.ended; }

  const std::shared_ptr<Engine> engine_;
  const std::string prefix_;
  Table table_;
  NearCache cache_;
  std::vector<std::shared_ptr<MapEvents>> events_;
  std::shared_ptr<Following> following_;
  bool planned_ = false;       // a look at own writes
  mutable absl::Mutex mutex_;  // guards the state, which other threads read
  State state_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace leasemap::internal
