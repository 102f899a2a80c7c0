// The map itself, in two orders: by key (reads, lists, sessions) and by revision (watches).
//
// A revision numbers the changes applied on this node, 1, 2, 3 …; a key has the revision of its latest change, so a
// reader that walks the revisions meets each changed key once, however far behind it is.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "peer/core/entry.h"

namespace leasemap::core {

class Store {
 public:
  Store() = default;
  // by_revision_ points into by_key_: a copy makes its own; a moved std::map takes its nodes along.
  Store(const Store& other);
  Store(Store&&) = default;
  Store& operator=(Store&&) = default;

  struct Slot {
    EntryPtr entry;
    uint64_t revision = 0;
  };
  using ByKey = std::map<std::string, Slot, std::less<>>;
  static constexpr size_t kBuckets = 256;

  // The present entry of a key, tombstones included; null if there never was one.
  const EntryPtr* Find(std::string_view key) const;
  // Keeps `entry` if it outranks what is there, under a new revision. Returns whether it stands now.
  bool Merge(EntryPtr entry);

  const ByKey& by_key() const { return by_key_; }
  // The first slot whose revision is above `revision`; null at the head.
  const Slot* NextAfter(uint64_t revision) const;

  uint64_t head() const { return head_; }
  uint64_t live_keys() const { return live_keys_; }
  uint64_t keys() const { return by_key_.size(); }
  uint64_t bytes() const { return bytes_; }
  // XOR of HashOf over the entries of each bucket: equal vectors must mean equal hashes.
  const std::array<uint64_t, kBuckets>& hashes() const { return hashes_; }
  uint64_t hash() const;

 private:
  void Count(const Entry& entry, bool add);

  ByKey by_key_;
  absl::btree_map<uint64_t, const Slot*> by_revision_;  // std::map's nodes stay where they are
  uint64_t head_ = 0;                                   // the latest revision given
  uint64_t live_keys_ = 0;
  uint64_t bytes_ = 0;
  std::array<uint64_t, kBuckets> hashes_{};
};

}  // namespace leasemap::core
