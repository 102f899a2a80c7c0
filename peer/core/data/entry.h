// The entry: the latest write of one key, and the rank that settles which of two entries of a key wins.
//
// Merge keeps the entry of the higher rank and reads nothing but the two entries: no clock, no order of arrival. The
// rank is a total order, so merging is commutative, associative and idempotent, and replicas that have seen the same
// writes hold the same map (a state-based CRDT: Shapiro et al., "Conflict-free Replicated Data Types", 2011, section
// 3).
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "peer/core/data/value.h"

namespace leasemap::core {

// One run of one node's process: what numbers its writes. Incarnations of a node are ordered by their start.
struct ReplicaId {
  std::string node;
  uint64_t incarnation = 0;
  auto operator<=>(const ReplicaId&) const = default;
};

// Which write this is. seq counts 1, 2, 3 … within an incarnation; a dot is never made twice.
struct Dot {
  ReplicaId replica;
  uint64_t seq = 0;
  auto operator<=>(const Dot&) const = default;
};

struct Lease {
  std::string holder;
  uint64_t epoch = 0;       // rises with each acquisition, and with the cluster's lease period
  int64_t start_s = 0;      // UTC seconds of the acquisition; a renewal keeps it
  int64_t duration_ms = 0;  // as last asked for; 0: no lease
  int64_t expire_ms = 0;    // UTC; time of the write + duration, or the time of the release
  bool released = false;    // given up by its holder: anyone may acquire at once
  bool operator==(const Lease&) const = default;
};

// Immutable once made; shared between the store's orders, the own log and messages under way.
struct Entry {
  std::string key;
  Value value;
  bool value_is_text = false;
  bool value_left_out = false;  // under way only: the receiver takes the value from the entry that it has
  bool tombstone = false;
  bool ephemeral = false;
  bool value_gone = false;  // ephemeral, lapsed, its value given up (kKeepLapsedMs): dead whatever a clock says
  Lease lease;
  Dot dot;
  uint64_t request = 0;  // hash of the holder and its request ID (requests.h); 0: it gave none
  uint64_t stamp = 0;    // hybrid clock: 48 bits of milliseconds, 16 of counter
  // The write that set the value, where this one kept it (a renewal, a release), and that write's stamp. seq 0: this
  // write set it itself. Read by ValueDot and ValueStamp.
  Dot value_dot;
  uint64_t value_stamp = 0;
  std::string unknown_fields;  // fields of a later protocol version, stored and forwarded unchanged
  bool operator==(const Entry&) const = default;
};
using EntryPtr = std::shared_ptr<const Entry>;

// The write that set the entry's value (for a tombstone: that took it away), and its stamp: at most the entry's own.
inline const Dot& ValueDot(const Entry& entry) { return entry.value_dot.seq == 0 ? entry.dot : entry.value_dot; }
inline uint64_t ValueStamp(const Entry& entry) { return entry.value_dot.seq == 0 ? entry.stamp : entry.value_stamp; }

// The rank: (epoch up, start down, holder down bytewise, stamp of the value up, stamp up, dot down; of one dot the copy
// whose value is gone). The greater wins. By the value's stamp a renewal through a node that lags never undoes a newer
// value of its own lease (docs/decisions/0024).
std::strong_ordering CompareRank(const Entry& a, const Entry& b);
inline bool Outranks(const Entry& a, const Entry& b) { return CompareRank(a, b) > 0; }

// Bytes that the entry counts for in every bound on bytes: key, value and a flat 200 for the rest.
inline size_t Weight(const Entry& entry) {
  return entry.key.size() + entry.value.size() + entry.unknown_fields.size() + 200;
}

// The same entry, without the value if an earlier write set that and it has at least `least` bytes.
EntryPtr WithoutKeptValue(const EntryPtr& entry, size_t least = 1);
// The same entry, its value given up.
EntryPtr WithValueGone(const Entry& entry);

// Bytes of memory that an entry of the map takes: its weight, its key once more, and what the allocator, the shared
// pointer and the map's orders add: measured 270 to 300 for small entries, by the anonymous memory of leasemapd with
// 100,000 keys. One that shares its value keeps the entry alive that the value came with.
inline size_t Footprint(const Entry& entry) {
  const size_t keeps = entry.value.shared() ? entry.key.size() + 200 : 0;
  return Weight(entry) + entry.key.size() + 300 + keeps;
}

// Epoch and inverted start as 32 hex digits: as strings they never fall while a key's leases follow one another.
std::string FencingToken(const Lease& lease);

// The dot as the opaque string that clients see, and back; nullopt for anything that VersionOf did not make.
std::string VersionOf(const Dot& dot);
std::optional<Dot> ParseVersion(std::string_view version);

// 64-bit hash of a key and a dot, the same on all nodes and builds; the parts of the map's fingerprint.
uint64_t HashOf(const Entry& entry);

}  // namespace leasemap::core
