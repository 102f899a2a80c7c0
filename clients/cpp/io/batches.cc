// Calls for many keys: as few calls as fit the server's bounds, one after another.
#include <memory>

#include "clients/cpp/core/entries.h"
#include "clients/cpp/core/requests.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/call.h"
#include "clients/cpp/io/chance.h"
#include "clients/cpp/io/keeper.h"
#include "clients/cpp/io/operations.h"
#include "clients/cpp/io/principal.h"

namespace leasemap::internal {
namespace {

// Of one batch: the server takes 1,000 items, and 8 MiB; half of that leaves room for how gRPC encodes.
constexpr int kBatchItems = 1000;
constexpr size_t kBatchBytes = 4 << 20;

// A batch under way. `Kind` says how an item becomes a request, and what its result means:
//   Request, Response, kMethod;
//   bool Put(item, Request&): adds the item; false, with the result filled in, if it is refused here
//   absl::StatusOr<Entry> Take(item, result, target)
template <typename Kind>
class Batch : public std::enable_shared_from_this<Batch<Kind>> {
 public:
  Batch(Engine& engine, Kind kind, size_t items, absl::Duration most, std::optional<absl::Duration> timeout,
        BatchOutcome outcome)
      : engine_(engine),
        kind_(std::move(kind)),
        most_(most),
        timeout_(timeout),
        outcome_(std::move(outcome)),
        results_(items, absl::UnavailableError("not asked")) {
    for (size_t i = items; i > 0; --i) left_.push_back(i - 1);
  }

  void Next() {
    typename Kind::Request request;
    std::vector<size_t> asked;
    size_t bytes = 0;
    while (!left_.empty() && request.requests_size() < kBatchItems) {
      const size_t at = left_.back();
      const size_t size = kind_.Size(at);
      if (!asked.empty() && bytes + size > kBatchBytes) break;
      left_.pop_back();
      const absl::Status refused = kind_.Put(at, *request.add_requests());
      if (!refused.ok()) {
        request.mutable_requests()->RemoveLast();
        results_[at] = refused;
        continue;
      }
      bytes += size;
      asked.push_back(at);
    }
    if (asked.empty()) return outcome_(std::move(results_));
    Call<typename Kind::Request, typename Kind::Response>::Start(
        engine_, Kind::kMethod, std::move(request), most_, EndOf(engine_, timeout_),
        [self = this->shared_from_this(), asked](const absl::StatusOr<typename Kind::Response>& answer,
                                                 const std::string& target) { self->Take(asked, answer, target); });
  }

 private:
  void Take(const std::vector<size_t>& asked, const absl::StatusOr<typename Kind::Response>& answer,
            const std::string& target) {
    std::vector<size_t> again;
    for (size_t i = 0; i < asked.size(); ++i) {
      if (!answer.ok() || static_cast<int>(i) >= answer->results_size()) {
        results_[asked[i]] = answer.ok() ? absl::UnavailableError("the answer was cut short") : answer.status();
        continue;
      }
      const v1::BatchResult& result = answer->results(static_cast<int>(i));
      const absl::Status status = FromItem(result.status());
      // There was no room for more in this call. The first always fits, so each call brings one at least.
      if (i > 0 && IsReason(status, "BYTES_LIMIT") && Kind::kAsksAgain) {
        again.push_back(asked[i]);
        continue;
      }
      results_[asked[i]] = status.ok() ? kind_.Take(asked[i], result, target) : absl::StatusOr<Entry>(status);
    }
    left_.insert(left_.end(), again.rbegin(), again.rend());
    if (!answer.ok() && InDoubt(answer.status())) {  // no node answers: the rest would only wait as long
      for (const size_t at : left_) results_[at] = answer.status();
      left_.clear();
    }
    Next();
  }

  Engine& engine_;
  Kind kind_;
  const absl::Duration most_;
  const std::optional<absl::Duration> timeout_;
  const BatchOutcome outcome_;
  std::vector<absl::StatusOr<Entry>> results_;
  std::vector<size_t> left_;  // the next one last
};

struct Gets {
  using Request = v1::BatchGetRequest;
  using Response = v1::BatchGetResponse;
  static constexpr auto kMethod = &v1::KeyValue::Stub::PrepareAsyncBatchGet;
  static constexpr bool kAsksAgain = true;

  size_t Size(size_t at) const { return keys[at].size(); }
  absl::Status Put(size_t at, v1::GetRequest& request) const {
    request.set_key_bytes(keys[at]);
    return absl::OkStatus();
  }
  absl::StatusOr<Entry> Take(size_t, const v1::BatchResult& result, const std::string&) const {
    return FromProto(result.entry());
  }

