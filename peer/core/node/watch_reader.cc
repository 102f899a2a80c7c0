#include "peer/core/node/watch_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

absl::StatusOr<Watch> WatchReader::Start(WatchFilter filter, bool snapshot, const std::string& text) const {
  Watch watch;
  watch.filter = std::move(filter);
  watch.filter_hash = watch.filter.Hash();
  watch.started = view_.now.mono;
  watch.next_lost = view_.conflicts.end();
  const Store& store = view_.map.store;
  watch.maps = view_.maps;
  watch.rewinds = store.rewinds();
  watch.collected = store.collected();
  if (!text.empty()) {
    const auto cursor = DecodeCursor(text);
    const auto invalid = [](const std::string& why) {
      return Refusal(absl::StatusCode::kInvalidArgument, "CURSOR_INVALID",
                     absl::StrCat("cursor: ", why, "; start again with include_snapshot"));
    };
    if (!cursor) return invalid("not one that a watch of this version gave");
    if (cursor->cluster != view_.options.cluster) return invalid("it is of another cluster");
    if (cursor->filter_hash != watch.filter_hash) return invalid("it is of a watch for other keys, prefixes or kinds");
    watch.phase = Watch::Phase::kWaiting;
    watch.skip = cursor->vector;
    watch.skip_told_ms = cursor->wall_ms;
  } else if (snapshot) {
    watch.phase = Watch::Phase::kSnapshot;
    watch.snapshot_from = store.head();
  } else {
    watch.position = watch.had = store.head();
  }
  return watch;
}

// What a watch has still to be told is gone: another map took the place of the one it read, or deletes that it was not
// told yet were collected. (A watch whose place is before them is an hour behind, or resumes with a cursor as old.) Or
// what it was told to have lapsed lives again.
bool WatchReader::HasMissed(Watch& watch) const {
  const Store& store = view_.map.store;
  if (watch.maps != view_.maps || watch.rewinds != store.rewinds()) return true;
  const bool news = std::exchange(watch.collected, store.collected()) != store.collected();
  const uint64_t read_to = std::max(watch.position, watch.snapshot_from);
  return news && read_to < store.collected_up_to() && IsBelowFloor(watch);
}

// What was collected may be news to the holder of the cursor: a delete that it does not cover, or a lapse after it.
bool WatchReader::IsBelowFloor(const Watch& watch) const {
  const MapState& map = view_.map;
  VersionVector skip = watch.skip;
  skip.Learn(map.vector);  // if that is not known here, it will be once this node has caught up
  if (!skip.CoversFloor(map.floor, VersionVector())) return true;
  int64_t gone_ms = map.lapses_gone_ms;
  if (map.floor_taken) {
    const int64_t taken_ms = view_.now.wall_ms - (view_.now.mono - *map.floor_taken);
    gone_ms = std::max(gone_ms, taken_ms - view_.kept_dead_ms + kCollectBounds * view_.options.rules.clock_bound_ms);
  }
  return watch.skip_told_ms < gone_ms;
}

absl::StatusOr<WatchBatch> WatchReader::Read(Watch& watch) const {
  const auto expired = [](const char* why) {
    return Refusal(absl::StatusCode::kOutOfRange, "CURSOR_EXPIRED",
                   absl::StrCat("cursor: ", why, "; drop what you have and start again with include_snapshot"));
  };
  if (HasMissed(watch)) return expired("changes after it are no longer known here");
  if (watch.phase == Watch::Phase::kWaiting && IsBelowFloor(watch)) {
    return expired("deletes or lapses after it were collected");
  }
  if (watch.phase == Watch::Phase::kWaiting) {
    const bool covered = view_.map.vector.Covers(watch.skip);
    if (!covered || view_.horizon_ms < watch.skip_told_ms) {
      if (!covered && CursorIsLost(watch)) {
        return expired("it names writes that died with their node, unshared");
      }
      if (view_.clock_trusted && watch.skip_told_ms > view_.now.wall_ms + 4 * view_.options.rules.clock_bound_ms) {
        return Refusal(absl::StatusCode::kOutOfRange, "CURSOR_EXPIRED",
                       "cursor: it is from the future, of a node whose clock was wrong; drop what you have and start "
                       "again with include_snapshot");
      }
      if (view_.now.mono - watch.started >= view_.options.timing.cursor_wait) {
        auto status = Refusal(absl::StatusCode::kUnavailable, "NOT_CAUGHT_UP",
                              covered ? "cursor: this node's clock is behind it; try another node"
                                      : "cursor: this node did not get the writes that it names within 10 s; try "
                                        "again, or another node");
        SetRetryMs(status, 1000);
        return status;
      }
      WatchBatch waiting;
      waiting.wake = view_.now.mono + view_.options.timing.report_every;
      return waiting;
    }
    watch.phase = Watch::Phase::kFollowing;
    // A cursor does not carry what its mark stands for; this vector covers it, and so can tell.
    watch.skip.Learn(view_.map.vector);
  }
  if (watch.phase == Watch::Phase::kSnapshot && watch.position == 0) {
    // A snapshot shows nothing that has lapsed by the clock, though its turn may come a moment later (kLapseBatch).
    const auto lapse = view_.map.store.NextLapse();
    const bool due = lapse && *lapse <= view_.now.wall_ms && view_.clock_trusted;
    if (due && view_.now.mono < watch.started + kSnapshotWaitMs) {
      WatchBatch waiting;
      waiting.wake = view_.now.mono + kSnapshotLookMs;
      watch.snapshot_from = UINT64_MAX;
      return waiting;
    }
    watch.snapshot_from = std::min(watch.snapshot_from, view_.map.store.head());
  }
  if (watch.held) return ReadHeld(watch);
  WatchBatch batch = watch.pass ? ReadPass(watch) : ReadEvents(watch);
  AddLost(watch, batch);
  if (!batch.more && !watch.pass) AddCursor(watch, batch);
  if (batch.more && !watch.pass && PassIsDue(watch)) StartPass(watch);
  if (!batch.empty()) watch.first_due = false;
  return batch;
}

