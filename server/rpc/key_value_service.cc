#include "server/rpc/key_value_service.h"

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "server/rpc/convert.h"
#include "server/rpc/list.h"
#include "server/rpc/status.h"

namespace leasemap::rpc {
namespace {

constexpr int kMaxBatch = 1000;             // items: some milliseconds of work on one thread
constexpr size_t kMaxBatchBytes = 1 << 20;  // answered by one BatchGet; a larger single entry is answered alone

grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, const absl::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

absl::Status CheckBatch(int size) {
  if (size <= kMaxBatch) return absl::OkStatus();
  return core::InvalidField("requests", absl::StrCat("has ", size, " items; at most ", kMaxBatch, " are allowed"));
}

absl::Status Unserved(const char* rpc) { return core::Unsupported(rpc, "not supported by this version"); }

}  // namespace

absl::Status KeyValueService::GetOne(const v1::GetRequest& request, v1::Entry* out, size_t* bytes) {
  const std::string& key = KeyOf(request);
  if (auto status = core::CheckKey(key); !status.ok()) return status;
  if (!request.min_version().empty()) {
    return core::Unsupported("min_version", "not supported by this version; leave it unset");
  }
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
  size_t bytes = 0;
  auto status = gate_.Check();
  if (status.ok()) status = GetOne(*request, response->mutable_entry(), &bytes);
  return Finish(context, status);
}

grpc::ServerUnaryReactor* KeyValueService::Set(grpc::CallbackServerContext* context, const v1::SetRequest* request,
                                               v1::SetResponse* response) {
  bool changed = false;
  auto status = gate_.Check();
  if (status.ok()) status = WriteOne(*request, response->mutable_entry(), &changed);
  return Finish(context, status);
}

grpc::ServerUnaryReactor* KeyValueService::Delete(grpc::CallbackServerContext* context,
                                                  const v1::DeleteRequest* request, v1::DeleteResponse* response) {
  bool changed = false;
  auto status = gate_.Check();
  if (status.ok()) status = WriteOne(*request, response->mutable_entry(), &changed);
  if (!changed) response->clear_entry();
  return Finish(context, status);
}

grpc::ServerUnaryReactor* KeyValueService::Renew(grpc::CallbackServerContext* context, const v1::RenewRequest* request,
                                                 v1::RenewResponse* response) {
  bool changed = false;
  auto status = gate_.Check();
  if (status.ok()) status = WriteOne(*request, response->mutable_entry(), &changed);
  return Finish(context, status);
}

grpc::ServerUnaryReactor* KeyValueService::Release(grpc::CallbackServerContext* context,
                                                   const v1::ReleaseRequest* request, v1::ReleaseResponse* response) {
  bool changed = false;
  auto status = gate_.Check();
  if (status.ok()) status = WriteOne(*request, response->mutable_entry(), &changed);
  if (status.ok() && !changed) {
    // Nothing to release: the answer is the entry as it is.
    const auto entry = host_.Get(KeyOf(*request));
    if (entry == nullptr) {
      status = core::KeyNotFound(KeyOf(*request));  // deleted a moment ago
    } else {
      ToProto(*entry, false, response->mutable_entry());
    }
  }
  return Finish(context, status);
}

grpc::ServerUnaryReactor* KeyValueService::List(grpc::CallbackServerContext* context, const v1::ListRequest* request,
                                                v1::ListResponse* response) {
  auto status = gate_.Check();
  if (status.ok()) status = rpc::List(host_, *request, response);
  return Finish(context, status);
}

grpc::ServerUnaryReactor* KeyValueService::BatchGet(grpc::CallbackServerContext* context,
                                                    const v1::BatchGetRequest* request,
                                                    v1::BatchGetResponse* response) {
  auto status = gate_.Check();
  if (status.ok()) status = CheckBatch(request->requests_size());
  if (!status.ok()) return Finish(context, status);
  size_t bytes = 0;
  for (const auto& item : request->requests()) {
    auto* result = response->add_results();
    const auto outcome = GetOne(item, result->mutable_entry(), &bytes);
    if (!outcome.ok()) result->clear_entry();
    ToItem(outcome, result->mutable_status());
  }
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* KeyValueService::BatchSet(grpc::CallbackServerContext* context,
                                                    const v1::BatchSetRequest* request,
                                                    v1::BatchSetResponse* response) {
  auto status = gate_.Check();
  if (status.ok()) status = CheckBatch(request->requests_size());
  if (!status.ok()) return Finish(context, status);
  for (const auto& item : request->requests()) {
    bool changed = false;
    auto* result = response->add_results();
    const auto outcome = WriteOne(item, result->mutable_entry(), &changed);
    if (!outcome.ok()) result->clear_entry();
    ToItem(outcome, result->mutable_status());
  }
  return Finish(context, absl::OkStatus());
}

grpc::ServerBidiReactor<v1::WriteRequest, v1::WriteResponse>* KeyValueService::Write(grpc::CallbackServerContext*) {
  class Refused final : public grpc::ServerBidiReactor<v1::WriteRequest, v1::WriteResponse> {
   public:
    Refused() { Finish(ToGrpc(Unserved("Write"))); }
    void OnDone() override { delete this; }
  };
  return new Refused();
}

grpc::ServerWriteReactor<v1::WatchResponse>* KeyValueService::Watch(grpc::CallbackServerContext*,
                                                                    const v1::WatchRequest* request) {
  const auto status = gate_.Check();
  return status.ok() ? hub_.Open(*request) : WatchHub::Refuse(status);
}

}  // namespace leasemap::rpc
