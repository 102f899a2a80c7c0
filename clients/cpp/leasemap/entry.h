// Entries and events, as programs see them.
#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace leasemap {

// The latest write of one key. Keys and values are bytes in strings, which need not be UTF-8.
struct Entry {
  std::string key;
  // Empty where the key is deleted, or where the values were not asked for (see has_value).
  std::string value;
  // The entry has a value, which may be empty. The answers of Renew, Release and Delete have none.
  bool has_value = false;
  // The value was set as bytes, not as text. C++ does not care; Python and JSON do.
  bool binary = false;
  // This write deleted the key.
  bool deleted = false;
  // The key vanishes when its lease lapses or is given up.
  bool ephemeral = false;
  // Who has the lease, or had it last.
  std::string holder;
  // When the lease was acquired (UTC, whole seconds); a renewal keeps it.
  absl::Time lease_start = absl::UnixEpoch();
  // The end of the lease: until then other holders are refused (UTC, milliseconds). Not after `updated` if there is no
  // lease.
  absl::Time expires = absl::UnixEpoch();
  // 32 hex digits that order the leases of one key as strings. A resource that keeps the greatest token it has seen,
  // and refuses smaller ones, is safe from holders of the past.
  std::string fencing_token;
  // Names this write: opaque, the same on every node, never used twice.
  std::string version;
  // The time of the write (UTC, milliseconds), by the clock of the node that took it.
  absl::Time updated = absl::UnixEpoch();
  // The ID of that node.
  std::string origin;
  // The time of the write that set the value, where a later one kept the value; else `updated`.
  absl::Time value_time = absl::UnixEpoch();

  // The entry was written with a lease that was not given up. The lease may have lapsed since.
  bool leased() const { return !deleted && expires > updated; }
};

enum class Kind {
  // A value was set, or the key changed hands. A resumed watch may bring a renewed key so, too.
  kSet = 1,
  // The key was deleted.
  kDeleted,
  // An ephemeral key vanished, since its lease lapsed or was given up. The entry is its last one.
  kExpired,
  // A write lost to the write of another lease: two sides of a partition granted one each. The entry is the lost write,
  // `winner` the one that replaced it.
  kLost,
  // The holder renewed its lease, and nothing else changed. Only watches that ask for this kind get it.
  kLease,
  // Nothing changed: `cursor` is new, or the snapshot is complete. Only with WatchOptions::bookmarks.
  kBookmark,
};

// The kind in lower case, as "set".
std::string_view KindName(Kind kind);

// A change of one key, or a bookmark.
struct Event {
  Kind kind = Kind::kSet;
  Entry entry = {};
  // Of kLost: the entry that replaced the lost write; its key is empty if it is not known.
  Entry winner = {};
  // Of kBookmark: a watch for the same keys and kinds resumes after it, on any node (WatchOptions::cursor).
  std::string cursor = {};
  // Of kBookmark: the handler got all entries from before the watch began.
  bool snapshot_end = false;
};

}  // namespace leasemap