// The message with the cursor that waits for the disk.
WatchBatch WatchReader::ReadHeld(Watch& watch) const {
  WatchBatch batch;
  batch.wake = view_.now.mono + kCursorIdleMs;
  if (!IsSaved(watch.held->vector) && view_.saving.state().takes()) return batch;
  GiveCursor(watch, batch);
  batch.held = true;
  batch.wake = view_.now.mono;  // there may be events since
  watch.first_due = false;
  return batch;
}

struct WatchReader::Page {
  const NodeOptions& options;
  WatchBatch batch{};
  size_t bytes = 0, looked_at = 0;

  // False: the message is full, or enough was looked at; the slot is to be looked at again.
  bool Look(const Store::Slot& slot, EventKind kind, bool wanted) {
    const bool full = batch.events.size() >= options.watch_events ||
                      (wanted && !batch.events.empty() && bytes + Weight(*slot.entry) > kWatchBatchBytes);
    if (full || looked_at++ == kWatchScan) return false;
    if (!wanted) return true;
    bytes += Weight(*slot.entry);
    batch.events.push_back({kind, slot.entry});
    return true;
  }
};

namespace {

EventKind KindOf(const Watch& watch, const Store::Slot& slot) {
  if (slot.entry->tombstone) return EventKind::kDeleted;
  if (slot.lapsed) return EventKind::kExpired;
  const WatchFilter& filter = watch.filter;
  const bool renewal = slot.renewed != 0 && filter.MatchesKind(EventKind::kLease) &&
                       (slot.revision <= watch.had || !filter.MatchesKind(EventKind::kSet));
  return renewal ? EventKind::kLease : EventKind::kSet;
}

// Where the watch reads the slot.
uint64_t PlaceOf(const Watch& watch, const Store::Slot& slot) {
  return watch.filter.MatchesKind(EventKind::kLease) ? slot.latest() : slot.revision;
}

const Store::Slot* NextFor(const Watch& watch, const Store& store, uint64_t* place) {
  if (watch.filter.MatchesKind(EventKind::kLease)) return store.NextWithRenewals(watch.position, place);
  const Store::Slot* slot = store.NextAfter(watch.position);
  if (slot != nullptr) *place = slot->revision;
  return slot;
}

}  // namespace

// The watch asked for it, and was not told.
bool WatchReader::IsNews(const Watch& watch, const Store::Slot& slot) const {
  const Entry& entry = *slot.entry;
  const bool old_dead =
      watch.phase == Watch::Phase::kSnapshot && Store::IsDead(slot) && slot.revision <= watch.snapshot_from;
  const bool covered = watch.skip.CoversHeld(entry.dot, view_.known);
  const bool told = covered && (!slot.lapsed || entry.lease.expire_ms <= watch.skip_told_ms);
  return !old_dead && !told && watch.filter.MatchesKind(KindOf(watch, slot)) && watch.filter.MatchesKey(entry.key);
}

