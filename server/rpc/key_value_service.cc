#include "server/rpc/key_value_service.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "server/rpc/convert.h"
#include "server/rpc/list.h"
#include "server/rpc/refused.h"
#include "server/rpc/status.h"
#include "server/rpc/waiting_call.h"

namespace leasemap::rpc {
namespace {

// Whether the answer has to wait for other nodes. What is wrong with the fields is found when they are converted.
template <typename Request>
bool WantsAcks(const Request& request) {
  return (request.ack() != v1::ACK_UNSPECIFIED && request.ack() != v1::ACK_LOCAL) || request.ack_nodes() > 1;
}

absl::Status Unserved(const char* rpc) { return core::Unsupported(rpc, "not supported by this version"); }

}  // namespace

grpc::ServerUnaryReactor* KeyValueService::Finish(grpc::CallbackServerContext* context, const absl::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerUnaryReactor* KeyValueService::Get(grpc::CallbackServerContext* context, const v1::GetRequest* request,
                                               v1::GetResponse* response) {
  return OnceHere(context, *request, [this, request, response] {
    const std::string& key = KeyOf(*request);
    if (auto status = core::CheckKey(key); !status.ok()) return status;
    const core::EntryPtr entry = host_.Get(key);
    if (entry == nullptr) return core::KeyNotFound(key);
    ToProto(*entry, true, response->mutable_entry());
    return absl::OkStatus();
  });
}

// Answers what `answer` does: at once, or after the request's min_version has come.
template <typename Request, typename Answer>
grpc::ServerUnaryReactor* KeyValueService::OnceHere(grpc::CallbackServerContext* context, const Request& request,
                                                    Answer answer) {
  auto status = gate_.Check(*context, request);
  if (status.ok() && request.min_version().empty()) status = answer();
  if (status.ok() && !request.min_version().empty()) status = core::CheckKey(KeyOf(request));
  if (!status.ok() || request.min_version().empty()) return Finish(context, status);
  auto outcome = std::make_shared<absl::Status>();
  auto* call = new WaitingCall(host_, [answer, outcome] { return outcome->ok() ? answer() : *outcome; });
  const auto take = [outcome](const core::Effects::Answered& answered) { *outcome = answered.status; };
  const auto wait = host_.AwaitVersion(request.min_version(), PatienceMs(*context), call->Expect(take));
  if (!wait.ok()) *outcome = wait.status();
  call->Began(wait.ok() ? *wait : 0);
  call->Ready();
  return call;
}

// Whether the lease that a write got has ended since: the answer may be of a request that was done long ago.
bool KeyValueService::HasEnded(const std::string& key, const v1::Entry& written) const {
  const auto& lease = written.lease();
  if (ToMs(lease.expire_time()) <= ToMs(written.update_time())) return false;  // it got none
  const core::Lease got{lease.holder(), lease.epoch(), lease.start_time().seconds()};
  return host_.Read([&](const core::Node& node) {
    const core::EntryPtr* present = node.store().Find(key);
    return !core::IsHeld(got, present == nullptr ? nullptr : present->get(), host_.now().wall_ms);
  });
}

// A Set or Delete that waits for acks.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* KeyValueService::WriteAcked(grpc::CallbackServerContext* context, const Request* request,
                                                      Response* response) {
  auto command = FromProto(*request, host_.options().node_id);
  if (!command.ok()) return Finish(context, command.status());
  command->patience_ms = PatienceMs(*context);
  auto outcome = std::make_shared<absl::Status>();
  auto* call = new WaitingCall(host_, [outcome] { return *outcome; });
  const auto take = [outcome, response](const core::Effects::Answered& answered) {
    *outcome = answered.status;
    if (outcome->ok()) ToProto(*answered.entry, false, response->mutable_entry());
  };
  const auto submitted = host_.Submit(*command, call->Expect(take));
  if (!submitted.ok()) {
    *outcome = submitted.status();
  } else if (submitted->wait == 0 && submitted->entry) {
    ToProto(*submitted->entry, false, response->mutable_entry());
  }
  call->Began(submitted.ok() ? submitted->wait : 0);
  call->Ready();
  return call;
}

grpc::ServerUnaryReactor* KeyValueService::Set(grpc::CallbackServerContext* context, const v1::SetRequest* request,
                                               v1::SetResponse* response) {
  bool changed = false;
  auto status = gate_.Check(*context, *request);
  if (status.ok() && WantsAcks(*request)) return WriteAcked(context, request, response);
  if (status.ok()) status = WriteOne(*request, response->mutable_entry(), &changed);
  if (status.ok() && !request->request_id().empty() && !request->validate_only())
    response->set_lease_ended(HasEnded(KeyOf(*request), response->entry()));
  return Finish(context, status);
}

grpc::ServerUnaryReactor* KeyValueService::Delete(grpc::CallbackServerContext* context,
                                                  const v1::DeleteRequest* request, v1::DeleteResponse* response) {
  bool changed = false;
  auto status = gate_.Check(*context, *request);
  if (status.ok() && WantsAcks(*request)) return WriteAcked(context, request, response);
  if (status.ok()) status = WriteOne(*request, response->mutable_entry(), &changed);
  if (!changed) response->clear_entry();
  return Finish(context, status);
}

grpc::ServerUnaryReactor* KeyValueService::Renew(grpc::CallbackServerContext* context, const v1::RenewRequest* request,
                                                 v1::RenewResponse* response) {
  return OnceHere(context, *request, [this, request, response] {
    bool changed = false;
    return WriteOne(*request, response->mutable_entry(), &changed);
  });
}

grpc::ServerUnaryReactor* KeyValueService::Release(grpc::CallbackServerContext* context,
                                                   const v1::ReleaseRequest* request, v1::ReleaseResponse* response) {
  return OnceHere(context, *request, [this, request, response] {
    bool changed = false;
    auto status = WriteOne(*request, response->mutable_entry(), &changed);
    if (!status.ok() || changed) return status;
    // Nothing to release: the answer is the entry as it is.
    const auto entry = host_.Get(KeyOf(*request));
    if (entry == nullptr) return core::KeyNotFound(KeyOf(*request));  // deleted a moment ago
    ToProto(*entry, false, response->mutable_entry());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* KeyValueService::List(grpc::CallbackServerContext* context, const v1::ListRequest* request,
                                                v1::ListResponse* response) {
  auto status = gate_.Check(*context, *request);
  if (status.ok()) status = rpc::List(host_, *request, response);
  return Finish(context, status);
}

grpc::ServerBidiReactor<v1::WriteRequest, v1::WriteResponse>* KeyValueService::Write(grpc::CallbackServerContext*) {
  return Refused<grpc::ServerBidiReactor<v1::WriteRequest, v1::WriteResponse>>(ToGrpc(Unserved("Write")));
}

grpc::ServerWriteReactor<v1::WatchResponse>* KeyValueService::Watch(grpc::CallbackServerContext* context,
                                                                    const v1::WatchRequest* request) {
  const auto status = gate_.Check(*context, *request);
  return status.ok() ? hub_.Open(context, *request) : Refused<WatchHub::Reactor>(ToGrpc(status));
}

}  // namespace leasemap::rpc
