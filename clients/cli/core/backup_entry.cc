#include "clients/cli/core/backup_entry.h"

#include "clients/cli/core/export_line.h"
#include "clients/cli/core/request.h"

namespace leasemap::cli {

std::optional<v1::SetRequest> SetOf(const peer::v1::Entry& entry, absl::Time now) {
  const absl::Duration left = absl::FromUnixMillis(entry.expire_ms()) - now;
  const bool leased = entry.duration_ms() > 0 && !entry.released() && left >= kShortestLease;
  if (entry.tombstone() || entry.value_gone() || (entry.ephemeral() && !leased)) return std::nullopt;
  v1::SetRequest request;
  PutKey(entry.key(), request);
  if (entry.value_is_text()) {
    request.set_value(entry.value());
  } else {
    request.set_value_bytes(entry.value());
  }
  request.set_holder(entry.holder());
  PutDuration(leased ? absl::Trunc(left, absl::Milliseconds(1)) : absl::ZeroDuration(),
              *request.mutable_lease_duration());
  if (entry.ephemeral()) request.set_on_lapse(v1::ON_LAPSE_DELETE);
  return request;
}

}  // namespace leasemap::cli