WatchBatch WatchReader::ReadEvents(Watch& watch) const {
  Page page{view_.options};
  const Store& store = view_.map.store;
  uint64_t place = 0;
  while (const Store::Slot* slot = NextFor(watch, store, &place)) {
    const bool here = place == PlaceOf(watch, *slot);
    page.batch.more = !page.Look(*slot, KindOf(watch, *slot), here && IsNews(watch, *slot));
    if (page.batch.more) break;
    watch.position = place;
  }
  if (!page.batch.more) watch.had = store.head();
  watch.news |= !page.batch.events.empty();
  watch.behind += page.batch.events.size();
  return std::move(page.batch);
}

bool WatchReader::PassIsDue(const Watch& watch) const {
  const MapState& map = view_.map;
  return watch.behind >= view_.options.pass_after + map.store.keys() / kPassKeysAnEvent &&
         map.vector.exceptions() <= kCursorExceptions;
}

bool WatchReader::IsSaved(const VersionVector& vector) const {
  return !view_.saving.disk() || view_.saving.saved_vector()->Covers(vector);
}

void WatchReader::StartPass(Watch& watch) const {
  WatchPass& pass = watch.pass.emplace();
  pass.vector = view_.map.vector;
  pass.head = view_.map.store.head();
}

WatchBatch WatchReader::ReadPass(Watch& watch) const {
  Page page{view_.options};
  const bool done = WalkKeys(watch, page) && TellLapses(watch, page);
  WatchBatch& batch = page.batch;
  batch.more = true;
  watch.news |= !batch.events.empty();
  watch.behind += batch.events.size();
  if (!done) return std::move(batch);
  if (IsSaved(watch.pass->vector) || !view_.saving.state().takes()) {
    EndPass(watch, batch);
  } else {
    batch.more = false;  // it ends when all of it is on the disk: watches look again then
    batch.wake = view_.now.mono + kCursorIdleMs;
  }
  return std::move(batch);
}

// True once all keys were looked at.
bool WatchReader::WalkKeys(Watch& watch, Page& page) const {
  WatchPass& pass = *watch.pass;
  if (pass.walked) return true;
  const Store& store = view_.map.store;
  const Store::ByKey& keys = store.by_key();
  for (auto it = pass.begun ? keys.upper_bound(pass.key) : keys.begin(); it != keys.end(); ++it) {
    const Store::Slot& slot = it->second;
    const bool later = slot.latest() > pass.head;
    // What lapsed since the pass began is told after it: its revision does not say whether the watch had its entry.
    const bool changed = PlaceOf(watch, slot) > watch.position && !(slot.lapsed && later);
    const size_t before = page.batch.events.size();
    if (!page.Look(slot, KindOf(watch, slot), changed && IsNews(watch, slot))) return false;
    pass.key = it->first;
    pass.begun = true;
    const bool sent = page.batch.events.size() > before;
    if (sent && later && pass.vector.exceptions() < kPassGaps) pass.vector.Add(slot.entry->dot);
  }
  pass.walked = true;
  pass.position = pass.head;
  pass.last = store.head();
  pass.told_ms = store.horizon_ms();
  return true;
}

// True once all that lapsed during the walk was told.
bool WatchReader::TellLapses(Watch& watch, Page& page) const {
  WatchPass& pass = *watch.pass;
  const Store& store = view_.map.store;
  while (const Store::Slot* slot = store.NextAfter(pass.position)) {
    if (slot->revision > pass.last) break;
    const bool lapsed = slot->lapsed && slot->entry->lease.expire_ms <= pass.told_ms;
    const size_t before = page.batch.events.size();
    if (!page.Look(*slot, EventKind::kExpired, lapsed && IsNews(watch, *slot))) return false;
    pass.position = slot->revision;
    const bool sent = page.batch.events.size() > before;
    if (sent && pass.vector.exceptions() < kPassGaps) pass.vector.Add(slot->entry->dot);
  }
  return true;
}

void WatchReader::EndPass(Watch& watch, WatchBatch& batch) const {
  const WatchPass pass = std::move(*watch.pass);
  watch.pass.reset();
  watch.position = watch.had = pass.head;
  watch.skip = pass.vector;
  watch.skip_told_ms = pass.told_ms;
  batch.first = watch.first_due;
  batch.snapshot_end = watch.phase == Watch::Phase::kSnapshot;
  watch.phase = Watch::Phase::kFollowing;
  watch.behind = 0;
  if (IsSaved(pass.vector)) batch.cursor = CursorAt(watch, view_.named(pass.vector), pass.told_ms);
  batch.pass = true;
  watch.cursor_at = view_.now.mono;
  watch.news = false;
}

std::string WatchReader::CursorAt(const Watch& watch, const VersionVector& vector, int64_t told_ms) const {
  return EncodeCursor({view_.options.cluster, vector, told_ms, watch.filter_hash});
}

