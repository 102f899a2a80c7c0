#include "clients/cpp/io/map_feed.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/clock.h"

namespace leasemap::internal {
namespace {

// Keys whose events wait for a handler. One that is this far behind does not move; its events take some 60 MB then.
constexpr size_t kKeysWaiting = 100'000;
// Lost writes that wait for a handler.
constexpr size_t kLostWaiting = 1000;
// Events that a handler gets at once, before the latest of each key are taken again.
constexpr size_t kEventsAtOnce = 256;
// How often own writes that the watch did not bring are looked at, while there are any.
constexpr absl::Duration kExpiryEvery = absl::Seconds(1);

absl::string_view View(std::string_view key) { return {key.data(), key.size()}; }

Event MakeEvent(const Change& change) {
  return {.kind = change.kind, .entry = *change.entry, .winner = change.winner ? *change.winner : Entry{}};
}

}  // namespace

void Table::Show(const std::string& key, EntryPtr entry) {
  absl::MutexLock lock(&mutex_);
  if (entry) {
    entries_[key] = std::move(entry);
  } else {
    entries_.erase(key);
  }
}

void Table::ShowAll(EntryMap entries) {
  absl::MutexLock lock(&mutex_);
  entries_.swap(entries);  // the entries of before go when the lock is free
}

std::optional<std::string> Table::Get(std::string_view key) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = entries_.find(View(key));
  if (found == entries_.end()) return std::nullopt;
  return found->second->value;
}

EntryPtr Table::Find(std::string_view key) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = entries_.find(View(key));
  return found == entries_.end() ? nullptr : found->second;
}

bool Table::Contains(std::string_view key) const {
  absl::ReaderMutexLock lock(&mutex_);
  return entries_.contains(View(key));
}

size_t Table::size() const {
  absl::ReaderMutexLock lock(&mutex_);
  return entries_.size();
}

std::vector<EntryPtr> Table::Entries() const {
  std::vector<EntryPtr> all;
  {
    absl::ReaderMutexLock lock(&mutex_);
    all.reserve(entries_.size());
    for (const auto& [key, entry] : entries_) all.push_back(entry);
  }
  std::sort(all.begin(), all.end(), [](const EntryPtr& a, const EntryPtr& b) { return a->key < b->key; });
  return all;
}

MapEvents::MapEvents(std::shared_ptr<Engine> engine, std::weak_ptr<MapFeed> feed, Handler handler)
    : Subscribed(std::move(engine)),
      feed_(std::move(feed)),
      handler_(std::move(handler)),
      latest_(kKeysWaiting),
      lost_(kLostWaiting) {}

void MapEvents::OnStopped() {
  if (const auto feed = feed_.lock()) feed->Remove(this);
}

void MapEvents::Publish(const std::vector<Change>& changes) {
  for (const Change& each : changes) {
    if (each.kind == Kind::kLost) {
      lost_.Put(each.entry->version, each);
    } else {
      latest_.Put(each.key, each);
    }
  }
  if (!draining_) Drain();
}

void MapEvents::PublishBookmark() {
  Publish({{.kind = Kind::kBookmark, .key = "", .entry = std::make_shared<const Entry>()}});
}

void MapEvents::Drain() {
  std::vector<Change> some;
  while (some.size() < kEventsAtOnce) {
    std::optional<Change> next = lost_.TakeFirst();
    if (!next) next = latest_.TakeFirst();
    if (!next) break;
    some.push_back(*std::move(next));
  }
  draining_ = !some.empty();
  if (!draining_) return;
  const auto self = std::static_pointer_cast<MapEvents>(shared_from_this());
  engine()->handlers().Post([self, some = std::move(some)] {
    for (const Change& each : some) {
      if (!self->RunUnlessStopped([&] { self->handler_(MakeEvent(each)); })) return;
    }
    self->engine()->Post([self] { self->Drain(); });
  });
}

MapFeed::MapFeed(std::shared_ptr<Engine> engine, std::string prefix)
    : engine_(std::move(engine)), prefix_(std::move(prefix)), cache_(engine_->holder(), prefix_, table_) {}

bool MapFeed::synced() const {
  absl::MutexLock lock(&mutex_);
  return state_.synced;
}

absl::Status MapFeed::WaitSynced(absl::Duration most) const {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(this, &MapFeed::IsDecided), most);
  if (state_.synced) return absl::OkStatus();
  if (!state_.refused.ok()) return state_.refused;
  if (state_.ended) return engine_->problem().ok() ? ClosedStatus() : engine_->problem();
  return absl::UnavailableError(absl::StrCat("no node gave its map in time; the last error: ", state_.last.message()));
}

absl::Status MapFeed::refused() const {
  absl::MutexLock lock(&mutex_);
  return state_.refused;
}

void MapFeed::Start() {
  engine_->Add(std::static_pointer_cast<WriteViewer>(shared_from_this()));
  following_ = std::make_shared<Following>(*engine_, *this);
  following_->Start();
}

void MapFeed::Stop() {
  if (following_) following_->Stop();
  events_.clear();
  Ended();
}

void MapFeed::Add(const std::shared_ptr<MapEvents>& events) { events_.push_back(events); }

void MapFeed::Remove(const MapEvents* events) {
  events_.erase(
      std::remove_if(events_.begin(), events_.end(), [events](const auto& each) { return each.get() == events; }),
      events_.end());
}

void MapFeed::Took(const v1::WatchResponse& message) {
  const std::vector<Change> changes = cache_.Take(message, BootTime());
  {
    absl::MutexLock lock(&mutex_);
    state_.synced = cache_.synced();
  }
  if (!changes.empty()) {
    for (const auto& each : events_) each->Publish(changes);
  }
  following_->Next();
}

bool MapFeed::Broke(const absl::Status& status) {
  cache_.Broke();
  if (IsReason(status, reason::kCursorExpired) || IsReason(status, reason::kCursorInvalid)) cache_.ForgetCursor();
  absl::MutexLock lock(&mutex_);
  state_.synced = false;
  state_.last = status;
  if (IsRefusal(status)) state_.refused = status;
  return !IsRefusal(status);
}

void MapFeed::Ended() {
  absl::MutexLock lock(&mutex_);
  state_.synced = false;
  state_.ended = true;
}

void MapFeed::Wrote(const Entry& entry, const std::vector<std::string>& before) {
  cache_.SetHolder(engine_->holder());  // a client may learn its name before its first write
  cache_.Wrote(entry, BootTime(), before);
  PlanExpiry();
}

void MapFeed::PlanExpiry() {
  if (!cache_.has_own_writes() || planned_ || engine_->closed()) return;
  planned_ = true;
  engine_->After(kExpiryEvery, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->planned_ = false;
    self->cache_.Expire(BootTime());
    self->PlanExpiry();
  });
}

}  // namespace leasemap::internal
