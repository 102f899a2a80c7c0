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
  if constexpr (!requires { request.ack(); })
    return false;
  else
    return (request.ack() != v1::ACK_UNSPECIFIED && request.ack() != v1::ACK_LOCAL) || request.ack_nodes() > 1;
}

// Empty for a request that has none.
template <typename Request>
const std::string& MinVersionOf(const Request& request) {
  static const std::string none;
  if constexpr (requires { request.min_version(); }) return request.min_version();
  return none;
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
  const auto answer = [this, request, response] {
    const std::string& key = KeyOf(*request);
    if (auto status = core::CheckKey(key); !status.ok()) return status;
    const core::EntryPtr entry = host_.Get(key);
    if (entry == nullptr) return core::KeyNotFound(key);
    ToProto(*entry, true, response->mutable_entry());
    return absl::OkStatus();
  };
  const auto caller = gate_.Check(*context, *request);
  const auto status = caller.ok() ? caller->MayRead(KeyOf(*request)) : caller.status();
  if (status.ok() && !request->min_version().empty()) {
    return OnceHere(context, *request, {[answer](WaitingCall&) { return answer(); }});
  }
  return Finish(context, status.ok() ? answer() : status);
}

template <typename Request>
grpc::ServerUnaryReactor* KeyValueService::OnceHere(grpc::CallbackServerContext* context, const Request& request,
                                                    std::vector<WaitingCall::Step> steps) {
  auto status = core::CheckKey(KeyOf(request));
  if (!status.ok()) return Finish(context, status);
  auto outcome = std::make_shared<absl::Status>();
  steps.insert(steps.begin(), [outcome](WaitingCall&) { return *outcome; });
  auto* call = new WaitingCall(host_, std::move(steps));
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

void KeyValueService::Submit(WaitingCall& call, const WriteLine& line, const core::WriteCommand& command,
                             core::Effects::Answered* outcome) {
  const auto take = [outcome](const core::Effects::Answered& answered) { *outcome = answered; };
  const auto submitted = host_.Submit(command, call.Expect(take));
  if (!submitted.ok()) {
    outcome->status = submitted.status();
  } else {
    if (submitted->entry != nullptr) line.End(absl::OkStatus(), submitted->entry);
    if (submitted->wait == 0) outcome->entry = submitted->entry;
  }
  call.Began(submitted.ok() ? submitted->wait : 0);
}

template <typename Request, typename Settle>
grpc::ServerUnaryReactor* KeyValueService::WriteThen(grpc::CallbackServerContext* context, const Request& request,
                                                     Settle settle) {
  const auto caller = gate_.Check(*context, request);
  if (!caller.ok()) return Finish(context, caller.status());
  const WriteLine line(*caller, KeyOf(request), request.holder());
  const auto answer = [line, settle](const absl::Status& status, const core::EntryPtr& entry) {
    line.End(status, entry);
    return status.ok() ? settle(entry) : status;
  };
  auto command = CommandOf(*caller, request);
  if (!command.ok()) return Finish(context, answer(command.status(), nullptr));
  const bool once_here = !MinVersionOf(request).empty();
  if (!once_here && !host_.saves() && !WantsAcks(request)) {
    const auto entry = host_.Write(*command);
    return Finish(context, entry.ok() ? answer(absl::OkStatus(), *entry) : answer(entry.status(), nullptr));
  }
  command->patience_ms = PatienceMs(*context);
  auto outcome = std::make_shared<core::Effects::Answered>();
  const auto begin = [this, line, outcome, command = *std::move(command)](WaitingCall& call) {
    Submit(call, line, command, outcome.get());
    return absl::OkStatus();
  };
  const auto end = [outcome, answer](WaitingCall&) { return answer(outcome->status, outcome->entry); };
  if constexpr (requires { request.min_version(); }) {
    if (once_here) return OnceHere(context, request, {begin, end});
  }
  auto* call = new WaitingCall(host_, {begin, end});
  call->Ready();
  return call;
}

grpc::ServerUnaryReactor* KeyValueService::Set(grpc::CallbackServerContext* context, const v1::SetRequest* request,
                                               v1::SetResponse* response) {
  return WriteThen(context, *request, [this, request, response](const core::EntryPtr& entry) {
    if (entry == nullptr) return absl::OkStatus();
    ToProto(*entry, false, response->mutable_entry());
    if (!request->request_id().empty() && !request->validate_only()) {
      response->set_lease_ended(HasEnded(KeyOf(*request), response->entry()));
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* KeyValueService::Delete(grpc::CallbackServerContext* context,
                                                  const v1::DeleteRequest* request, v1::DeleteResponse* response) {
  return WriteThen(context, *request, [response](const core::EntryPtr& entry) {
    if (entry != nullptr) ToProto(*entry, false, response->mutable_entry());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* KeyValueService::Renew(grpc::CallbackServerContext* context, const v1::RenewRequest* request,
                                                 v1::RenewResponse* response) {
  return WriteThen(context, *request, [response](const core::EntryPtr& entry) {
    if (entry != nullptr) ToProto(*entry, false, response->mutable_entry());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* KeyValueService::Release(grpc::CallbackServerContext* context,
                                                   const v1::ReleaseRequest* request, v1::ReleaseResponse* response) {
  return WriteThen(context, *request, [this, request, response](core::EntryPtr entry) {
    // Nothing to release: the answer is the entry as it is.
    if (entry == nullptr) entry = host_.Get(KeyOf(*request));
    if (entry == nullptr) return core::KeyNotFound(KeyOf(*request));  // deleted a moment ago
    ToProto(*entry, false, response->mutable_entry());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* KeyValueService::List(grpc::CallbackServerContext* context, const v1::ListRequest* request,
                                                v1::ListResponse* response) {
  const auto caller = gate_.Check(*context, *request);
  return Finish(context, caller.ok() ? rpc::List(host_, *caller, *request, response) : caller.status());
}

grpc::ServerBidiReactor<v1::WriteRequest, v1::WriteResponse>* KeyValueService::Write(grpc::CallbackServerContext*) {
  return Refused<grpc::ServerBidiReactor<v1::WriteRequest, v1::WriteResponse>>(ToGrpc(Unserved("Write")));
}

grpc::ServerWriteReactor<v1::WatchResponse>* KeyValueService::Watch(grpc::CallbackServerContext* context,
                                                                    const v1::WatchRequest* request) {
  auto caller = gate_.Check(*context, *request);
  const auto age = gate_.connections().AgeOf(context->peer());
  return caller.ok() ? hub_.Open(context, *std::move(caller), age, *request)
                     : Refused<WatchHub::Reactor>(ToGrpc(caller.status()));
}

}  // namespace leasemap::rpc
