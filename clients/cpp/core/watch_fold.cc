#include "clients/cpp/core/watch_fold.h"

#include <algorithm>
#include <utility>

#include "clients/cpp/core/entries.h"

namespace leasemap::internal {

WatchFold::WatchFold(const WatchOptions& options)
    : bookmarks_(options.bookmarks), kinds_(options.kinds), cursor_(options.cursor), asks_(options.snapshot) {
  for (const std::string& prefix : options.prefixes) request_.add_prefixes_bytes(prefix);
  for (const std::string& key : options.keys) request_.add_keys_bytes(key);
  for (const Kind kind : options.kinds) request_.add_kinds(ToProto(kind));
  request_.set_keys_only(options.keys_only);
}

v1::WatchRequest WatchFold::Request() {
  for (auto& [key, each] : told_) {
    each.confirmed = false;
    each.instead.reset();
  }
  new_cursor_.clear();
  snapshot_ended_ = false;
  v1::WatchRequest request = request_;
  request.set_cursor(cursor_);
  request.set_include_snapshot(asks_);
  return request;
}

std::vector<std::string> WatchFold::Take(const v1::WatchResponse& message, std::vector<Event>& told) {
  for (const v1::Event& each : message.events()) {
    const std::optional<Kind> kind = FromProto(each.kind());
    if (!kind) continue;  // of a server that knows more than we do
    Event event{.kind = *kind, .entry = FromProto(each.entry())};
    if (*kind == Kind::kLost) {
      event.winner = FromProto(each.winner());
    } else if (!IsNew(event)) {
      continue;
    }
    told.push_back(std::move(event));
  }
  snapshot_ended_ = message.snapshot_end() && asks_;
  if (snapshot_ended_) EndSnapshot(told);
  new_cursor_ = message.cursor();
  if (new_cursor_.empty() || asks_) {
    EndMessage(told);
    return {};
  }
  std::vector<std::string> unknown;
  for (const auto& [key, each] : told_) {
    if (!each.confirmed && !each.instead) unknown.push_back(key);
  }
  if (unknown.empty()) TakeBack({}, told);
  return unknown;
}

void WatchFold::TakeBack(const absl::flat_hash_map<std::string, Entry>& found, std::vector<Event>& told) {
  const auto earlier = std::exchange(told_, {});
  for (const auto& [key, each] : earlier) {
    if (each.confirmed) continue;
    std::optional<Event> instead = each.instead;
    const auto entry = found.find(key);
    if (entry != found.end()) {
      instead = Event{.kind = Kind::kSet, .entry = entry->second};
      if (request_.keys_only()) {
        instead->entry.value.clear();
        instead->entry.has_value = false;
      }
      Remember(*instead);  // if it is newer than the cursor, the stream brings it, too
    }
    TellInstead(each, std::move(instead), told);
  }
  cursor_ = new_cursor_;
  EndMessage(told);
}

void WatchFold::EndMessage(std::vector<Event>& told) {
  if (bookmarks_ && (snapshot_ended_ || !new_cursor_.empty())) {
    told.push_back({.kind = Kind::kBookmark, .cursor = new_cursor_, .snapshot_end = snapshot_ended_});
  }
}

bool WatchFold::IsNew(const Event& event) {
  const auto before = told_.find(event.entry.key);
  if (before != told_.end()) {
    Telling& telling = before->second;
    if (!telling.confirmed && RanksBelow(event.kind, event.entry, telling.kind, telling.entry)) {
      telling.instead = event;
      return false;
    }
    if (telling.entry.version == event.entry.version) {
      telling.confirmed = true;
      // The lapse of an ephemeral key is an event of the version that was set; all else came before.
      if (event.kind != Kind::kExpired || telling.kind == Kind::kExpired) return false;
    }
  }
  // Of a snapshot all is remembered until it is whole.
  if (!asks_ && told_.size() >= kToldMost) told_.clear();
  Remember(event);
  return true;
}

void WatchFold::Remember(const Event& event) {
  Telling telling{.kind = event.kind, .entry = event.entry};
  telling.entry.value.clear();
  telling.entry.has_value = false;
  told_[event.entry.key] = std::move(telling);
}

// The snapshot is whole. It tells the present entries of keys of which an earlier, broken try of it told another.
void WatchFold::EndSnapshot(std::vector<Event>& told) {
  asks_ = false;
  for (const auto& [key, each] : told_) {
    if (!each.confirmed) TellInstead(each, each.instead, told);
  }
  told_.clear();
}

void WatchFold::TellInstead(const Telling& telling, std::optional<Event> instead, std::vector<Event>& told) const {
  if (!instead) {
    if (telling.kind != Kind::kSet) return;
    instead = Event{.kind = Kind::kDeleted, .entry = telling.entry};
    instead->entry.deleted = true;
  }
  if (instead->entry.version == telling.entry.version && instead->kind == telling.kind) return;
  if (!kinds_.empty() && std::find(kinds_.begin(), kinds_.end(), instead->kind) == kinds_.end()) return;
  told.push_back(std::move(*instead));
}

}  // namespace leasemap::internal
