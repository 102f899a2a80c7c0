#include "clients/cpp/io/operations.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "clients/cpp/core/entries.h"
#include "clients/cpp/core/requests.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/call.h"
#include "clients/cpp/io/chance.h"
#include "clients/cpp/io/keeper.h"
#include "clients/cpp/io/principal.h"

namespace leasemap::internal {
namespace {

constexpr int kPageMost = 1000;  // entries, of the server

// A call that gives the lease up, too, be it one that this client keeps: its events on the key's watch are no loss.
class Ending {
 public:
  Ending(Engine& engine, const std::string& key)
      : engine_(engine), lease_(engine.keeper().Kept(key)), sent_(engine.BeforeSending(key)) {
    Count(1);
  }

  absl::StatusOr<Entry> Ended(const absl::Status& status, const v1::Entry* answer) {
    Count(-1);
    if (!status.ok()) return status;
    if (!answer) return Entry{};  // nothing changed
    Entry entry = FromProto(*answer);
    if (lease_ && lease_->ephemeral()) entry.deleted = true;  // it vanished, on that node at least
    engine_.Answered(entry, sent_);
    if (lease_) engine_.keeper().End(lease_, Stage::kReleased, "", true);
    return entry;
  }

 private:
  void Count(int change) {
    if (lease_) lease_->With([change](LeaseState& state) { state.Ending(change); });
  }

