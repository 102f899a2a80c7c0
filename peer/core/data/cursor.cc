#include "peer/core/data/cursor.h"

#include <map>
#include <utility>

#include "peer/core/data/bytes.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {

constexpr uint64_t kFormat = 3;  // 2, of before, had no past mark, but marks of single nodes: it is still read
constexpr uint64_t kChecksumSeed = 0x6c6d63;  // "lmc": a checksum of nothing else

void PutVector(std::string& out, const VersionVector& vector, uint64_t format) {
  PutVarint(out, vector.runs().size());
  for (const auto& [replica, coverage] : vector.runs()) {
    PutString(out, replica.node);
    PutFixed64(out, replica.incarnation);
    PutVarint(out, coverage.prefix);
    PutVarint(out, coverage.exceptions.size());
    uint64_t at = coverage.prefix;
    for (const auto& [first, last] : coverage.exceptions) {
      PutVarint(out, first - at);
      PutVarint(out, last - first);
      at = last;
    }
  }
  PutVarint(out, vector.marks().size());
  for (const auto& [node, mark] : vector.marks()) {
    PutString(out, node);
    PutFixed64(out, mark.below);
    PutFixed64(out, mark.digest);
  }
  if (format < kFormat) return;
  PutFixed64(out, vector.past_mark().upto);
  PutFixed64(out, vector.past_mark().digest);
}

bool ReadVector(Reader& in, uint64_t format, VersionVector* vector) {
  std::map<ReplicaId, Coverage> runs;
  for (uint64_t n = in.Varint(); n > 0 && in.ok(); --n) {
    ReplicaId replica;
    replica.node = in.String(kMaxNameBytes);
    replica.incarnation = in.Fixed64();
    uint64_t at = in.Varint();
    Coverage& run = runs[replica];
    if (at > 0) run.Add(1, at);
    for (uint64_t ranges = in.Varint(); ranges > 0 && in.ok(); --ranges) {
      const uint64_t gap = in.Varint(), length = in.Varint();
      const uint64_t first = at + gap, last = first + length;
      if (gap < 2 || first < at || last < first || last == UINT64_MAX) return false;
      run.Add(first, last);
      at = last;
    }
  }
  for (uint64_t n = in.Varint(); n > 0 && in.ok(); --n) {
    const std::string node(in.String(kMaxNameBytes));
    const uint64_t below = in.Fixed64();
    vector->SetMark(node, {below, in.Fixed64()});
  }
  if (format >= kFormat) {
    const uint64_t upto = in.Fixed64();
    vector->SetPastMark({upto, in.Fixed64()});
  }
  for (auto& [replica, run] : runs) {
    // A process of which nothing is covered is named only where the mark would stand for it.
    if (run.Top() > 0 || replica.incarnation <= vector->past_mark().upto) vector->SetRun(replica, std::move(run));
  }
  return in.ok();
}

}  // namespace

std::string EncodeCursor(const Cursor& cursor) {
  std::string raw;
  // Without a past a node of the version before can read it, too.
  const uint64_t format = cursor.vector.past_mark() == PastMark() ? kFormat - 1 : kFormat;
  PutVarint(raw, format);
  PutString(raw, cursor.cluster);
  PutFixed64(raw, static_cast<uint64_t>(cursor.wall_ms));
  PutFixed64(raw, cursor.filter_hash);
  PutVector(raw, cursor.vector, format);
  PutFixed64(raw, Hash64(raw, kChecksumSeed));
  return EncodeBase64(raw);
}

std::optional<Cursor> DecodeCursor(std::string_view text) {
  if (text.size() > kMaxCursorBytes) return std::nullopt;
  const auto raw = DecodeBase64(text);
  if (!raw || raw->size() < 8) return std::nullopt;
  const std::string_view body = std::string_view(*raw).substr(0, raw->size() - 8);
  Reader tail(std::string_view(*raw).substr(body.size()));
  if (tail.Fixed64() != Hash64(body, kChecksumSeed)) return std::nullopt;
  Reader in(body);
  Cursor cursor;
  const uint64_t format = in.Varint();
  if (format != kFormat && format != kFormat - 1) return std::nullopt;
  cursor.cluster = in.String(kMaxNameBytes);
  cursor.wall_ms = static_cast<int64_t>(in.Fixed64());
  cursor.filter_hash = in.Fixed64();
  if (!ReadVector(in, format, &cursor.vector) || !in.done() || EncodeCursor(cursor) != text) return std::nullopt;
  return cursor;
}

}  // namespace leasemap::core
