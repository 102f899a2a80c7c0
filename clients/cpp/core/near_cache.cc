#include "clients/cpp/core/near_cache.h"

#include <algorithm>
#include <utility>

#include "clients/cpp/core/entries.h"

namespace leasemap::internal {
namespace {

EntryPtr Find(const EntryMap& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->second;
}

bool Has(const std::vector<std::string>& versions, const std::string& version) {
  return std::find(versions.begin(), versions.end(), version) != versions.end();
}

// The entry of a key that is gone, for what programs are told.
EntryPtr Gone(const Entry& entry) {
  auto gone = std::make_shared<Entry>(entry);
  gone->value.clear();
  gone->has_value = false;
  gone->deleted = true;
  return gone;
}

}  // namespace

NearCache::NearCache(std::string holder, std::string prefix, ShownMap& shown)
    : holder_(std::move(holder)), prefix_(std::move(prefix)), shown_(shown), lost_(kLostKept), gone_(kGoneKept) {}

v1::WatchRequest NearCache::Request() {
  v1::WatchRequest request;
  request.set_cursor(cursor_);
  request.set_include_snapshot(cursor_.empty());
  for (const Kind kind : {Kind::kSet, Kind::kDeleted, Kind::kExpired, Kind::kLost}) request.add_kinds(ToProto(kind));
  if (!prefix_.empty()) request.add_prefixes_bytes(prefix_);
  fresh_.reset();
  if (cursor_.empty()) {
    fresh_.emplace();
    recent_.clear();
  }
  for (auto& [key, each] : recent_) {
    each.confirmed = false;
    each.instead.reset();
  }
  return request;
}

std::vector<Change> NearCache::Take(const v1::WatchResponse& message, Moment now) {
  std::vector<Change> changes;
  for (const v1::Event& event : message.events()) {
    const std::optional<Kind> kind = FromProto(event.kind());
    if (!kind || *kind == Kind::kLease) continue;  // of a server that knows more than we do
    auto entry = std::make_shared<const Entry>(FromProto(event.entry()));
    if (*kind == Kind::kLost) {
      TellLost(entry, std::make_shared<const Entry>(FromProto(event.winner())), changes);
    } else {
      OnEvent(*kind, std::move(entry), changes);
    }
  }
  if (message.snapshot_end() && fresh_) PutInPlace(changes);
  if (!message.cursor().empty() && !fresh_) {
    if (!synced_) {
      for (auto& [key, own] : owns_) own.until = std::min(own.until, now + kDoubtMost);
    }
    TakeBack(changes);
    cursor_ = message.cursor();
    synced_ = true;
    recent_.clear();
  }
  return changes;
}

void NearCache::Wrote(const Entry& entry, Moment now, const std::vector<std::string>& before) {
  if (entry.key.compare(0, prefix_.size(), prefix_) != 0) return;
  const auto mine = owns_.find(entry.key);
  EntryPtr known = Known(entry.key);
  if (!known) {
    const EntryPtr* gone = gone_.Get(entry.key);
    if (gone) known = *gone;
  }
  const bool later = !known || Has(before, known->version) || Older(*known, entry);
  const bool together =
      mine != owns_.end() && mine->second.entry->version != entry.version && !Older(entry, *mine->second.entry);
  if (!later && !together) return;
  auto made = std::make_shared<Entry>(entry);
  if (!entry.has_value && !entry.deleted) {
    if (!known || !shown_.Shown(entry.key)) return;
    PutValue(known->value, known->binary, *made);
  }
  Own own{.entry = made, .until = now + kOwnMost};
  if (known && !Older(*known, *made)) own.older = before;
  owns_[entry.key] = std::move(own);
  ShowKey(entry.key);
}

std::vector<std::string> NearCache::Versions(const std::string& key) const {
  std::vector<std::string> found;
  const auto own = owns_.find(key);
  if (own != owns_.end()) found = own->second.older;
  const EntryPtr known = Known(key);
  if (known) found.push_back(known->version);
  return found;
}

void NearCache::Expire(Moment now) {
  std::vector<std::string> over;
  for (const auto& [key, own] : owns_) {
    if (own.until <= now) over.push_back(key);
  }
  for (const std::string& key : over) {
    owns_.erase(key);
    ShowKey(key);
  }
}

EntryPtr NearCache::Known(const std::string& key) const {
  const auto own = owns_.find(key);
  return own == owns_.end() ? Find(base_, key) : own->second.entry;
}

void NearCache::ShowKey(const std::string& key) {
  EntryPtr entry = Known(key);
  if (entry && (entry->deleted || !entry->has_value)) entry = nullptr;
  shown_.Show(key, std::move(entry));
}

// A stream tells events in the order in which the node's copy changed. Only events of an earlier stream are compared
// with it.
void NearCache::OnEvent(Kind kind, EntryPtr entry, std::vector<Change>& changes) {
  const std::string key = entry->key;
  EntryMap& target = fresh_ ? *fresh_ : base_;
  const EntryPtr old = Find(target, key);
  auto last = recent_.find(key);
  if (last == recent_.end()) {
    if (old && old->version == entry->version && kind != Kind::kExpired) return;
    last = recent_.emplace(key, Recent{.before = old}).first;
  } else if (!last->second.confirmed && RanksBelow(kind, *entry, last->second.kind, *last->second.entry)) {
    last->second.instead = Change{.kind = kind, .key = key, .entry = entry};
    return;
  } else if (last->second.entry->version == entry->version) {
    last->second.confirmed = true;
    // The lapse of an ephemeral key is an event of the version that was set; all else came before.
    if (kind != Kind::kExpired || last->second.kind == Kind::kExpired) return;
  }
  last->second.kind = kind;
  last->second.entry = entry;
  last->second.confirmed = true;
  const EntryPtr before = Known(key);
  if (kind == Kind::kSet) {
    target[key] = entry;
  } else {
    target.erase(key);
  }
  if (fresh_) return;
  Settle({.kind = kind, .key = key, .entry = std::move(entry)}, {.old = old, .before = before}, changes);
}

// The stream has reached a cursor without confirming all that an earlier stream told: such writes died with their node,
// or are still on their way and will be told again. From now on the entry of this node counts.
void NearCache::TakeBack(std::vector<Change>& changes) {
  for (auto& [key, each] : recent_) {
    if (each.confirmed) continue;
    Change present{.kind = Kind::kSet, .key = key, .entry = each.before};
    if (each.instead) {
      present = *each.instead;
    } else if (!each.before) {
      present.kind = Kind::kDeleted;
      present.entry = Gone(*each.entry);
    }
    const Bearing bearing{.old = Find(base_, key), .before = Known(key), .replaces = false};
    if (present.kind == Kind::kSet) {
      base_[key] = present.entry;
    } else {
      base_.erase(key);
    }
    Settle(std::move(present), bearing, changes);
    // Nobody deleted it: an own write that is answered late may be of lower rank.
    if (!each.instead) gone_.Drop(key);
  }
}

// The snapshot is whole: it is the truth, whatever was here before.
void NearCache::PutInPlace(std::vector<Change>& changes) {
  EntryMap old_base = std::exchange(base_, std::move(*fresh_));
  fresh_.reset();
  const bool first = !std::exchange(whole_, true);
  EntryMap entries, shown_before = old_base;
  for (const auto& [key, entry] : base_) {
    if (entry->has_value) entries.emplace(key, entry);
  }
  for (const auto& [key, own] : owns_) {
    shown_before[key] = own.entry;
    if (own.entry->deleted) {
      entries.erase(key);
    } else if (own.entry->has_value) {
      entries[key] = own.entry;
    }
  }
  shown_.ShowAll(std::move(entries));
  for (const auto& [key, old] : old_base) {
    if (base_.contains(key)) continue;
    Settle({.kind = Kind::kDeleted, .key = key, .entry = Gone(*old)},
           {.old = old, .before = Find(shown_before, key), .replaces = false}, changes);
  }
  for (const auto& [key, entry] : base_) {
    const EntryPtr old = Find(old_base, key);
    if (old && old->version == entry->version) continue;
    Settle({.kind = Kind::kSet, .key = key, .entry = entry},
           {.old = old, .before = Find(shown_before, key), .told = !first}, changes);
  }
}

// The base has this change: own writes that it covers go, and programs are told.
void NearCache::Settle(Change made, const Bearing& bearing, std::vector<Change>& changes) {
  const auto mine = owns_.find(made.key);
  if (mine != owns_.end() && bearing.replaces && !Has(mine->second.older, made.entry->version) &&
      !Older(*made.entry, *mine->second.entry)) {
    owns_.erase(mine);
  }
  ShowKey(made.key);
  gone_.Drop(made.key);
  if (made.kind != Kind::kSet) gone_.Put(made.key, made.entry);
  const EntryPtr& before = bearing.before;
  if (bearing.replaces && before && before->holder == holder_ && !Older(*made.entry, *before) &&
      IsConflict(*before, *made.entry)) {
    TellLost(before, made.entry, changes);
  }
  const EntryPtr& old = bearing.old;
  bool told = bearing.told;
  if (made.kind == Kind::kSet) {
    // A write that leaves value and lease as they were is a renewal.
    const bool renewal =
        old && old->value == made.entry->value && old->binary == made.entry->binary && SameLease(*old, *made.entry);
    told = told && !renewal;
  } else {
    told = told && old;
  }
  if (told) changes.push_back(std::move(made));
}

void NearCache::TellLost(const EntryPtr& loser, EntryPtr winner, std::vector<Change>& changes) {
  if (lost_.Get(loser->version)) return;
  lost_.Put(loser->version, true);
  changes.push_back({.kind = Kind::kLost, .key = loser->key, .entry = loser, .winner = std::move(winner)});
}

}  // namespace leasemap::internal
