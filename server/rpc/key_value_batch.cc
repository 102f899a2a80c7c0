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

// The steps, once the last min_version of the items that are not refused has come or is not waited for any more.
template <typename Request>
grpc::ServerUnaryReactor* KeyValueService::BatchOnceHere(grpc::CallbackServerContext* context, const Request& request,
                                                         const Waited& waited, std::vector<WaitingCall::Step> steps) {
  const auto& items = request.requests();
  auto* call = new WaitingCall(host_, std::move(steps));
  const int64_t patience_ms = PatienceMs(*context);
  for (int i = 0; i < items.size(); ++i) {
    if (items[i].min_version().empty() || !(*waited)[i].ok()) continue;
    const auto take = [waited, i](const core::Effects::Answered& answered) { (*waited)[i] = answered.status; };
    const auto wait = host_.AwaitVersion(items[i].min_version(), patience_ms, call->Expect(take));
    if (!wait.ok()) (*waited)[i] = wait.status();
    call->Began(wait.ok() ? *wait : 0);
  }
  call->Ready();
  return call;
}

// Begins the item's write in the name of the call.
template <typename Item>
void KeyValueService::WriteItem(WaitingCall& call, const Caller& caller, const Item& item, int64_t patience_ms,
                                v1::BatchResult* result) {
  const WriteLine line(caller, KeyOf(item), item.holder());
  const auto settle = [line, result](const absl::Status& outcome, const core::EntryPtr& entry) {
    line.End(outcome, entry);
    Settle(outcome, entry, result);
  };
  auto command = CommandOf(caller, item);
  if (!command.ok()) return settle(command.status(), nullptr);
  command->patience_ms = patience_ms;
  const auto take = [settle](const core::Effects::Answered& answered) { settle(answered.status, answered.entry); };
  const auto submitted = host_.Submit(*command, call.Expect(take));
  if (!submitted.ok()) {
    settle(submitted.status(), nullptr);
  } else if (submitted->wait == 0) {
    settle(absl::OkStatus(), submitted->entry);
  } else if (submitted->entry != nullptr) {
    line.End(absl::OkStatus(), submitted->entry);
  }
  call.Began(submitted.ok() ? submitted->wait : 0);
}

// The items are written one after the other, and what they wait for is waited for together.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* KeyValueService::BatchWrite(grpc::CallbackServerContext* context, const Request& request,
                                                      Response* response) {
  const auto caller = gate_.Check(*context, request);
  const auto status = caller.ok() ? CheckBatch(request.requests_size()) : caller.status();
  if (!status.ok()) return Finish(context, status);
  for (int i = 0; i < request.requests_size(); ++i) response->add_results();
  const auto begin = [this, caller = *caller, &request, response,
                      patience_ms = PatienceMs(*context)](WaitingCall& call) {
    size_t bytes = 0;
    for (int i = 0; i < request.requests_size(); ++i) {
      auto* result = response->mutable_results(i);
      bytes += request.requests(i).ByteSizeLong();
      if (bytes > kMaxBatchWriteBytes) {
        Settle(TooLarge(), nullptr, result);
      } else {
        WriteItem(call, caller, request.requests(i), patience_ms, result);
      }
    }
    return absl::OkStatus();
  };
  auto* call = new WaitingCall(host_, {begin, [](WaitingCall&) { return absl::OkStatus(); }});
  call->Ready();
  return call;
}

grpc::ServerUnaryReactor* KeyValueService::BatchGet(grpc::CallbackServerContext* context,
                                                    const v1::BatchGetRequest* request,
                                                    v1::BatchGetResponse* response) {
  const auto caller = gate_.Check(*context, *request);
  const auto status = caller.ok() ? CheckBatch(request->requests_size()) : caller.status();
  if (!status.ok()) return Finish(context, status);
  const auto& items = request->requests();
  auto waited = std::make_shared<std::vector<absl::Status>>(items.size());
  for (int i = 0; i < items.size(); ++i) (*waited)[i] = caller->MayRead(KeyOf(items[i]));
  auto answer = [this, bytes = size_t{0}](const v1::GetRequest& item, v1::BatchResult* result) mutable {
    const std::string& key = KeyOf(item);
    if (auto wrong = core::CheckKey(key); !wrong.ok()) return wrong;
    const core::EntryPtr entry = host_.Get(key);
    if (entry == nullptr) return core::KeyNotFound(key);
    const size_t with = bytes + core::Weight(*entry);
    if (bytes > 0 && with > kMaxAnswers) {
      return core::Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                           "the answers up to this one have over 1 MiB together; ask for this key in another call");
    }
    bytes = with;
    ToProto(*entry, true, result->mutable_entry());
    return absl::OkStatus();
  };
  auto answer_all = [&items, response, waited, answer](auto&&...) mutable {
    for (int i = 0; i < items.size(); ++i) {
      auto* result = response->add_results();
      auto outcome = (*waited)[i];
      if (outcome.ok()) outcome = answer(items[i], result);
      ToItem(outcome, result->mutable_status());
    }
    return absl::OkStatus();
  };
  if (std::none_of(items.begin(), items.end(), [](const auto& item) { return !item.min_version().empty(); })) {
    return Finish(context, answer_all());
  }
  return BatchOnceHere(context, *request, waited, {answer_all});
}

grpc::ServerUnaryReactor* KeyValueService::BatchRenew(grpc::CallbackServerContext* context,
                                                      const v1::BatchRenewRequest* request,
                                                      v1::BatchRenewResponse* response) {
  const auto caller = gate_.Check(*context, *request);
  const auto status = caller.ok() ? CheckBatch(request->requests_size()) : caller.status();
  if (!status.ok()) return Finish(context, status);
  const auto& items = request->requests();
  auto waited = std::make_shared<std::vector<absl::Status>>(items.size());
  for (int i = 0; i < items.size(); ++i) {
    (*waited)[i] = caller->MayWrite(KeyOf(items[i]), items[i].holder());
    response->add_results();
  }
  const auto begin = [this, caller = *caller, request, response, waited,
                      patience_ms = PatienceMs(*context)](WaitingCall& call) {
    for (int i = 0; i < request->requests_size(); ++i) {
      auto* result = response->mutable_results(i);
      if ((*waited)[i].ok()) {
        WriteItem(call, caller, request->requests(i), patience_ms, result);
      } else {
        Settle((*waited)[i], nullptr, result);
      }
    }
    return absl::OkStatus();
  };
  return BatchOnceHere(context, *request, waited, {begin, [](WaitingCall&) { return absl::OkStatus(); }});
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
