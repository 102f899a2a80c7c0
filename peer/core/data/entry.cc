#include "peer/core/data/entry.h"

#include "peer/core/data/bytes.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

std::strong_ordering CompareRank(const Entry& a, const Entry& b) {
  if (auto c = a.lease.epoch <=> b.lease.epoch; c != 0) return c;
  if (auto c = b.lease.start_s <=> a.lease.start_s; c != 0) return c;
  // std::string compares as unsigned bytes (char_traits<char>::compare), which is the order that the rule names.
  if (auto c = b.lease.holder <=> a.lease.holder; c != 0) return c;
  if (auto c = ValueStamp(a) <=> ValueStamp(b); c != 0) return c;
  if (auto c = a.stamp <=> b.stamp; c != 0) return c;
  if (auto c = b.dot <=> a.dot; c != 0) return c;
  return a.value_gone <=> b.value_gone;
}

std::string FencingToken(const Lease& lease) {
  // Without snprintf: every Get makes one.
  constexpr char kDigits[] = "0123456789abcdef";
  std::string token(32, '0');
  uint64_t epoch = lease.epoch, inverted = ~static_cast<uint64_t>(lease.start_s);
  for (int i = 15; i >= 0; --i, epoch >>= 4, inverted >>= 4) {
    token[i] = kDigits[epoch & 15];
    token[16 + i] = kDigits[inverted & 15];
  }
  return token;
}

std::string VersionOf(const Dot& dot) {
  std::string raw;
  PutVarint(raw, dot.seq);
  PutFixed64(raw, dot.replica.incarnation);
  PutString(raw, dot.replica.node);
  return EncodeBase64(raw);
}

std::optional<Dot> ParseVersion(std::string_view version) {
  const auto raw = DecodeBase64(version);
  if (!raw) return std::nullopt;
  Reader reader(*raw);
  Dot dot;
  dot.seq = reader.Varint();
  dot.replica.incarnation = reader.Fixed64();
  dot.replica.node = reader.String(kMaxNameBytes);
  if (!reader.done() || dot.seq == 0 || dot.replica.node.empty() || VersionOf(dot) != version) return std::nullopt;
  return dot;
}

uint64_t HashOf(const Entry& entry) {
  uint64_t hash = Hash64(entry.key);
  hash = Hash64(entry.dot.replica.node, hash);
  std::string numbers;
  PutFixed64(numbers, entry.dot.replica.incarnation);
  PutFixed64(numbers, entry.dot.seq);
  return Hash64(numbers, hash);
}

EntryPtr WithValueGone(const Entry& entry) {
  auto out = std::make_shared<Entry>(entry);
  out->value = {};
  out->value_is_text = false;
  out->value_gone = true;
  return out;
}

EntryPtr WithoutKeptValue(const EntryPtr& entry, size_t least) {
  if (entry->value_dot.seq == 0 || entry->value.size() < least) return entry;
  auto out = std::make_shared<Entry>(*entry);
  out->value = {};
  out->value_left_out = true;
  return out;
}

}  // namespace leasemap::core
