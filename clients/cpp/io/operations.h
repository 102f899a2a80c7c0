// What programs ask of a client, as it is done on the loop. Each calls its outcome once, on the loop.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cpp/io/engine.h"
#include "leasemap/client.h"

namespace leasemap::internal {

template <typename Answer>
using Outcome = std::function<void(Answer)>;
using EntryOutcome = Outcome<absl::StatusOr<Entry>>;
using BatchOutcome = Outcome<std::vector<absl::StatusOr<Entry>>>;

void DoGet(Engine& engine, const std::string& key, const GetOptions& options, EntryOutcome outcome);
void DoSet(Engine& engine, const std::string& key, const std::string& value, const SetOptions& options,
           EntryOutcome outcome);
void DoDelete(Engine& engine, const std::string& key, const DeleteOptions& options, EntryOutcome outcome);
void DoRenew(Engine& engine, const std::string& key, const RenewOptions& options, EntryOutcome outcome);
void DoRelease(Engine& engine, const std::string& key, const ReleaseOptions& options, EntryOutcome outcome);
void DoList(Engine& engine, const std::string& prefix, const ListOptions& options,
            Outcome<absl::StatusOr<ListPage>> outcome);

void DoBatchGet(Engine& engine, std::vector<std::string> keys, const GetOptions& options, BatchOutcome outcome);
void DoBatchSet(Engine& engine, std::vector<std::pair<std::string, std::string>> items, const SetOptions& options,
                BatchOutcome outcome);
void DoBatchDelete(Engine& engine, std::vector<std::string> keys, const DeleteOptions& options, BatchOutcome outcome);

// A Set, and the lease that is kept on its key, if there is one.
struct PreparedSet {
  v1::SetRequest request;
  std::shared_ptr<HeldLease> lease;
};
absl::StatusOr<PreparedSet> PrepareSet(Engine& engine, const std::string& key, const std::string& value,
                                       const SetOptions& options);

// By when a call has to end.
Moment EndOf(const Engine& engine, const std::optional<absl::Duration>& timeout);
// How long one node may take for a write with these acks.
absl::Duration AttemptFor(Ack ack);

}  // namespace leasemap::internal
