#include "peer/core/sync/repeat.h"

#include <algorithm>

#include "peer/core/data/lease.h"

namespace leasemap::core {
namespace {

void KeepValue(const Entry& from, Entry* to) {
  to->value = from.value;
  to->value_is_text = from.value_is_text;
  to->tombstone = from.tombstone;
  to->ephemeral = from.ephemeral;
  to->request = from.request;
  to->unknown_fields = from.unknown_fields;
  to->value_dot = ValueDot(from);
  to->value_stamp = ValueStamp(from);
}

}  // namespace

std::optional<Entry> RepeatOf(const Entry& loser, const Entry& winner) {
  const Lease& lost = loser.lease;
  if (lost.duration_ms == 0 && !lost.released) return std::nullopt;
  if (!IsSameLease(lost, winner.lease) || loser.value_gone || winner.value_gone) return std::nullopt;
  Entry out;
  out.key = winner.key;
  out.lease = winner.lease;
  if (ValueStamp(loser) > ValueStamp(winner)) {
    KeepValue(loser, &out);
    if (loser.tombstone) {
      out.lease.released = true;
      out.lease.expire_ms = std::min(out.lease.expire_ms, lost.expire_ms);
    }
  } else if (ValueStamp(loser) < ValueStamp(winner)) {
    const bool keeps = loser.value_dot.seq != 0;
    if (!keeps || loser.stamp <= ValueStamp(winner)) return std::nullopt;
    if (winner.tombstone || winner.lease.released) return std::nullopt;
    if (!lost.released && lost.expire_ms <= winner.lease.expire_ms) return std::nullopt;
    KeepValue(winner, &out);
    out.lease.expire_ms = lost.expire_ms;
    out.lease.released = lost.released;
    if (!lost.released) out.lease.duration_ms = lost.duration_ms;
  } else {
    return std::nullopt;
  }
  out.stamp = std::max(loser.stamp, winner.stamp + 1);
  return out;
}

}  // namespace leasemap::core