  std::vector<std::string> keys;
};

struct Sets {
  using Request = v1::BatchSetRequest;
  using Response = v1::BatchSetResponse;
  static constexpr auto kMethod = &v1::KeyValue::Stub::PrepareAsyncBatchSet;
  static constexpr bool kAsksAgain = false;  // a map that is full says the same

  size_t Size(size_t at) const { return items[at].first.size() + items[at].second.size(); }
  absl::Status Put(size_t at, v1::SetRequest& request) {
    auto prepared = PrepareSet(*engine, items[at].first, items[at].second, options);
    if (!prepared.ok()) return prepared.status();
    request = std::move(prepared->request);
    leases[at] = prepared->lease;
    sent[at] = engine->BeforeSending(items[at].first);
    return absl::OkStatus();
  }
  absl::StatusOr<Entry> Take(size_t at, const v1::BatchResult& result, const std::string& target) {
    Entry entry = FromProto(result.entry());
    PutValue(items[at].second, GoesAsBytes(items[at].second, options), entry);
    engine->Answered(entry, sent[at]);
    engine->keeper().Renewed(leases[at], entry, sent[at], target);
    return entry;
  }

  Engine* engine;
  std::vector<std::pair<std::string, std::string>> items;
  SetOptions options;
  std::vector<LeasePtr> leases;
  std::vector<Sending> sent;
};

struct Deletes {
  using Request = v1::BatchDeleteRequest;
  using Response = v1::BatchDeleteResponse;
  static constexpr auto kMethod = &v1::KeyValue::Stub::PrepareAsyncBatchDelete;
  static constexpr bool kAsksAgain = false;

  size_t Size(size_t at) const { return keys[at].size(); }
  absl::Status Put(size_t at, v1::DeleteRequest& request) {
    request = MakeDelete(keys[at], options, engine->holder(), RandomHex(16));
    sent[at] = engine->BeforeSending(keys[at]);
    return CheckAck(options.ack);
  }
  absl::StatusOr<Entry> Take(size_t at, const v1::BatchResult& result, const std::string&) {
    if (!result.has_entry()) return Entry{};  // nothing changed
    const Entry entry = FromProto(result.entry());
    engine->Answered(entry, sent[at]);
    if (const LeasePtr lease = engine->keeper().Kept(keys[at])) {
      engine->keeper().End(lease, Stage::kReleased, "", true);
    }
    return entry;
  }

  Engine* engine;
  std::vector<std::string> keys;
  DeleteOptions options;
  std::vector<Sending> sent;
};

// All items of the batch have the status.
std::function<void(const absl::Status&)> FailAll(size_t count, const BatchOutcome& outcome) {
  return [count, outcome](const absl::Status& status) { outcome(std::vector<absl::StatusOr<Entry>>(count, status)); };
}

}  // namespace

void DoBatchGet(Engine& engine, std::vector<std::string> keys, const GetOptions& options, BatchOutcome outcome) {
  const size_t count = keys.size();
  std::make_shared<Batch<Gets>>(engine, Gets{std::move(keys)}, count, kAttempt, options.timeout, std::move(outcome))
      ->Next();
}

void DoBatchSet(Engine& engine, std::vector<std::pair<std::string, std::string>> items, const SetOptions& options,
                BatchOutcome outcome) {
  const size_t count = items.size();
  if (engine.unnamed()) {
    return AskHolder(engine, EndOf(engine, options.timeout), FailAll(count, outcome),
                     [=, &engine] { DoBatchSet(engine, items, options, outcome); });
  }
  Sets sets{&engine, std::move(items), options, std::vector<LeasePtr>(count), std::vector<Sending>(count)};
  std::make_shared<Batch<Sets>>(engine, std::move(sets), count, AttemptFor(options.ack), options.timeout,
                                std::move(outcome))
      ->Next();
}

void DoBatchDelete(Engine& engine, std::vector<std::string> keys, const DeleteOptions& options, BatchOutcome outcome) {
  const size_t count = keys.size();
  if (engine.unnamed()) {
    return AskHolder(engine, EndOf(engine, options.timeout), FailAll(count, outcome),
                     [=, &engine] { DoBatchDelete(engine, keys, options, outcome); });
  }
  Deletes deletes{&engine, std::move(keys), options, std::vector<Sending>(count)};
  std::make_shared<Batch<Deletes>>(engine, std::move(deletes), count, AttemptFor(options.ack), options.timeout,
                                   std::move(outcome))
      ->Next();
}

}  // namespace leasemap::internal
