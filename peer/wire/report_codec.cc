#include "peer/wire/report_codec.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/sync/ceiling.h"
#include "peer/wire/codec_parts.h"
#include "text/utf8.h"

namespace leasemap::wire {
namespace {

// Runs and exceptions that a vector can come to by changes: as many as fit a frame (kMaxFrameBytes) if it comes
// whole, at 16 bytes each.
constexpr size_t kMaxVectorParts = 65'536;

absl::Status Bad(const char* what) { return absl::InvalidArgumentError(what); }

// The runs of `now` that `before` does not have like this, and those that are gone; false if its past is.
bool WriteChanges(const core::VersionVector& before, const core::VersionVector& now, pb::Report* out) {
  // The process that a mark stands for can't be taken back with it.
  if (now.past_mark() == core::PastMark() && before.past_mark() != core::PastMark()) return false;
  core::VersionVector changed;
  if (now.past_mark() != before.past_mark()) changed.SetPastMark(now.past_mark());
  auto old = before.runs().begin();
  const auto end = before.runs().end();
  const auto drop = [&] { ToProto((old++)->first, out->add_gone()); };
  for (const auto& [replica, coverage] : now.runs()) {
    while (old != end && old->first < replica) drop();
    const bool known = old != end && old->first == replica;
    if (!known || old->second != coverage) changed.SetRun(replica, coverage);
    if (known) ++old;
  }
  while (old != end) drop();
  ToProto(changed, out->mutable_vector());
  return true;
}

void WritePeers(const core::Peers& peers, pb::Report* out) {
  for (const auto& info : peers.members) ToProto(info, out->add_members());
  for (const auto& node : peers.linked) out->add_linked(node);
}

absl::Status ReadPeers(const pb::Report& in, core::Peers* out) {
  const auto many = static_cast<int>(core::kMaxMembers) + 1;
  if (in.members_size() > many || in.linked_size() > many) return Bad("too many members");
  for (const auto& member : in.members()) {
    core::MemberInfo info;
    if (auto status = FromProto(member, &info); !status.ok()) return status;
    out->members.push_back(std::move(info));
  }
  for (const auto& node : in.linked()) {
    if (!core::CheckName("node_id", node).ok()) return Bad("a bad linked member");
    out->linked.push_back(node);
  }
  std::sort(out->linked.begin(), out->linked.end());
  return absl::OkStatus();
}

absl::Status ReadRelays(const pb::Report& in, std::vector<core::Relay>* out) {
  if (in.relays_size() > static_cast<int>(core::kMaxMembers) + 1) return Bad("too many relays");
  for (const auto& relay : in.relays()) {
    core::Relay one;
    core::VersionVector vector;
    if (auto status = FromProto(relay.member(), &one.member); !status.ok()) return status;
    if (auto status = FromProto(relay.vector(), &vector); !status.ok()) return status;
    one.vector = std::make_shared<const core::VersionVector>(std::move(vector));
    out->push_back(std::move(one));
  }
  return absl::OkStatus();
}

}  // namespace

void LastReport::ToProto(const core::Report& report, pb::Report* out) {
  bool changes = vector_ != nullptr;
  if (changes && report.vector != vector_) changes = WriteChanges(*vector_, *report.vector, out);
  if (!changes) {
    out->clear_gone();
    wire::ToProto(*report.vector, out->mutable_vector());
  }
  out->set_changes(changes);
  const bool same_peers = changes && (report.peers == peers_ || *report.peers == *peers_);
  if (!same_peers) WritePeers(*report.peers, out);
  out->set_cut_short(report.cut_short);
  if (report.floor) wire::ToProto(*report.floor, out->mutable_floor());
  out->set_whole(report.whole);
  out->set_keys(report.keys);
  out->set_settled(report.settled);
  out->set_map_hash(report.map_hash);
  out->set_holds_map(report.holds_map);
  out->set_disk_stopped(report.disk_stopped);
  out->set_rights_hash(report.rights_hash);
  if (report.ceiling_ms) out->set_ceiling_ms(*report.ceiling_ms);
  out->set_collected_epoch(report.collected_epoch);
  for (const auto& relay : report.relays) {
    auto* one = out->add_relays();
    wire::ToProto(relay.member, one->mutable_member());
    wire::ToProto(*relay.vector, one->mutable_vector());
  }
  vector_ = report.vector;
  peers_ = report.peers;
}

absl::Status LastReport::FromProto(const pb::Report& in, core::Report* out) {
  if (in.changes() && vector_ == nullptr) return Bad("changes of no report");
  if (in.changes() && in.vector().runs().empty() && in.gone().empty() && !in.vector().has_past()) {
    out->vector = vector_;
  } else {
    auto vector = in.changes() ? *vector_ : core::VersionVector();
    for (const auto& gone : in.gone()) {
      core::ReplicaId replica;
      if (auto status = wire::FromProto(gone, &replica); !status.ok()) return status;
      vector.DropRun(replica);
    }
    if (auto status = wire::FromProto(in.vector(), &vector); !status.ok()) return status;
    if (vector.runs().size() + vector.exceptions() > kMaxVectorParts) {
      return Bad("a vector that is too large");
    }
    out->vector = std::make_shared<const core::VersionVector>(std::move(vector));
  }
  if (in.changes() && in.members().empty()) {
    out->peers = peers_;
  } else {
    auto peers = std::make_shared<core::Peers>();
    if (auto status = ReadPeers(in, peers.get()); !status.ok()) return status;
    out->peers = std::move(peers);
  }
  out->cut_short = in.cut_short();
  if (in.has_floor()) {
    core::VersionVector floor;
    if (auto status = wire::FromProto(in.floor(), &floor); !status.ok()) return status;
    out->floor = std::make_shared<const core::VersionVector>(std::move(floor));
  }
  out->whole = in.whole();
  out->keys = in.keys();
  out->settled = in.settled();
  out->map_hash = in.map_hash();
  out->holds_map = in.holds_map();
  out->disk_stopped = in.disk_stopped();
  out->rights_hash = in.rights_hash();
  if (in.has_ceiling_ms()) {
    if (in.ceiling_ms() < 0 || in.ceiling_ms() > core::kMaxCeilingMs) return Bad("a bad ceiling");
    out->ceiling_ms = in.ceiling_ms();
  }
  out->collected_epoch = in.collected_epoch();
  vector_ = out->vector;
  peers_ = out->peers;
  return ReadRelays(in, &out->relays);
}

}  // namespace leasemap::wire
