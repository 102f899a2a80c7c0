#include "server/rpc/mesh_service.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "server/host/address.h"
#include "server/rpc/convert.h"
#include "server/rpc/refused.h"
#include "server/rpc/status.h"
#include "server/rpc/waiting_call.h"

namespace leasemap::rpc {
namespace {

grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, const absl::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

void SetDuration(int64_t ms, google::protobuf::Duration* out) {
  out->set_seconds(ms / 1000);
  out->set_nanos(static_cast<int32_t>(ms % 1000 * 1'000'000));
}

// One answer of ListConflicts: well below the 4 MiB that a gRPC client takes by default.
constexpr size_t kMaxConflictsAnswer = 1 << 20;

void SetUse(const Connections::Use& connections, const StreamUse& watches, v1::GetStatusResponse* out) {
  out->set_connections(connections.connections);
  out->set_max_connections(connections.most);
  out->set_refused_connections(connections.refused);
  out->set_ended_connections(connections.ended);
  out->set_watches(watches.streams);
  out->set_max_watches(watches.most);
  out->set_busiest_peer(watches.busiest);
  out->set_busiest_watches(watches.of_busiest);
}

// Tells when --tls-transition can go.
std::string TransitionNote(const std::set<std::string>& nodes, size_t clients) {
  if (nodes.empty() && clients == 0) {
    return "--tls-transition: no member and no client speaks plain text to this node now";
  }
  const auto shown = [](std::string* out, const std::string& node) { *out += core::Shown(node); };
  return absl::StrCat("--tls-transition: plain text is spoken by ",
                      nodes.empty() ? "no member" : absl::StrCat("members ", absl::StrJoin(nodes, ", ", shown)),
                      "; connections of clients that speak it: ", clients);
}

// Others send no value.
void ToProto(const core::MemberView& view, bool own, v1::MemberView* out) {
  out->set_node_id(view.member.node);
  out->set_incarnation(view.member.incarnation);
  out->set_asked(view.asked);
  out->set_answered(view.answered);
  if (view.entry) {
    rpc::ToProto(*view.entry, own, out->mutable_entry());
    out->set_rank(core::RankText(*view.entry));
  }
  if (view.lag_known) {
    out->set_lag(view.lag);
    SetDuration(view.age_ms, out->mutable_age());
  }
}

v1::Member::State StateOf(const core::Member& member, core::MonoTime mono) {
  if (member.gone()) return v1::Member::STATE_LEFT;
  if (member.linked) return v1::Member::STATE_ALIVE;
  return mono - member.heard_mono < core::kGoneMs ? v1::Member::STATE_SUSPECT : v1::Member::STATE_GONE;
}

v1::GetStatusResponse::DiskState ToProto(core::DiskState::Kind kind) {
  switch (kind) {
    case core::DiskState::Kind::kGood:
      return v1::GetStatusResponse::DISK_STATE_GOOD;
    case core::DiskState::Kind::kShort:
      return v1::GetStatusResponse::DISK_STATE_SHORT;
    case core::DiskState::Kind::kFull:
      return v1::GetStatusResponse::DISK_STATE_FULL;
    case core::DiskState::Kind::kFailed:
      return v1::GetStatusResponse::DISK_STATE_FAILED;
  }
  return v1::GetStatusResponse::DISK_STATE_UNSPECIFIED;
}

}  // namespace

void MeshService::SetPrincipals(const Caller& caller, v1::GetStatusResponse* out) const {
  std::vector<rights::PrincipalPtr> shown;
  if (caller.principal().admin) {
    for (const auto& [name, principal] : gate_.access().rights()->principals()) shown.push_back(principal);
  } else {
    shown.push_back(caller.principal_ptr());
  }
  const auto owned = host_.Read([&](const core::Node& node) {
    std::vector<core::Owners::Use> uses;
    uses.reserve(shown.size());
    for (const auto& principal : shown) uses.push_back(node.store().UseOf(principal->name));
    return uses;
  });
  for (size_t i = 0; i < shown.size(); ++i) {
    const rights::Principal& principal = *shown[i];
    auto* use = out->add_principals();
    use->set_name(principal.name);
    use->set_keys(owned[i].keys);
    use->set_max_keys(principal.keys);
    use->set_bytes(owned[i].bytes);
    use->set_max_bytes(principal.bytes);
    use->set_watches(watches_.UseOf(principal.name));
    use->set_max_watches(principal.watches);
    use->set_connections(gate_.connections().UseOf(principal.name));
    use->set_max_connections(principal.connections);
  }
}

template <typename Request, typename Do>
grpc::ServerUnaryReactor* MeshService::Administer(grpc::CallbackServerContext* context, const Request& request,
                                                  const std::string& node, Do act) {
  const auto caller = gate_.CheckAdmin(*context, request, node);
  if (!caller.ok()) return Finish(context, caller.status());
  const absl::Status status = act();
  caller->Administered(status, node);
  return Finish(context, status);
}

grpc::ServerUnaryReactor* MeshService::GetStatus(grpc::CallbackServerContext* context,
                                                 const v1::GetStatusRequest* request, v1::GetStatusResponse* response) {
  const auto caller = gate_.Identify(*context, *request);
  if (!caller.ok()) return Finish(context, caller.status());
  if (host_.stuck()) {
    auto stuck = core::Refusal(absl::StatusCode::kUnavailable, "STUCK", host_.stuck_note());
    core::SetRetryMs(stuck, 1000);
    return Finish(context, stuck);
  }
  const core::NodeStatus status = host_.GetStatus();
  const core::NodeOptions& options = host_.options();
  response->set_node_id(status.self.node);
  response->set_cluster(options.cluster);
  response->set_server_version(LEASEMAP_VERSION);
  response->set_ready(status.ready && !gate_.draining());
  response->set_converged(status.converged);
  response->set_keys(status.keys);
  response->set_members(static_cast<uint32_t>(status.remembered));
  for (const auto& [replica, coverage] : status.vector->runs()) {
    auto* entry = response->add_vector();
    entry->set_node_id(replica.node);
    entry->set_incarnation(replica.incarnation);
    entry->set_prefix(coverage.prefix);
    entry->set_exceptions(static_cast<uint32_t>(coverage.exceptions.size()));
  }
  for (const auto& member : status.members) {
    if (!member.measured || !member.linked) continue;
    auto* offset = response->add_clock_offsets();
    offset->set_node_id(member.id.node);
    SetDuration(member.offset_ms, offset->mutable_offset());
  }
  response->set_map_hash(absl::StrFormat("%016x", status.map_hash));
  for (const auto& note : status.notes) response->add_notes(note);
  for (const auto& note : host_.PathNotes()) response->add_notes(note);
  if (const std::string note = host_.stuck_note(); !note.empty()) response->add_notes(note);
  if (certificates_ != nullptr) {
    if (certificates_->plain_too()) {
      response->add_notes(TransitionNote(host_.PlainNodes(), gate_.connections().use().plain));
    }
    if (const std::string note = certificates_->Note(absl::Now()); !note.empty()) response->add_notes(note);
    SetTime(absl::ToUnixMillis(certificates_->expires()), response->mutable_certificate_expire_time());
  }
  for (const auto& seed : status.unlinked_seeds) response->add_unlinked_seeds(seed.name);
  for (const auto& member : status.unreachable_members) response->add_unreachable_members(member.name);
  response->set_incarnation(status.self.incarnation);
  response->set_bytes(status.bytes);
  response->set_resets(status.resets);
  response->set_hash_alarms(status.hash_alarms);
  response->set_collected(status.collected);
  response->set_leasing(options.rules.leasing);
  SetDuration(options.rules.period_ms, response->mutable_lease_duration());
  response->set_max_keys(status.max_keys);
  response->set_held_bytes(status.held_bytes);
  response->set_max_bytes(status.max_bytes);
  response->set_left_out(status.left_out);
  response->set_memory_used(host::MemoryUsed());
  response->set_memory_limit(host_.memory_limit());
  SetUse(gate_.connections().use(), watches_.use(), response);
  response->set_data_dir(host_.data_dir());
  if (host_.saves()) response->set_disk_state(ToProto(status.disk.kind));
  if (caller->has_rights()) SetPrincipals(*caller, response);
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* MeshService::ListMembers(grpc::CallbackServerContext* context,
                                                   const v1::ListMembersRequest* request,
                                                   v1::ListMembersResponse* response) {
  if (const auto caller = gate_.Identify(*context, *request); !caller.ok()) return Finish(context, caller.status());
  const core::NodeStatus status = host_.GetStatus();
  const core::Now now = host_.now();
  auto* self = response->add_members();
  self->set_node_id(status.self.node);
  self->set_address(host_.advertised());
  self->set_state(v1::Member::STATE_ALIVE);
  self->set_incarnation(status.self.incarnation);
  SetTime(now.wall_ms, self->mutable_last_heard_time());
  self->set_self(true);
  for (const auto& member : status.members) {
    if (member.gone() && !member.leaving) continue;  // forgotten
    auto* out = response->add_members();
    out->set_node_id(member.id.node);
    out->set_address(host::PlainAddress(member.address));
    out->set_state(StateOf(member, now.mono));
    out->set_incarnation(member.id.incarnation);
    if (member.heard_wall_ms != 0) SetTime(member.heard_wall_ms, out->mutable_last_heard_time());
  }
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* MeshService::Explain(grpc::CallbackServerContext* context, const v1::ExplainRequest* request,
                                               v1::ExplainResponse* response) {
  const auto caller = gate_.Identify(*context, *request);
  const auto status = caller.ok() ? caller->MayRead(KeyOf(*request)) : caller.status();
  if (!status.ok()) return Finish(context, status);
  auto outcome = std::make_shared<absl::Status>();
  auto* call = new WaitingCall(host_, {[outcome](WaitingCall&) { return *outcome; }});
  const auto take = [outcome, response](const core::Effects::Answered& answered) {
    *outcome = answered.status;
    bool own = true;  // the asked node comes first
    for (const auto& view : answered.explanation->views)
      ToProto(view, std::exchange(own, false), response->add_views());
  };
  const auto wait = host_.Explain(KeyOf(*request), PatienceMs(*context), call->Expect(take));
  if (!wait.ok()) *outcome = wait.status();
  call->Began(wait.ok() ? *wait : 0);
  call->Ready();
  return call;
}

grpc::ServerUnaryReactor* MeshService::ListConflicts(grpc::CallbackServerContext* context,
                                                     const v1::ListConflictsRequest* request,
                                                     v1::ListConflictsResponse* response) {
  const auto caller = gate_.Identify(*context, *request);
  const auto status = caller.ok() ? caller->MayReadAll() : caller.status();
  if (!status.ok()) return Finish(context, status);
  uint64_t before = UINT64_MAX;  // conflicts are numbered in the order in which they were found
  if (!request->page_token().empty() && !absl::SimpleAtoi(request->page_token(), &before)) {
    return Finish(context, core::InvalidField("page_token", "is not from an answer of this node"));
  }
  if (request->page_size() < 0) return Finish(context, core::InvalidField("page_size", "must not be negative"));
  const size_t most = request->page_size() == 0 ? SIZE_MAX : static_cast<size_t>(request->page_size());
  const bool values = !request->keys_only();
  // The latest that fit, oldest of them first; entries are shared, so little is copied under the lock.
  std::vector<core::Conflict> latest;
  uint64_t rest = 0;  // as many older ones are there
  const uint64_t total = host_.Read([&](const core::Node& node) {
    const auto& all = node.replica().conflicts();
    size_t bytes = 0;
    uint64_t number = std::min(all.end(), before);
    for (; number > all.first() && latest.size() < most; --number) {
      const core::Conflict& conflict = all.at(number - 1);
      for (const core::EntryPtr& entry : {conflict.loser, conflict.winner}) {
        bytes += core::Weight(*entry) - (values ? 0 : entry->value.size());
      }
      if (!latest.empty() && bytes > kMaxConflictsAnswer) break;
      latest.push_back(conflict);
    }
    rest = number > all.first() ? number : 0;
    return all.total();
  });
  std::reverse(latest.begin(), latest.end());
  for (const auto& conflict : latest) {
    auto* out = response->add_conflicts();
    ToProto(*conflict.loser, values, out->mutable_loser());
    ToProto(*conflict.winner, values, out->mutable_winner());
    SetTime(conflict.found_ms, out->mutable_found_time());
  }
  response->set_total(total);
  if (rest != 0) response->set_next_page_token(absl::StrCat(rest));
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* MeshService::Broadcast(grpc::CallbackServerContext* context,
                                                 const v1::BroadcastRequest* request, v1::BroadcastResponse* response) {
  return Administer(context, *request, request->to_node(), [&] {
    const auto sent = host_.SendBroadcast(request->to_node(), request->payload());
    if (sent.ok()) response->set_sent(static_cast<uint32_t>(*sent));
    return sent.status();
  });
}

grpc::ServerWriteReactor<v1::SubscribeResponse>* MeshService::Subscribe(grpc::CallbackServerContext* context,
                                                                        const v1::SubscribeRequest* request) {
  auto caller = gate_.Identify(*context, *request);
  const auto status = caller.ok() ? caller->MayReadAll() : caller.status();
  if (!status.ok()) return Refused<Subscribers::Reactor>(ToGrpc(status));
  return subscribers_.Open(*context, *std::move(caller), gate_.connections().AgeOf(context->peer()));
}

grpc::ServerUnaryReactor* MeshService::Forget(grpc::CallbackServerContext* context, const v1::ForgetRequest* request,
                                              v1::ForgetResponse*) {
  return Administer(context, *request, request->node_id(), [&] { return host_.Forget(request->node_id()); });
}

grpc::ServerUnaryReactor* MeshService::Leave(grpc::CallbackServerContext* context, const v1::LeaveRequest* request,
                                             v1::LeaveResponse*) {
  return Administer(context, *request, request->node_id(), [&] {
    const std::string& self = host_.options().node_id;
    if (request->node_id() != self) {
      return core::InvalidField(
          "node_id", absl::StrCat("must be that of this node, ", core::Shown(self), "; ask the node that is to leave"));
    }
    leave_();
    return absl::OkStatus();
  });
}

}  // namespace leasemap::rpc
