#include "clients/cpp/core/entries.h"

#include <utility>

#include "text/utf8.h"

namespace leasemap {

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kSet:
      return "set";
    case Kind::kDeleted:
      return "deleted";
    case Kind::kExpired:
      return "expired";
    case Kind::kLost:
      return "lost";
    case Kind::kLease:
      return "lease";
    case Kind::kBookmark:
      return "bookmark";
  }
  return "";
}

namespace internal {
namespace {

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  const absl::Duration since = absl::Seconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::UnixEpoch() + absl::Floor(since, absl::Milliseconds(1));
}

}  // namespace

Entry FromProto(const v1::Entry& entry) {
  Entry made;
  made.key = entry.has_key_bytes() ? entry.key_bytes() : entry.key();
  made.has_value = entry.has_value() || entry.has_value_bytes();
  made.binary = entry.has_value_bytes();
  made.value = made.binary ? entry.value_bytes() : entry.value();
  made.deleted = entry.deleted();
  made.ephemeral = entry.ephemeral();
  made.holder = entry.lease().holder();
  made.lease_start = ToTime(entry.lease().start_time());
  made.expires = ToTime(entry.lease().expire_time());
  made.fencing_token = entry.lease().fencing_token();
  made.version = entry.version();
  made.updated = ToTime(entry.update_time());
  made.origin = entry.origin();
  made.value_time = entry.has_value_time() ? ToTime(entry.value_time()) : made.updated;
  return made;
}

std::optional<Kind> FromProto(v1::Event::Kind kind) {
  switch (kind) {
    case v1::Event::KIND_SET:
      return Kind::kSet;
    case v1::Event::KIND_DELETED:
      return Kind::kDeleted;
    case v1::Event::KIND_EXPIRED:
      return Kind::kExpired;
    case v1::Event::KIND_LOST:
      return Kind::kLost;
    case v1::Event::KIND_LEASE:
      return Kind::kLease;
    default:
      return std::nullopt;
  }
}

v1::Event::Kind ToProto(Kind kind) {
  switch (kind) {
    case Kind::kSet:
      return v1::Event::KIND_SET;
    case Kind::kDeleted:
      return v1::Event::KIND_DELETED;
    case Kind::kExpired:
      return v1::Event::KIND_EXPIRED;
    case Kind::kLost:
      return v1::Event::KIND_LOST;
    case Kind::kLease:
      return v1::Event::KIND_LEASE;
    case Kind::kBookmark:
      break;
  }
  return v1::Event::KIND_UNSPECIFIED;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  const int64_t ms = absl::ToInt64Milliseconds(duration);
  google::protobuf::Duration made;
  made.set_seconds(ms / 1000);
  made.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
  return made;
}

bool IsText(std::string_view value) { return text::IsUtf8(value); }

void PutValue(std::string value, bool binary, Entry& entry) {
  entry.value = std::move(value);
  entry.has_value = true;
  entry.binary = binary;
}

bool Older(const Entry& a, const Entry& b) {
  if (a.fencing_token != b.fencing_token) return a.fencing_token < b.fencing_token;
  if (a.holder != b.holder) return a.holder > b.holder;
  if (a.value_time != b.value_time) return a.value_time < b.value_time;
  return a.updated < b.updated;
}

bool RanksBelow(Kind kind, const Entry& entry, Kind than_kind, const Entry& than) {
  if (entry.version == than.version) return kind == Kind::kSet && than_kind == Kind::kExpired;
  return Older(entry, than);
}

bool SameLease(const Entry& a, const Entry& b) { return a.holder == b.holder && a.lease_start == b.lease_start; }

bool IsConflict(const Entry& loser, const Entry& winner) {
  return loser.leased() && !SameLease(loser, winner) && loser.expires > winner.lease_start;
}

}  // namespace internal
}  // namespace leasemap