// LOST events are of this process alone and outside all cursors: the watch has a place of its own in the list.
void WatchReader::AddLost(Watch& watch, WatchBatch& batch) const {
  if (!watch.filter.MatchesKind(EventKind::kLost)) {
    watch.next_lost = view_.conflicts.end();
    return;
  }
  if (watch.next_lost < view_.conflicts.first()) {
    batch.lost_skipped = view_.conflicts.first() - watch.next_lost;
    watch.next_lost = view_.conflicts.first();
  }
  size_t bytes = 0;
  for (; watch.next_lost < view_.conflicts.end(); ++watch.next_lost) {
    const Conflict& conflict = view_.conflicts.at(watch.next_lost);
    if (!watch.filter.MatchesKey(conflict.loser->key)) continue;
    bytes += Weight(*conflict.loser) + Weight(*conflict.winner);
    if (batch.events.size() >= view_.options.watch_events || (!batch.events.empty() && bytes > kWatchBatchBytes)) {
      batch.more = true;
      return;
    }
    batch.events.push_back({EventKind::kLost, conflict.loser, conflict.winner});
  }
}

// At the head, and only there: whatever this node covers has been sent, or was replaced by what has been sent.
void WatchReader::AddCursor(Watch& watch, WatchBatch& batch) const {
  batch.first = watch.first_due;
  if (watch.phase == Watch::Phase::kSnapshot) {
    watch.phase = Watch::Phase::kFollowing;
    batch.snapshot_end = true;
  }
  const bool at_once = batch.first || batch.snapshot_end;
  const MonoTime due = at_once ? view_.now.mono : watch.cursor_at + (watch.news ? kCursorEveryMs : kCursorIdleMs);
  batch.wake = due;
  if (view_.now.mono < due) return;
  const VersionVector& vector = view_.map.vector;
  if (vector.exceptions() > kCursorExceptions) {
    batch.wake = view_.now.mono + view_.options.timing.report_every;
    return;
  }
  watch.held =
      HeldCursor{vector, view_.horizon_ms, std::exchange(batch.first, false), std::exchange(batch.snapshot_end, false)};
  if (IsSaved(vector) || !view_.saving.state().takes()) return GiveCursor(watch, batch);
  batch.wake = view_.now.mono + kCursorIdleMs;  // sooner, once it is saved: watches look again then
}

void WatchReader::GiveCursor(Watch& watch, WatchBatch& batch) const {
  const HeldCursor held = *std::exchange(watch.held, std::nullopt);
  batch.first = held.first;
  batch.snapshot_end = held.snapshot_end;
  // A disk that takes nothing covers nothing new: the watch goes on without a cursor.
  if (IsSaved(held.vector)) batch.cursor = CursorAt(watch, view_.named(held.vector), held.told_ms);
  watch.cursor_at = view_.now.mono;
  watch.news = false;
  watch.behind = 0;
  batch.wake = view_.now.mono + kCursorIdleMs;
}

// The cursor names a write of an incarnation that has ended or is silent, and every other remembered member answers
// and none covers it: it died with its node, unshared. A member answers only if it was heard a second after the watch
// began and the writer was lost: what it had from the writer it has reported by then, and one that fell silent along
// with the writer (this node is the one cut off) is not taken for a witness.
bool WatchReader::CursorIsLost(const Watch& watch) const {
  const auto& members = view_.membership.members();
  VersionVector held = view_.map.vector;  // what any living member holds
  for (const auto& [node, member] : members) {
    if (!member.report) continue;
    if (member.report->Covers(watch.skip)) return false;
    held.Join(*member.report);
  }
  const auto missing = held.FirstMissing(watch.skip);
  if (!missing) return false;
  const ReplicaId& writer = missing->replica;
  if (writer == view_.self) return false;
  if (view_.is_linked(writer)) return false;

  const auto known = members.find(writer.node);
  const MonoTime lost = known == members.end() ? MonoTime() : known->second.lost_mono;
  const MonoTime after = std::max(watch.started, lost) + view_.options.timing.cursor_lost;
  if (view_.now.mono < after) return false;  // without others to ask, the writer may still link again
  const auto heard_on_a_link = [&](const std::string& node) {
    const auto it = members.find(node);
    return it != members.end() && it->second.linked && it->second.heard_mono >= after;
  };
  return std::all_of(members.begin(), members.end(), [&](const auto& item) {
    const auto& [node, member] = item;
    if (member.gone()) return true;                                 // nobody waits for it
    const bool ended = node == writer.node && member.id == writer;  // the writer itself need not answer
    return ended || (member.report && heard_on_a_link(member.relayed_by.empty() ? node : member.relayed_by));
  });
}

}  // namespace leasemap::core
