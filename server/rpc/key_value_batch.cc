// The batches of leasemap.v1.KeyValue: several calls of a kind in one, each with a status of its own.
#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "server/rpc/convert.h"
#include "server/rpc/key_value_service.h"
#include "server/rpc/status.h"
#include "server/rpc/waiting_call.h"

namespace leasemap::rpc {
namespace {

constexpr int kMaxBatch = 1000;                  // items: some milliseconds of work on one thread
constexpr size_t kMaxAnswers = 1 << 20;          // bytes answered by one BatchGet; a larger single entry comes alone
constexpr size_t kMaxBatchWriteBytes = 8 << 20;  // of all items of one batch that writes, as they are encoded

absl::Status CheckBatch(int size) {
  if (size <= kMaxBatch) return absl::OkStatus();
  return core::InvalidField("requests", absl::StrCat("has ", size, " items; at most ", kMaxBatch, " are allowed"));
}

absl::Status TooLarge() {
  return core::Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                       "the items up to this one have over 8 MiB together; send this one in another call");
}

void Settle(const absl::Status& outcome, const core::EntryPtr& entry, v1::BatchResult* result) {
  if (outcome.ok() && entry) ToProto(*entry, false, result->mutable_entry());
  ToItem(outcome, result->mutable_status());
}

}  // namespace

// Answers each item by `answer`, in order: at once, or after the last of their min_versions has come. An item whose own
// did not come in time is answered by that alone.
template <typename Request, typename Response, typename Answer>
grpc::ServerUnaryReactor* KeyValueService::BatchOnceHere(grpc::CallbackServerContext* context, const Request& request,
                                                         Response* response, Answer answer) {
  auto status = gate_.Check(*context, request);
  if (status.ok()) status = CheckBatch(request.requests_size());
  if (!status.ok()) return Finish(context, status);
  const auto& items = request.requests();
  auto waited = std::make_shared<std::vector<absl::Status>>(items.size());
  auto answer_all = [&items, response, waited, answer]() mutable {
    for (int i = 0; i < items.size(); ++i) {
      auto* result = response->add_results();
      auto outcome = (*waited)[i];
      if (outcome.ok()) outcome = answer(items[i], result);
      if (!outcome.ok()) result->clear_entry();
      ToItem(outcome, result->mutable_status());
    }
    return absl::OkStatus();
  };
  if (std::all_of(items.begin(), items.end(), [](const auto& item) { return item.min_version().empty(); })) {
    return Finish(context, answer_all());
  }
  auto* call = new WaitingCall(host_, answer_all);
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

// The items are written one after the other, and their acks waited for together.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* KeyValueService::BatchWrite(grpc::CallbackServerContext* context, const Request& request,
                                                      Response* response) {
  auto status = gate_.Check(*context, request);
  if (status.ok()) status = CheckBatch(request.requests_size());
  if (!status.ok()) return Finish(context, status);
  for (int i = 0; i < request.requests_size(); ++i) response->add_results();
  auto* call = new WaitingCall(host_, [] { return absl::OkStatus(); });
  size_t bytes = 0;
  for (int i = 0; i < request.requests_size(); ++i) {
    const auto& item = request.requests(i);
    auto* result = response->mutable_results(i);
    bytes += item.ByteSizeLong();
    auto command = bytes > kMaxBatchWriteBytes ? absl::StatusOr<core::WriteCommand>(TooLarge())
                                               : FromProto(item, host_.options().node_id);
    if (!command.ok()) {
      Settle(command.status(), nullptr, result);
      continue;
    }
    command->patience_ms = PatienceMs(*context);
    const auto take = [result](const core::Effects::Answered& answered) {
      Settle(answered.status, answered.entry, result);
    };
    const auto submitted = host_.Submit(*command, call->Expect(take));
    if (!submitted.ok()) {
      Settle(submitted.status(), nullptr, result);
    } else if (submitted->wait == 0) {
      Settle(absl::OkStatus(), submitted->entry, result);
    }
    call->Began(submitted.ok() ? submitted->wait : 0);
  }
  call->Ready();
  return call;
}

grpc::ServerUnaryReactor* KeyValueService::BatchGet(grpc::CallbackServerContext* context,
                                                    const v1::BatchGetRequest* request,
                                                    v1::BatchGetResponse* response) {
  return BatchOnceHere(context, *request, response,
                       [this, bytes = size_t{0}](const v1::GetRequest& item, v1::BatchResult* result) mutable {
                         const std::string& key = KeyOf(item);
                         if (auto status = core::CheckKey(key); !status.ok()) return status;
                         const core::EntryPtr entry = host_.Get(key);
                         if (entry == nullptr) return core::KeyNotFound(key);
                         const size_t with = bytes + core::Weight(*entry);
                         if (bytes > 0 && with > kMaxAnswers) {
                           return core::Refusal(
                               absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                               "the answers up to this one have over 1 MiB together; ask for this key in another call");
                         }
                         bytes = with;
                         ToProto(*entry, true, result->mutable_entry());
                         return absl::OkStatus();
                       });
}

grpc::ServerUnaryReactor* KeyValueService::BatchRenew(grpc::CallbackServerContext* context,
                                                      const v1::BatchRenewRequest* request,
                                                      v1::BatchRenewResponse* response) {
  return BatchOnceHere(context, *request, response, [this](const v1::RenewRequest& item, v1::BatchResult* result) {
    bool changed = false;
    return WriteOne(item, result->mutable_entry(), &changed);
  });
}

grpc::ServerUnaryReactor* KeyValueService::BatchSet(grpc::CallbackServerContext* context,
                                                    const v1::BatchSetRequest* request,
                                                    v1::BatchSetResponse* response) {
  return BatchWrite(context, *request, response);
}

grpc::ServerUnaryReactor* KeyValueService::BatchDelete(grpc::CallbackServerContext* context,
                                                       const v1::BatchDeleteRequest* request,
                                                       v1::BatchDeleteResponse* response) {
  return BatchWrite(context, *request, response);
}

}  // namespace leasemap::rpc