  Engine& engine_;
  const LeasePtr lease_;
  const Sending sent_;
};

absl::Status OtherDuration(const LeasePtr& lease) {
  return absl::InvalidArgumentError(absl::StrCat("the lease on ", ShowKey(lease->key()), " is kept at ",
                                                 absl::FormatDuration(lease->options().duration),
                                                 "; leave the duration out, or release it"));
}

}  // namespace

Moment EndOf(const Engine& engine, const std::optional<absl::Duration>& timeout) {
  return BootTime() + timeout.value_or(engine.options().timeout);
}

absl::Duration AttemptFor(Ack ack) { return ack.IsLocal() ? kAttempt : kAttemptAcks; }

void DoGet(Engine& engine, const std::string& key, const GetOptions& options, EntryOutcome outcome) {
  v1::GetRequest request;
  request.set_key_bytes(key);
  request.set_min_version(options.min_version);
  Call<v1::GetRequest, v1::GetResponse>::Start(
      engine, &v1::KeyValue::Stub::PrepareAsyncGet, std::move(request),
      options.min_version.empty() ? kAttempt : kAttemptAcks, EndOf(engine, options.timeout),
      [outcome = std::move(outcome)](const absl::StatusOr<v1::GetResponse>& answer, const std::string&) {
        if (!answer.ok()) return outcome(answer.status());
        outcome(FromProto(answer->entry()));
      });
}

absl::StatusOr<PreparedSet> PrepareSet(Engine& engine, const std::string& key, const std::string& value,
                                       const SetOptions& options) {
  const absl::Status acks = CheckAck(options.ack);
  if (!acks.ok()) return acks;
  const LeasePtr lease = engine.keeper().Kept(key);
  SetArguments arguments{.holder = engine.holder(),
                         .request_id = RandomHex(16),
                         .lease = options.lease ? options.lease : engine.options().lease,
                         .ephemeral = options.ephemeral};
  if (lease) {
    if (options.lease && *options.lease != lease->options().duration) return OtherDuration(lease);
    arguments.lease = lease->options().duration;
    arguments.ephemeral = arguments.ephemeral || lease->ephemeral();
  }
  return PreparedSet{.request = MakeSet(key, value, options, arguments), .lease = lease};
}

void DoSet(Engine& engine, const std::string& key, const std::string& value, const SetOptions& options,
           EntryOutcome outcome) {
  if (engine.unnamed()) {
    return AskHolder(engine, EndOf(engine, options.timeout), outcome,
                     [=, &engine] { DoSet(engine, key, value, options, outcome); });
  }
  auto prepared = PrepareSet(engine, key, value, options);
  if (!prepared.ok()) return outcome(prepared.status());
  Call<v1::SetRequest, v1::SetResponse>::Start(
      engine, &v1::KeyValue::Stub::PrepareAsyncSet, std::move(prepared->request), AttemptFor(options.ack),
      EndOf(engine, options.timeout),
      [&engine, value, binary = GoesAsBytes(value, options), lease = prepared->lease, sent = engine.BeforeSending(key),
       outcome = std::move(outcome)](const absl::StatusOr<v1::SetResponse>& answer, const std::string& target) {
        if (!answer.ok()) return outcome(answer.status());
        Entry entry = FromProto(answer->entry());
        PutValue(value, binary, entry);
        engine.Answered(entry, sent);
        engine.keeper().Renewed(lease, entry, sent, target);
        outcome(std::move(entry));
      });
}

void DoDelete(Engine& engine, const std::string& key, const DeleteOptions& options, EntryOutcome outcome) {
  if (engine.unnamed()) {
    return AskHolder(engine, EndOf(engine, options.timeout), outcome,
                     [=, &engine] { DoDelete(engine, key, options, outcome); });
  }
  const absl::Status acks = CheckAck(options.ack);
  if (!acks.ok()) return outcome(acks);
  Call<v1::DeleteRequest, v1::DeleteResponse>::Start(
      engine, &v1::KeyValue::Stub::PrepareAsyncDelete, MakeDelete(key, options, engine.holder(), RandomHex(16)),
      AttemptFor(options.ack), EndOf(engine, options.timeout),
      [ending = std::make_shared<Ending>(engine, key), outcome = std::move(outcome)](
          const absl::StatusOr<v1::DeleteResponse>& answer, const std::string&) {
        outcome(ending->Ended(answer.status(), answer.ok() && answer->has_entry() ? &answer->entry() : nullptr));
      });
}

void DoRelease(Engine& engine, const std::string& key, const ReleaseOptions& options, EntryOutcome outcome) {
  if (engine.unnamed()) {
    return AskHolder(engine, EndOf(engine, options.timeout), outcome,
                     [=, &engine] { DoRelease(engine, key, options, outcome); });
  }
  v1::ReleaseRequest request;
  request.set_key_bytes(key);
  request.set_holder(engine.holder());
  Call<v1::ReleaseRequest, v1::ReleaseResponse>::Start(
      engine, &v1::KeyValue::Stub::PrepareAsyncRelease, std::move(request), kAttempt, EndOf(engine, options.timeout),
      [ending = std::make_shared<Ending>(engine, key), outcome = std::move(outcome)](
          const absl::StatusOr<v1::ReleaseResponse>& answer, const std::string&) {
        outcome(ending->Ended(answer.status(), answer.ok() ? &answer->entry() : nullptr));
      });
}

void DoRenew(Engine& engine, const std::string& key, const RenewOptions& options, EntryOutcome outcome) {
  if (engine.unnamed()) {
    return AskHolder(engine, EndOf(engine, options.timeout), outcome,
                     [=, &engine] { DoRenew(engine, key, options, outcome); });
  }
  const LeasePtr lease = engine.keeper().Kept(key);
  if (lease && options.lease && *options.lease != lease->options().duration) return outcome(OtherDuration(lease));
  Call<v1::RenewRequest, v1::RenewResponse>::Start(
      engine, &v1::KeyValue::Stub::PrepareAsyncRenew,
      MakeRenew(key, engine.holder(), options.lease, options.only_if_held, ""), kAttempt,
      EndOf(engine, options.timeout),
      [&engine, lease, sent = engine.BeforeSending(key), outcome = std::move(outcome)](
          const absl::StatusOr<v1::RenewResponse>& answer, const std::string& target) {
        if (!answer.ok()) return outcome(answer.status());
        Entry entry = FromProto(answer->entry());
        engine.Answered(entry, sent);
        engine.keeper().Renewed(lease, entry, sent, target);
        outcome(std::move(entry));
      });
}

void DoList(Engine& engine, const std::string& prefix, const ListOptions& options,
            Outcome<absl::StatusOr<ListPage>> outcome) {
  v1::ListRequest request;
  request.set_prefix_bytes(prefix);
  request.set_page_size(std::clamp(options.page_size, 1, kPageMost));
  request.set_page_token(options.page_token);
  request.set_keys_only(options.keys_only);
  Call<v1::ListRequest, v1::ListResponse>::Start(
      engine, &v1::KeyValue::Stub::PrepareAsyncList, std::move(request), kAttempt, EndOf(engine, options.timeout),
      [outcome = std::move(outcome)](const absl::StatusOr<v1::ListResponse>& answer, const std::string&) {
        if (!answer.ok()) return outcome(answer.status());
        ListPage page{.entries = {}, .next_page_token = answer->next_page_token()};
        for (const v1::Entry& entry : answer->entries()) page.entries.push_back(FromProto(entry));
        outcome(std::move(page));
      });
}

}  // namespace leasemap::internal
