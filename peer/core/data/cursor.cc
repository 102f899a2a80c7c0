#include "peer/core/data/cursor.h"

#include <map>
#include <utility>

#include "peer/core/data/bytes.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {

constexpr uint64_t kFormat = 4;
constexpr uint64_t kChecksumSeed = 0x6c6d63;  // "lmc": a checksum of nothing else

void PutVector(std::string& out, const VersionVector& vector) {
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
  PutFixed64(out, vector.past_mark().upto);
  PutFixed64(out, vector.past_mark().digest);
}

bool ReadVector(Reader& in, VersionVector* vector) {
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
  const uint64_t upto = in.Fixed64();
  vector->SetPastMark({upto, in.Fixed64()});
  for (auto& [replica, run] : runs) {
    // A process of which nothing is covered is named only where the mark would stand for it.
    if (run.Top() > 0 || replica.incarnation <= vector->past_mark().upto) vector->SetRun(replica, std::move(run));
  }
  return in.ok();
}

}  // namespace

std::string EncodeCursor(const Cursor& cursor) {
  std::string raw;
  PutVarint(raw, kFormat);
  PutString(raw, cursor.cluster);
  PutFixed64(raw, static_cast<uint64_t>(cursor.wall_ms));
  PutFixed64(raw, cursor.filter_hash);
  PutVector(raw, cursor.vector);
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
  if (in.Varint() != kFormat) return std::nullopt;
  cursor.cluster = in.String(kMaxNameBytes);
  cursor.wall_ms = static_cast<int64_t>(in.Fixed64());
  cursor.filter_hash = in.Fixed64();
  if (!ReadVector(in, &cursor.vector) || !in.done() || EncodeCursor(cursor) != text) return std::nullopt;
  return cursor;
}

}  // namespace leasemap::core
