#include "server/rpc/key_value_service.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "server/rpc/convert.h"
#include "server/rpc/list.h"
#include "server/rpc/status.h"
#include "server/rpc/waiting_call.h"

namespace leasemap::rpc {
namespace {

constexpr int kMaxBatch = 1000;                // items: some milliseconds of work on one thread
constexpr size_t kMaxBatchBytes = 1 << 20;     // answered by one BatchGet; a larger single entry is answered alone
constexpr size_t kMaxBatchSetBytes = 8 << 20;  // of all items of one BatchSet, as they are encoded

grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, const absl::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

absl::Status CheckBatch(int size) {
  if (size <= kMaxBatch) return absl::OkStatus();
  return core::InvalidField("requests", absl::StrCat("has ", size, " items; at most ", kMaxBatch, " are allowed"));
}

// Whether the answer has to wait for other nodes. What is wrong with the fields is found when they are converted.
template <typename Request>
bool WantsAcks(const Request& request) {
  return (request.ack() != v1::ACK_UNSPECIFIED && request.ack() != v1::ACK_LOCAL) || request.ack_nodes() > 1;
}

absl::Status Unserved(const char* rpc) { return core::Unsupported(rpc, "not supported by this version"); }

}  // namespace

absl::Status KeyValueService::GetOne(const v1::GetRequest& request, v1::Entry* out, size_t* bytes) {
  const std::string& key = KeyOf(request);
  if (auto status = core::CheckKey(key); !status.ok()) return status;
  const core::EntryPtr entry = host_.Get(key);
  if (entry == nullptr) return core::KeyNotFound(key);
  const size_t with = *bytes + core::Weight(*entry);
  if (*bytes > 0 && with > kMaxBatchBytes) {
    return core::Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                         "the answers are over 1 MiB together; ask for this key in another call");
  }
  *bytes = with;
  ToProto(*entry, true, out);
  return absl::OkStatus();
}

template <typename Request>
absl::Status KeyValueService::WriteOne(const Request& request, v1::Entry* out, bool* changed) {
  const auto command = FromProto(request, host_.options().node_id);
  if (!command.ok()) return command.status();
  const auto entry = host_.Write(*command);
  if (!entry.ok()) return entry.status();
  *changed = *entry != nullptr;
  if (*changed) ToProto(**entry, false, out);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* KeyValueService::Get(grpc::CallbackServerContext* context, const v1::GetRequest* request,
                                               v1::GetResponse* response) {
  return OnceHere(context, *request, [this, request, response] {
    size_t bytes = 0;
    return GetOne(*request, response->mutable_entry(), &bytes);
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

grpc::ServerUnaryReactor* KeyValueService::BatchGet(grpc::CallbackServerContext* context,
                                                    const v1::BatchGetRequest* request,
                                                    v1::BatchGetResponse* response) {
  auto status = gate_.Check(*context, *request);
  if (status.ok()) status = CheckBatch(request->requests_size());
  if (!status.ok()) return Finish(context, status);
  auto waited = std::make_shared<std::vector<absl::Status>>(request->requests_size());
  const auto read = [this, request, response, waited] {
    size_t bytes = 0;
    for (int i = 0; i < request->requests_size(); ++i) {
      auto* result = response->add_results();
      auto outcome = (*waited)[i];
      if (outcome.ok()) outcome = GetOne(request->requests(i), result->mutable_entry(), &bytes);
      if (!outcome.ok()) result->clear_entry();
      ToItem(outcome, result->mutable_status());
    }
    return absl::OkStatus();
  };
  const auto& items = request->requests();
  if (std::all_of(items.begin(), items.end(), [](const auto& item) { return item.min_version().empty(); })) {
    return Finish(context, read());
  }
  // All are read once the last of the versions asked for is here.
  auto* call = new WaitingCall(host_, read);
  const int64_t patience_ms = PatienceMs(*context);
  for (int i = 0; i < items.size(); ++i) {
    if (items[i].min_version().empty()) continue;
    const auto take = [waited, i](const core::Effects::Answered& answered) { (*waited)[i] = answered.status; };
    const auto wait = host_.AwaitVersion(items[i].min_version(), patience_ms, call->Expect(take));
    if (!wait.ok()) (*waited)[i] = wait.status();
    call->Began(wait.ok() ? *wait : 0);
  }
  call->Ready();
  return call;
}

grpc::ServerUnaryReactor* KeyValueService::BatchSet(grpc::CallbackServerContext* context,
                                                    const v1::BatchSetRequest* request,
                                                    v1::BatchSetResponse* response) {
  auto status = gate_.Check(*context, *request);
  if (status.ok()) status = CheckBatch(request->requests_size());
  if (!status.ok()) return Finish(context, status);
  for (int i = 0; i < request->requests_size(); ++i) response->add_results();
  const auto settle = [response](int i, const absl::Status& outcome, const core::EntryPtr& entry) {
    auto* result = response->mutable_results(i);
    if (outcome.ok() && entry) ToProto(*entry, false, result->mutable_entry());
    ToItem(outcome, result->mutable_status());
  };
  // The items are written one after the other, and their acks waited for together.
  auto* call = new WaitingCall(host_, [] { return absl::OkStatus(); });
  size_t bytes = 0;
  for (int i = 0; i < request->requests_size(); ++i) {
    bytes += request->requests(i).ByteSizeLong();
    if (bytes > kMaxBatchSetBytes) {
      settle(i,
             core::Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                           "the items up to this one are over 8 MiB together; send it in another call"),
             nullptr);
      continue;
    }
    auto command = FromProto(request->requests(i), host_.options().node_id);
    if (!command.ok()) {
      settle(i, command.status(), nullptr);
      continue;
    }
    command->patience_ms = PatienceMs(*context);
    const auto take = [settle, i](const core::Effects::Answered& answered) {
      settle(i, answered.status, answered.entry);
    };
    const auto submitted = host_.Submit(*command, call->Expect(take));
    if (!submitted.ok()) {
      settle(i, submitted.status(), nullptr);
    } else if (submitted->wait == 0) {
      settle(i, absl::OkStatus(), submitted->entry);
    }
    call->Began(submitted.ok() ? submitted->wait : 0);
  }
  call->Ready();
  return call;
}

grpc::ServerBidiReactor<v1::WriteRequest, v1::WriteResponse>* KeyValueService::Write(grpc::CallbackServerContext*) {
  class Refused final : public grpc::ServerBidiReactor<v1::WriteRequest, v1::WriteResponse> {
   public:
    Refused() { Finish(ToGrpc(Unserved("Write"))); }
    void OnDone() override { delete this; }
  };
  return new Refused();
}

grpc::ServerWriteReactor<v1::WatchResponse>* KeyValueService::Watch(grpc::CallbackServerContext* context,
                                                                    const v1::WatchRequest* request) {
  const auto status = gate_.Check(*context, *request);
  return status.ok() ? hub_.Open(context, *request) : WatchHub::Refuse(status);
}

}  // namespace leasemap::rpc
