#include "peer/wire/codec_parts.h"

#include <algorithm>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "text/utf8.h"

namespace leasemap::wire {
namespace {

constexpr uint64_t kMaxSeq = uint64_t{1} << 62;  // never reached by counting; keeps additions from wrapping
constexpr int64_t kMaxMs = int64_t{1} << 53;     // the year 287,000: keeps sums of times from overflowing
constexpr size_t kMaxAddressBytes = 300;         // a DNS name of 255, a colon, a port
constexpr size_t kMaxUnknownBytes = 64 << 10;    // fields of a later version that are carried along

absl::Status Bad(const char* what) { return absl::InvalidArgumentError(what); }

bool GoodName(const std::string& name) {
  return !name.empty() && name.size() <= core::kMaxNameBytes && text::IsPrintableUtf8(name);
}

void ToProto(const core::Past& past, pb::Past* out) {
  out->set_whole(true);
  for (const auto& [replica, process] : past.known()) {
    auto* entry = out->add_known();
    entry->set_node(replica.node);
    entry->set_incarnation(replica.incarnation);
    entry->set_prefix(process.prefix);
  }
  out->set_dropped_upto(past.dropped().upto);
  out->set_dropped_digest(past.dropped().digest);
}

absl::Status FromProto(const pb::Past& in, core::VersionVector* out) {
  if (in.known_size() > static_cast<int>(core::kMaxFolded)) return Bad("too many folded processes");
  const core::PastMark mark{in.upto(), in.digest()};
  if (mark.upto == 0) return Bad("a past of nobody");
  if (!in.whole()) {
    out->SetPastMark(mark);
    return absl::OkStatus();
  }
  core::Past past({in.dropped_upto(), in.dropped_digest()});
  core::ReplicaId last;
  for (const auto& entry : in.known()) {
    core::ReplicaId replica{entry.node(), entry.incarnation()};
    if (!GoodName(replica.node) || replica.incarnation == 0 || replica.incarnation > mark.upto) {
      return Bad("a bad folded process");
    }
    if (!core::Past::ByStart()(last, replica) || entry.prefix() > kMaxSeq) return Bad("a bad folded process");
    past.Add(replica, entry.prefix());
    last = std::move(replica);
  }
  past.Reach(mark.upto);
  if (past.mark() != mark) return Bad("a past that is not what its mark says");
  out->SetPast(std::move(past));
  return absl::OkStatus();
}

}  // namespace

void ToProto(const core::ReplicaId& id, pb::ReplicaId* out) {
  out->set_node(id.node);
  out->set_incarnation(id.incarnation);
}

void ToProto(const core::VersionVector& vector, pb::Vector* out) {
  for (const auto& [replica, coverage] : vector.runs()) {
    auto* entry = out->add_runs();
    entry->set_node(replica.node);
    entry->set_incarnation(replica.incarnation);
    entry->set_prefix(coverage.prefix);
    for (const auto& [first, last] : coverage.exceptions) {
      auto* run = entry->add_exceptions();
      run->set_first(first);
      run->set_last(last);
    }
  }
  if (vector.past_mark() == core::PastMark()) return;
  out->mutable_past()->set_upto(vector.past_mark().upto);
  out->mutable_past()->set_digest(vector.past_mark().digest);
  if (vector.past() != nullptr) ToProto(*vector.past(), out->mutable_past());
}

void ToProto(const core::Entry& entry, pb::Entry* out) {
  if (!entry.unknown_fields.empty()) out->MergeFromString(entry.unknown_fields);
  out->set_key(entry.key);
  out->set_value(entry.value.str());
  out->set_value_is_text(entry.value_is_text);
  out->set_tombstone(entry.tombstone);
  out->set_ephemeral(entry.ephemeral);
  out->set_holder(entry.lease.holder);
  out->set_epoch(entry.lease.epoch);
  out->set_start_s(entry.lease.start_s);
  out->set_duration_ms(entry.lease.duration_ms);
  out->set_expire_ms(entry.lease.expire_ms);
  out->set_released(entry.lease.released);
  out->set_node(entry.dot.replica.node);
  out->set_incarnation(entry.dot.replica.incarnation);
  out->set_seq(entry.dot.seq);
  out->set_stamp(entry.stamp);
  out->set_request(entry.request);
  out->set_value_gone(entry.value_gone);
  if (entry.value_dot.seq == 0) return;
  out->set_value_node(entry.value_dot.replica.node);
  out->set_value_incarnation(entry.value_dot.replica.incarnation);
  out->set_value_seq(entry.value_dot.seq);
  out->set_value_stamp(entry.value_stamp);
  out->set_value_left_out(entry.value_left_out);
}

void ToProto(const core::MemberInfo& member, pb::MemberInfo* out) {
  out->set_node(member.id.node);
  out->set_incarnation(member.id.incarnation);
  out->set_address(member.address);
  out->set_generation(member.generation);
}

absl::Status FromProto(const pb::MemberInfo& in, core::MemberInfo* out) {
  if (!GoodName(in.node()) || in.incarnation() == 0 || in.address().size() > kMaxAddressBytes ||
      !text::IsPrintableUtf8(in.address())) {
    return Bad("a bad member");
  }
  *out = {{in.node(), in.incarnation()}, in.address(), in.generation()};
  return absl::OkStatus();
}

absl::Status FromProto(const pb::ReplicaId& in, core::ReplicaId* out) {
  if (!GoodName(in.node()) || in.incarnation() == 0) return Bad("a bad replica ID");
  *out = {in.node(), in.incarnation()};
  return absl::OkStatus();
}

absl::Status FromProto(const pb::Vector& in, core::VersionVector* out) {
  if (in.has_past()) {
    if (auto status = FromProto(in.past(), out); !status.ok()) return status;
  }
  core::ReplicaId before;
  for (const auto& entry : in.runs()) {
    core::ReplicaId replica{entry.node(), entry.incarnation()};
    if (!GoodName(replica.node) || replica.incarnation == 0 || replica <= before) return Bad("a bad vector's replica");
    const bool empty = entry.prefix() == 0 && entry.exceptions().empty();
    if (entry.prefix() > kMaxSeq || (empty && replica.incarnation > out->past_mark().upto)) return Bad("a bad prefix");
    core::Coverage run{entry.prefix(), {}};
    uint64_t last = entry.prefix();
    for (const auto& range : entry.exceptions()) {
      if (range.first() < last + 2 || range.last() < range.first() || range.last() > kMaxSeq)
        return Bad("a bad exception");
      last = range.last();
      run.Add(range.first(), range.last());
    }
    // As it was named, also up to the past mark: it says what goes beyond what that stands for.
    out->SetRun(replica, std::move(run));
    before = std::move(replica);
  }
  return absl::OkStatus();
}

absl::Status FromProto(pb::Entry&& in, core::Entry* out) {
  if (in.key().empty() || in.key().size() > core::kMaxKeyBytes) return Bad("a bad key");
  if (in.value().size() > core::kMaxValueBytes) return Bad("a value that is too large");
  if (!GoodName(in.holder()) || !GoodName(in.node())) return Bad("a bad holder or node");
  if (in.incarnation() == 0 || in.seq() == 0 || in.seq() > kMaxSeq) return Bad("a bad dot");
  for (const int64_t ms : {in.start_s(), in.duration_ms(), in.expire_ms()}) {
    if (ms < 0 || ms > kMaxMs) return Bad("a bad time");
  }
  if (in.value_is_text() && !text::IsUtf8(in.value())) return Bad("a text that is not UTF-8");
  if (in.tombstone() && !in.value().empty()) return Bad("a tombstone with a value");
  if (in.value_gone() && (!in.value().empty() || in.value_left_out() || in.tombstone() || !in.ephemeral())) {
    return Bad("a value that is gone, where it is there or can't lapse");
  }
  if (in.value_left_out() && (in.value_seq() == 0 || !in.value().empty() || in.tombstone())) {
    return Bad("a value that is left out, where there is one or none is kept");
  }
  if (const auto& unknown = in.GetReflection()->GetUnknownFields(in); !unknown.empty()) {
    unknown.SerializeToString(&out->unknown_fields);
    if (out->unknown_fields.size() > kMaxUnknownBytes) return Bad("too many unknown fields");
  }
  out->key = std::move(*in.mutable_key());
  out->value = std::move(*in.mutable_value());
  out->value_is_text = in.value_is_text();
  out->tombstone = in.tombstone();
  out->ephemeral = in.ephemeral();
  out->lease = {
      std::move(*in.mutable_holder()), in.epoch(), in.start_s(), in.duration_ms(), in.expire_ms(), in.released()};
  out->dot = {{std::move(*in.mutable_node()), in.incarnation()}, in.seq()};
  out->stamp = in.stamp();
  out->request = in.request();
  out->value_gone = in.value_gone();
  if (in.value_seq() == 0) return absl::OkStatus();
  if (!GoodName(in.value_node()) || in.value_incarnation() == 0 || in.value_seq() > kMaxSeq) return Bad("a bad value");
  if (in.value_stamp() > in.stamp()) return Bad("a value that is newer than its entry");
  out->value_dot = {{std::move(*in.mutable_value_node()), in.value_incarnation()}, in.value_seq()};
  out->value_stamp = in.value_stamp();
  out->value_left_out = in.value_left_out();
  return absl::OkStatus();
}

}  // namespace leasemap::wire
