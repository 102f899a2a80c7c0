// How a client hears at once that a lease is lost, or that a key which it waits for is free: it watches the keys of its
// leases, and those that it waits for, without their values. On the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "clients/cpp/io/engine.h"
#include "clients/cpp/io/following.h"

namespace leasemap::internal {

class KeyWatch;

class KeyWatches {
 public:
  explicit KeyWatches(Engine& engine);
  ~KeyWatches();

  // The key of a lease that is held; Remove ends that.
  void Add(const std::string& key);
  void Remove(const std::string& key);
  // Calls `woken` whenever the key may be free, until Unlisten with the number that this returns.
  using Woken = std::function<void()>;
  uint64_t Listen(const std::string& key, Woken woken);
  void Unlisten(const std::string& key, uint64_t number);
  // Tells those who wait for the key that it may be free.
  void Wake(const std::string& key);
  void Stop();

 private:
  friend class KeyWatch;
  // One key, and why it is wanted.
  struct Wanted {
    int leases = 0;
    std::map<uint64_t, Woken> waiting;
    KeyWatch* watch = nullptr;  // null if there was no room
  };
  Wanted& Want(const std::string& key);
  void DropUnwanted(const std::string& key);
  KeyWatch* Room();
  void Drop(KeyWatch* watch);

  Engine& engine_;
  uint64_t last_ = 0;
  absl::flat_hash_map<std::string, Wanted> wanted_;
  std::vector<std::unique_ptr<KeyWatch>> watches_;
};

// One watch, of a thousand keys at most. When its keys change it is opened again, with a snapshot, which is small and
// tells what happened in between.
class KeyWatch final : public Follower {
 public:
  explicit KeyWatch(KeyWatches& all);
  ~KeyWatch() override;

  bool HasRoom() const;
  void Add(const std::string& key);
  void Remove(const std::string& key);

  v1::WatchRequest Request() override;
  void Took(const v1::WatchResponse& message) override;
  bool Broke(const absl::Status&) override { return true; }
  void Ended() override {}

 private:
  void EndSnapshot();
  void ReopenSoon();

  KeyWatches& all_;
  absl::flat_hash_set<std::string> keys_;         // wanted now
  absl::flat_hash_map<std::string, bool> asked_;  // of the stream that is open; true once its snapshot told of it
  bool whole_ = false;                            // the snapshot was told
  bool reopening_ = false;
  Moment opened_;
  Moment idle_since_;
  bool idle_planned_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for what is planned
  std::shared_ptr<Following> following_;
};

}  // namespace leasemap::internal
