#include "clients/cpp/io/key_watches.h"

#include <algorithm>
#include <utility>

#include "clients/cpp/core/entries.h"
#include "clients/cpp/io/clock.h"
#include "clients/cpp/io/keeper.h"

namespace leasemap::internal {
namespace {

// Of one watch; the server takes no more.
constexpr size_t kWatchedKeys = 1000;
// Of one client: so 16,000 keys are watched, and take 16 of the 1,000 watches that a connection may have. The rest are
// looked at when their leases are renewed.
constexpr size_t kWatchesMost = 16;
// A watch is opened again, for other keys, after this time at the earliest.
constexpr absl::Duration kReopenLeast = absl::Milliseconds(100);
// A watch for keys that nobody wants any more ends after this time: programs take the same leases again and again.
constexpr absl::Duration kIdleMost = absl::Seconds(10);

}  // namespace

KeyWatches::KeyWatches(Engine& engine) : engine_(engine) {}

KeyWatches::~KeyWatches() = default;

void KeyWatches::Add(const std::string& key) { ++Want(key).leases; }

void KeyWatches::Remove(const std::string& key) {
  const auto found = wanted_.find(key);
  if (found == wanted_.end() || found->second.leases == 0) return;
  --found->second.leases;
  DropUnwanted(key);
}

uint64_t KeyWatches::Listen(const std::string& key, Woken woken) {
  Want(key).waiting.emplace(++last_, std::move(woken));
  return last_;
}

void KeyWatches::Unlisten(const std::string& key, uint64_t number) {
  const auto found = wanted_.find(key);
  if (found == wanted_.end()) return;
  found->second.waiting.erase(number);
  DropUnwanted(key);
}

void KeyWatches::Wake(const std::string& key) {
  const auto found = wanted_.find(key);
  if (found == wanted_.end()) return;
  const std::map<uint64_t, Woken> all = found->second.waiting;  // who is woken may go
  for (const auto& [number, woken] : all) woken();
}

void KeyWatches::Stop() {
  for (auto& [key, wanted] : wanted_) wanted.watch = nullptr;
  watches_.clear();
}

KeyWatches::Wanted& KeyWatches::Want(const std::string& key) {
  const auto [found, is_new] = wanted_.try_emplace(key);
  if (!is_new) return found->second;
  KeyWatch* watch = engine_.closed() ? nullptr : Room();
  found->second.watch = watch;
  if (watch) watch->Add(key);
  return found->second;
}

KeyWatch* KeyWatches::Room() {
  for (const auto& watch : watches_) {
    if (watch->HasRoom()) return watch.get();
  }
  if (watches_.size() == kWatchesMost) return nullptr;
  return watches_.emplace_back(std::make_unique<KeyWatch>(*this)).get();
}

void KeyWatches::DropUnwanted(const std::string& key) {
  const auto found = wanted_.find(key);
  if (found == wanted_.end() || found->second.leases > 0 || !found->second.waiting.empty()) return;
  KeyWatch* watch = found->second.watch;
  wanted_.erase(found);
  if (watch) watch->Remove(key);
}

void KeyWatches::Drop(KeyWatch* watch) {
  watches_.erase(
      std::find_if(watches_.begin(), watches_.end(), [watch](const auto& each) { return each.get() == watch; }));
}

KeyWatch::KeyWatch(KeyWatches& all) : all_(all) {}

KeyWatch::~KeyWatch() {
  *alive_ = false;
  if (following_) following_->Stop();
}

bool KeyWatch::HasRoom() const { return keys_.size() < kWatchedKeys; }

void KeyWatch::Add(const std::string& key) {
  keys_.insert(key);
  if (!following_) {
    following_ = std::make_shared<Following>(all_.engine_, *this);
    following_->Start();
  } else if (!asked_.contains(key)) {
    ReopenSoon();
  }
}

void KeyWatch::Remove(const std::string& key) {
  keys_.erase(key);
  if (!keys_.empty()) return;
  idle_since_ = BootTime();
  if (std::exchange(idle_planned_, true)) return;
  all_.engine_.After(kIdleMost, [this, alive = alive_] {
    if (!*alive) return;
    idle_planned_ = false;
    if (!keys_.empty()) return;
    if (BootTime() - idle_since_ >= kIdleMost) return all_.Drop(this);
    Remove("");  // it was wanted meanwhile: look once more
  });
}

void KeyWatch::ReopenSoon() {
  if (std::exchange(reopening_, true)) return;
  all_.engine_.After(std::max(absl::ZeroDuration(), opened_ + kReopenLeast - BootTime()), [this, alive = alive_] {
    if (!*alive) return;
    reopening_ = false;
    if (!all_.engine_.closed()) following_->Reopen();
  });
}

v1::WatchRequest KeyWatch::Request() {
  opened_ = BootTime();
  asked_.clear();
  whole_ = false;
  v1::WatchRequest request;
  request.set_include_snapshot(true);
  request.set_keys_only(true);
  for (const std::string& key : keys_) {
    asked_[key] = false;
    request.add_keys_bytes(key);
  }
  // All were given up just now; without keys it would be the whole map.
  if (keys_.empty()) request.add_keys_bytes(std::string(1, '\0'));
  return request;
}

void KeyWatch::Took(const v1::WatchResponse& message) {
  for (const v1::Event& event : message.events()) {
    const std::optional<Kind> kind = FromProto(event.kind());
    if (!kind) continue;
    const Entry entry = FromProto(event.entry());
    if (!whole_) asked_[entry.key] = true;
    all_.engine_.keeper().Saw(*kind, entry);
  }
  if (message.snapshot_end() && !whole_) EndSnapshot();
  following_->Next();
}

void KeyWatch::EndSnapshot() {
  whole_ = true;
  std::vector<std::string> missing;
  for (const auto& [key, told] : asked_) {
    if (!told) missing.push_back(key);
  }
  for (const std::string& key : missing) all_.Wake(key);  // there is no such key here
  // By a renewal the client finds out whether the node lags, or the key is gone.
  if (!missing.empty()) all_.engine_.keeper().MakeDue(missing);
}

}  // namespace leasemap::internal
