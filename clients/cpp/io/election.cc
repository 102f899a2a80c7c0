#include "leasemap/election.h"

#include <memory>
#include <utility>

#include "clients/cpp/core/status.h"

namespace leasemap {

Election::Election(Client& client, std::string key, std::string value, LeaseOptions options)
    : client_(client), key_(std::move(key)), options_(std::move(options)) {
  if (!options_.ack) options_.ack = Ack::Majority();
  options_.value = std::move(value);
}

absl::StatusOr<Lease> Election::Campaign(absl::Duration wait) {
  LeaseOptions options = options_;
  options.wait = wait;
  return client_.Acquire(key_, options);
}

absl::Status Election::Run(const std::function<bool(Lease&)>& lead) {
  while (true) {
    absl::StatusOr<Lease> lease = Campaign();
    if (!lease.ok()) return lease.status();
    const bool again = lead(*lease);
    lease->Release().IgnoreError();  // it tells of a loss, which lead saw
    if (!again) return absl::OkStatus();
  }
}

absl::StatusOr<std::optional<std::string>> Election::Leader() {
  const absl::StatusOr<Entry> found = client_.Get(key_);
  if (found.ok()) return found->value;
  if (internal::IsReason(found.status(), reason::kKeyNotFound)) return std::nullopt;
  return found.status();
}

Subscription Election::OnLeader(std::function<void(const std::optional<std::string>&)> handler) {
  struct Told {
    std::optional<std::string> leader;
    bool any = false;
  };
  const auto told = std::make_shared<Told>();
  return client_.Watch({.keys = {key_}, .snapshot = true, .bookmarks = true},
                       [told, handler = std::move(handler)](const Event& event) {
                         std::optional<std::string> now = told->leader;
                         if (event.kind == Kind::kSet) {
                           now = event.entry.value;
                         } else if (event.kind == Kind::kDeleted || event.kind == Kind::kExpired) {
                           now.reset();
                         } else if (!event.snapshot_end) {
                           return;
                         }
                         if (told->any && now == told->leader) return;
                         told->leader = now;
                         told->any = true;
                         handler(now);
                       });
}

}  // namespace leasemap
