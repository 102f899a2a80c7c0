#include "leasemap/sync_map.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/map_feed.h"
#include "clients/cpp/io/operations.h"
#include "clients/cpp/io/waiting.h"

namespace leasemap {
namespace {

absl::StatusOr<Entry> Fail(const absl::Status& status) { return status; }

}  // namespace

SyncMap::SyncMap(const Client& client, const MapOptions& options)
    : engine_(client.engine()), feed_(std::make_shared<internal::MapFeed>(engine_, options.prefix)) {
  if (engine_->problem().ok() && engine_->Post([feed = feed_] { feed->Start(); })) return;
  feed_->Ended();
}

SyncMap::~SyncMap() {
  engine_->Post([feed = feed_] { feed->Stop(); });
}

bool SyncMap::synced() const { return feed_->synced(); }
absl::Status SyncMap::refused() const { return feed_->refused(); }
absl::Status SyncMap::WaitSynced(absl::Duration most) const { return feed_->WaitSynced(most); }
std::optional<std::string> SyncMap::Get(std::string_view key) const { return feed_->table().Get(key); }
std::shared_ptr<const Entry> SyncMap::Find(std::string_view key) const { return feed_->table().Find(key); }
bool SyncMap::Contains(std::string_view key) const { return feed_->table().Contains(key); }
size_t SyncMap::size() const { return feed_->table().size(); }
std::vector<std::shared_ptr<const Entry>> SyncMap::Entries() const { return feed_->table().Entries(); }
const std::string& SyncMap::prefix() const { return feed_->prefix(); }

absl::Status SyncMap::CheckKey(std::string_view key) const {
  if (key.substr(0, prefix().size()) == prefix()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("key ", internal::ShowKey(key), " is not below this map's prefix ",
                                                 internal::ShowKey(prefix()),
                                                 "; use the client, or a map with a shorter prefix"));
}

absl::StatusOr<Entry> SyncMap::Set(std::string_view key, std::string_view value, const SetOptions& options) {
  const absl::Status below = CheckKey(key);
  if (!below.ok()) return below;
  return internal::AskAndWait<absl::StatusOr<Entry>>(
      *engine_,
      [engine = engine_.get(), key = std::string(key), value = std::string(value), options](auto outcome) {
        internal::DoSet(*engine, key, value, options, std::move(outcome));
      },
      Fail);
}

absl::StatusOr<Entry> SyncMap::Delete(std::string_view key, const DeleteOptions& options) {
  const absl::Status below = CheckKey(key);
  if (!below.ok()) return below;
  return internal::AskAndWait<absl::StatusOr<Entry>>(
      *engine_,
      [engine = engine_.get(), key = std::string(key), options](auto outcome) {
        internal::DoDelete(*engine, key, options, std::move(outcome));
      },
      Fail);
}

Subscription SyncMap::OnEvent(std::function<void(const Event&)> handler) {
  const auto events = std::make_shared<internal::MapEvents>(engine_, feed_, std::move(handler));
  // It waits, so that what is read after this call and changes later is told. A client that was closed tells nothing.
  internal::AskAndWait<bool>(
      *engine_,
      [feed = feed_, events](auto outcome) {
        feed->Add(events);
        outcome(true);
      },
      [](const absl::Status&) { return false; });
  return Subscription(events);
}

}  // namespace leasemap
