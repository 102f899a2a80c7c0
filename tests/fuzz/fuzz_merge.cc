// The store against a model: whatever entries come, in whatever order and however often, each key has the one with the
// highest rank, as docs/design.md states it, and two stores that got the same entries have the same hashes.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <tuple>
#include <vector>

#include "peer/core/sync/store.h"

namespace {

using leasemap::core::Entry;
using leasemap::core::EntryPtr;
using leasemap::core::Store;

// The rank of docs/design.md, section 2.5, as a tuple whose parts all go up; the dot, which goes down, is compared
// last.
using Rank = std::tuple<uint64_t, int64_t, std::string, uint64_t, uint64_t>;

std::string Inverted(std::string text) {
  for (char& c : text) c = static_cast<char>(~c);
  return text + '\xff';  // the shorter of two, of which one begins the other, is the greater
}

Rank RankOf(const Entry& entry) {
  const uint64_t value_stamp = entry.value_dot.seq == 0 ? entry.stamp : entry.value_stamp;
  return {entry.lease.epoch, -entry.lease.start_s, Inverted(entry.lease.holder), value_stamp, entry.stamp};
}

// True if a outranks b.
bool Wins(const Entry& a, const Entry& b) {
  if (RankOf(a) != RankOf(b)) return RankOf(a) > RankOf(b);
  return a.dot < b.dot;
}

// Six bytes: key, epoch, start and holder, stamp, what is renewed, node. Its dot is never made twice, and a stamp of a
// value is at most its own.
EntryPtr Make(const uint8_t* bytes, uint64_t number, const std::vector<EntryPtr>& before) {
  auto entry = std::make_shared<Entry>();
  entry->key = std::string(1, static_cast<char>('a' + bytes[0] % 3));
  entry->lease.epoch = bytes[1] % 4;
  entry->lease.start_s = bytes[2] % 4;
  entry->lease.holder = std::vector<std::string>{"a", "ab", "b", "\xc3\xa4"}[bytes[2] / 4 % 4];
  entry->lease.duration_ms = 1000;
  entry->stamp = bytes[3];
  entry->dot = {{std::string(1, static_cast<char>('m' + bytes[5] % 3)), 1}, number + 1};
  entry->tombstone = bytes[5] / 4 % 4 == 0;
  entry->value = entry->tombstone ? "" : std::to_string(number);
  if (!before.empty() && bytes[4] % 2 == 1) {
    const Entry& renewed = *before[bytes[4] / 2 % before.size()];
    if (renewed.key == entry->key && renewed.value_dot.seq == 0 && renewed.stamp <= entry->stamp &&
        !renewed.tombstone && !entry->tombstone) {
      entry->value = renewed.value;
      entry->value_dot = renewed.dot;
      entry->value_stamp = renewed.stamp;
    }
  }
  return entry;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kEach = 6, kMost = 200;
  std::vector<EntryPtr> entries;
  for (size_t at = 0; at + kEach <= size && entries.size() < kMost; at += kEach) {
    entries.push_back(Make(data + at, entries.size(), entries));
  }
  std::map<std::string, EntryPtr> model;
  for (const EntryPtr& entry : entries) {
    EntryPtr& present = model[entry->key];
    if (present == nullptr || Wins(*entry, *present)) present = entry;
  }
  Store forward, backward;
  for (const EntryPtr& entry : entries) forward.Merge(entry);
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    backward.Merge(*entry);
    if (backward.Merge(*entry)) std::abort();  // the same again changes nothing
  }
  if (forward.by_key().size() != model.size() || forward.hashes() != backward.hashes()) std::abort();
  for (const auto& [key, entry] : model) {
    if (*forward.Find(key) != entry || *backward.Find(key) != entry) std::abort();
  }
  return 0;
}
