#include "tests/clients/cpp/made.h"

#include <limits>

#include "absl/strings/str_format.h"
#include "clients/cpp/core/entries.h"

namespace leasemap::internal {
namespace {

google::protobuf::Timestamp At(double seconds) {
  const auto ms = static_cast<int64_t>(seconds * 1000 + 0.5);
  google::protobuf::Timestamp time;
  time.set_seconds(ms / 1000);
  time.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
  return time;
}

v1::Event MakeEvent(v1::Event::Kind kind, const v1::Entry& entry) {
  v1::Event event;
  event.set_kind(kind);
  *event.mutable_entry() = entry;
  return event;
}

}  // namespace

v1::Entry ProtoEntry(const std::string& key, const std::string& value, const Made& made) {
  v1::Entry entry;
  entry.set_key(key);
  if (!made.deleted && !made.no_value) entry.set_value(value);
  entry.set_version(made.version);
  entry.set_origin("n1");
  entry.set_deleted(made.deleted);
  *entry.mutable_update_time() = At(made.written);
  if (made.valued > 0) *entry.mutable_value_time() = At(made.valued);
  v1::Lease& lease = *entry.mutable_lease();
  lease.set_holder(made.holder);
  lease.set_epoch(made.epoch);
  *lease.mutable_start_time() = At(made.start);
  *lease.mutable_expire_time() = At(made.expire);
  const uint64_t inverted = std::numeric_limits<uint64_t>::max() - static_cast<uint64_t>(made.start);
  lease.set_fencing_token(absl::StrFormat("%016x%016x", made.epoch, inverted));
  return entry;
}

Entry EntryOf(const std::string& key, const std::string& value, const Made& made) {
  return FromProto(ProtoEntry(key, value, made));
}

v1::Event SetEvent(const std::string& key, const std::string& value, const Made& made) {
  return MakeEvent(v1::Event::KIND_SET, ProtoEntry(key, value, made));
}

v1::Event DeletedEvent(const std::string& key, Made made) {
  made.deleted = true;
  return MakeEvent(v1::Event::KIND_DELETED, ProtoEntry(key, "", made));
}

v1::Event ExpiredEvent(const std::string& key, const std::string& value, const Made& made) {
  return MakeEvent(v1::Event::KIND_EXPIRED, ProtoEntry(key, value, made));
}

v1::Event LostEvent(const v1::Entry& loser, const v1::Entry& winner) {
  v1::Event event = MakeEvent(v1::Event::KIND_LOST, loser);
  *event.mutable_winner() = winner;
  return event;
}

v1::WatchResponse Message(const std::string& cursor, bool snapshot_end, const std::vector<v1::Event>& events) {
  v1::WatchResponse message;
  message.set_cursor(cursor);
  message.set_snapshot_end(snapshot_end);
  for (const v1::Event& event : events) *message.add_events() = event;
  return message;
}

}  // namespace leasemap::internal
