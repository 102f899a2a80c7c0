// A copy of the cluster's map, or of the keys below a prefix, in this process: reads ask no node.
//
//   leasemap::SyncMap map(client, {.prefix = "config/"});
//   if (absl::Status synced = map.WaitSynced(); !synced.ok()) …
//   std::string color = map.Get("config/color").value_or("blue");
//
// One watch keeps the copy fresh. The client sends the writes. All its maps show an answered write at once, to all
// threads, until the watch brings that write or a later one. If the watch does not bring it within 30 s, or within 3 s
// after it moved to another node, the write died with its node, and the maps show the entry of the watch again. Two
// clients, even of one process, see each other's writes by their watches only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "leasemap/client.h"
#include "leasemap/entry.h"
#include "leasemap/options.h"
#include "leasemap/subscription.h"

namespace leasemap {

namespace internal {
class Engine;
class MapFeed;
}  // namespace internal

// All methods may be called by many threads at once. The copy takes about 0.6 KB a key beside its value.
class SyncMap {
 public:
  // Starts the map's watch. The map may outlive the client: it can still be read then, and grows stale.
  explicit SyncMap(const Client& client, const MapOptions& options = {});
  // Ends the watch, and what OnEvent registered.
  ~SyncMap();
  SyncMap(const SyncMap&) = delete;
  SyncMap& operator=(const SyncMap&) = delete;

  // The watch lives and has brought all entries of its node: reads then lag behind that node by one message. False
  // while the map looks for a node; the copy may then be old.
  bool synced() const;
  // OK, or why the nodes refused the watch, which ended it: kPermissionDenied, kUnauthenticated. The map is not synced
  // any more, and stays what it is; make another one to try again.
  absl::Status refused() const;
  // Waits until synced(), for this time at most: then kUnavailable, with the error of the last node. CLOSED. Returns
  // refused() if that ended the watch.
  absl::Status WaitSynced(absl::Duration most = absl::Seconds(10)) const;

  // The key's value, as far as the copy knows; nothing if there is none. Well below a microsecond for short values.
  std::optional<std::string> Get(std::string_view key) const;
  // The key's entry: value, holder, lease, version, times; null if there is none. It is shared with the copy, never
  // changes, and costs no copy of the value.
  std::shared_ptr<const Entry> Find(std::string_view key) const;
  bool Contains(std::string_view key) const;
  size_t size() const;
  // All entries of this moment, in bytewise order of their keys.
  std::vector<std::shared_ptr<const Entry>> Entries() const;
  // What all keys of the map start with.
  const std::string& prefix() const;

  // Client::Set and Client::Delete; kInvalidArgument for a key that is not below the prefix, since it would not be
  // seen.
  absl::StatusOr<Entry> Set(std::string_view key, std::string_view value, const SetOptions& options = {});
  absl::StatusOr<Entry> Delete(std::string_view key, const DeleteOptions& options = {});

  // Calls the handler for each change of the map from now on, on the client's thread for handlers, until the
  // subscription or the map goes:
  //   kSet                a value was set, or the key changed hands. Renewals make no event, nor do the entries of the
  //                       first snapshot.
  //   kDeleted, kExpired  the key is gone.
  //   kLost               a write of this client, or one that its node took, lost to another lease's write (winner).
  // A slow handler gets the latest event of each key only, and of 100,000 keys at most: beyond that the oldest are
  // skipped. The map's watch never waits for it. After a move to a node where the cursor has expired, the map compares
  // a new snapshot with its copy, and makes events of the difference.
  [[nodiscard]] Subscription OnEvent(std::function<void(const Event&)> handler);

  // For the library's other classes.
  const std::shared_ptr<internal::MapFeed>& feed() const { return feed_; }

 private:
  absl::Status CheckKey(std::string_view key) const;

  std::shared_ptr<internal::Engine> engine_;
  std::shared_ptr<internal::MapFeed> feed_;
};

}  // namespace leasemap
