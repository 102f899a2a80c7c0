#include "peer/core/sync/replica.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/check.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/message.h"
#include "peer/core/data/random.h"

namespace leasemap::core {

uint64_t NewIncarnation(int64_t wall_ms, uint64_t above, uint64_t seed) {
  constexpr uint64_t kLastMs = (uint64_t{1} << 44) - 1;  // of the year 2527
  const uint64_t ms = std::max(static_cast<uint64_t>(std::max<int64_t>(wall_ms, 1)), (above >> 20) + 1);
  if (ms > kLastMs) return above + 1;
  return (ms << 20) | (Random(seed ^ above).Next() & 0xfffff);
}

Replica::Replica(const NodeOptions& options, Now now, uint64_t above)
    : rules_(options.rules),
      counts_owners_(options.count_owners),
      room_(options.max_bytes, options.max_keys),
      self_{options.node_id, NewIncarnation(now.wall_ms, above, options.seed)},
      own_incarnations_{self_.incarnation},
      map_(NewMap()),
      own_log_(room_.side_bytes(kOwnLogBytes), options.leave_out_bytes),
      conflicts_(room_.side_bytes(kMaxConflictBytes)),
      saving_(options.disk, options.save_bytes) {
  NoteTime(now.mono);
  saving_.IsSaved(change_, std::make_shared<const VersionVector>(), std::make_shared<const VersionVector>(), 0);
}

MapState Replica::NewMap() const {
  MapState map(rules_);
  if (counts_owners_) map.store.CountOwners();
  return map;
}

bool Replica::IsOwn(const ReplicaId& replica) const {
  return replica.node == self_.node &&
         (replica.incarnation <= restored_incarnation_ ||
          std::count(own_incarnations_.begin(), own_incarnations_.end(), replica.incarnation) > 0);
}

bool Replica::TellsLossesOf(const ReplicaId& replica) const {
  return replica == self_ || (replica.node == self_.node && replica.incarnation <= goes_on_incarnation_);
}

void Replica::TakeIncarnation(uint64_t incarnation) {
  LEASEMAP_CHECK(incarnation > self_.incarnation, incarnation, " after ", self_.incarnation);
  self_.incarnation = incarnation;
  own_incarnations_.push_back(incarnation);
  if (own_incarnations_.size() > kMaxOwnIncarnations) own_incarnations_.erase(own_incarnations_.begin());
  own_log_.Clear();
  shared_.reset();
}

void Replica::Changed(bool only_renewed) {
  shared_.reset();
  ++change_;
  (only_renewed ? news_.renewed : news_.changed) = true;
}

Replica::News Replica::TakeNews() { return std::exchange(news_, News()); }

bool Replica::IsPresent(const Entry& entry) const {
  const EntryPtr* held = map_.store.Find(entry.key);
  return held != nullptr && (*held)->dot == entry.dot;
}

bool Replica::ClaimsUnmade(const VersionVector& vector) const {
  const auto own = vector.runs().find(self_);
  return own != vector.runs().end() && own->second.Top() >= own_log_.end();
}

VectorPtr Replica::Whole(Present present) const {
  return std::make_shared<const VersionVector>(map_.vector.Naming(present()));
}

VectorPtr Replica::Shared(uint64_t members_change, Present present) const {
  const bool names = map_.vector.past_mark() != PastMark() && shared_members_ != members_change;
  if (shared_ && !names) return shared_;
  shared_members_ = members_change;
  auto brief = std::make_shared<const VersionVector>(map_.vector.Naming(present()).Brief());
  if (!shared_ || *shared_ != *brief) shared_ = std::move(brief);
  return shared_;
}

EntryPtr Replica::Sign(std::shared_ptr<Entry> draft) {
  draft->dot = NextDot();
  EntryPtr entry = std::move(draft);
  own_log_.Append(entry);
  LEASEMAP_CHECK(own_log_.end() == entry->dot.seq + 1, own_log_.end(), " after seq ", entry->dot.seq);
  return entry;
}

Replica::Applied Replica::Apply(const EntryPtr& entry) {
  Applied applied;
  clock_.See(entry->stamp);
  map_.ceiling.See(*entry);
  applied.again = map_.vector.Covers(entry->dot);
  map_.vector.Add(entry->dot);
  const uint64_t last_change = map_.store.last_change();
  applied.won = map_.store.Merge(entry, &applied.loser);
  Changed(applied.won && map_.store.last_change() == last_change);
  applied.winner = applied.won ? entry : *map_.store.Find(entry->key);
  LEASEMAP_CHECK(map_.vector.Covers(entry->dot), "seq ", entry->dot.seq, " of ", entry->dot.replica.node);
  LEASEMAP_CHECK(!Outranks(*entry, *applied.winner), "seq ", entry->dot.seq, " of ", entry->dot.replica.node);
  return applied;
}

bool Replica::NoteConflict(const EntryPtr& loser, const EntryPtr& winner, int64_t wall_ms) {
  if (!IsConflict(*loser, *winner)) return false;
  conflicts_.Add({loser, winner, wall_ms});
  return true;
}

absl::Status Replica::CheckRoom(const Entry* previous, const std::string& key, const std::string* value) const {
  if (previous == nullptr) {
    if (auto status = room_.CheckKeys(map_.store.keys()); !status.ok()) return status;
  }
  if (value == nullptr) return absl::OkStatus();
  const size_t grown = Footprint(Entry()) + 2 * key.size() + value->size();
  const size_t before = previous != nullptr ? Footprint(*previous) : 0;
  return room_.Check(held_bytes(), static_cast<int64_t>(grown) - static_cast<int64_t>(before));
}

absl::Status Replica::CheckOwner(const Owners::Use& most, const std::string& holder, const Entry* previous,
                                 const std::string& key, const std::string* value) const {
  const std::string owner(OwnerOf(holder));
  const Owners::Use use = map_.store.UseOf(owner);
  const bool has_it = previous != nullptr && OwnerOf(previous->lease.holder) == owner;
  const auto refuse = [&](const char* reason, uint64_t has, uint64_t may, const char* what) {
    auto status = Refusal(absl::StatusCode::kResourceExhausted, reason,
                          absl::StrCat(Shown(owner), " holds ", has, " ", what, ", and may hold ", may,
                                       " (limits in the --auth-file); delete some"));
    AddMetadata(status, "principal", owner);
    return status;
  };
  if (most.keys != 0 && !has_it && use.keys >= most.keys) return refuse("KEY_LIMIT", use.keys, most.keys, "keys");
  const size_t grown = value != nullptr      ? Footprint(Entry()) + 2 * key.size() + value->size()
                       : previous != nullptr ? Footprint(*previous)
                                             : 0;
  const size_t before = has_it ? Footprint(*previous) : 0;
  if (most.bytes != 0 && grown > before && use.bytes - before + grown > most.bytes) {
    return refuse("BYTES_LIMIT", use.bytes, most.bytes, "bytes of memory");
  }
  return absl::OkStatus();
}

bool Replica::HasRoomFor(const Entry& entry) {
  const EntryPtr* present = map_.store.Find(entry.key);
  if (present != nullptr && !Outranks(entry, **present)) return true;  // it will not be kept
  const size_t before = present != nullptr ? Footprint(**present) : 0;
  const auto growth = static_cast<int64_t>(Footprint(entry)) - static_cast<int64_t>(before);
  return entry.tombstone || room_.Takes(held_bytes(), growth);
}

Standing Replica::StandingOf(Now now, const Store::Slot* slot) const {
  Standing standing;
  if (slot != nullptr) standing.end_ms = LeaseEndOf(now, *slot);
  standing.ceiling_ms = map_.ceiling.at_ms();
  standing.collected_epoch = map_.ceiling.collected_epoch();
  return standing;
}

int64_t Replica::LeaseEndOf(Now now, const Store::Slot& slot) const {
  return LeaseEnd(rules_, *slot.entry, now.wall_ms, now.mono - slot.changed);
}

void Replica::TakeSession(MonoTime mono, const VersionVector& vector, const VersionVector& floor) {
  map_.vector.Join(vector);
  map_.JoinFloor(mono, floor);
  FoldFloor();
  Changed();
}

void Replica::Fold(const std::vector<ReplicaId>& ended) {
  if (map_.vector.Fold(ended) == 0) return;
  FoldFloor();
  Changed();
}

// What of the floor is of the past needs no name there either: it is kept with the latest that were folded, and of what
// was before it is known only that there was something.
void Replica::FoldFloor() {
  std::vector<ReplicaId> ended;
  for (const auto& [replica, coverage] : map_.floor.runs()) {
    if (map_.vector.IsPast(replica)) ended.push_back(replica);
  }
  if (!ended.empty()) map_.floor.Fold(ended);
}

void Replica::Collect(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    const Entry& entry = **map_.store.Find(key);
    // What is collected is covered, so that the floor names no write that is still to come.
    LEASEMAP_CHECK(map_.vector.Covers(entry.dot), "seq ", entry.dot.seq, " of ", entry.dot.replica.node);
    map_.ceiling.Collected(entry.lease.epoch);
    map_.floor.Add(entry.dot.replica, 1, entry.dot.seq);
    if (!entry.tombstone) map_.lapses_gone_ms = std::max(map_.lapses_gone_ms, entry.lease.expire_ms);
    if (saving_.disk()) saving_.Collected(key);
    map_.store.Collect(key);
  }
  FoldFloor();
}

MapState Replica::GiveUp(Now now, int64_t ceiling_ms, uint64_t incarnation) {
  MapState old = std::exchange(map_, NewMap());
  map_.store.NoteTime(now.mono);
  map_.store.SkipTo(old.store.head());
  map_.store.Lapse(std::min(old.store.horizon_ms(), now.wall_ms));  // it may have been told by a wrong clock
  map_.ceiling.Take(ceiling_ms);
  goes_on_incarnation_ = 0;
  clock_ = HybridClock();
  TakeIncarnation(incarnation);
  Changed();
  if (saving_.disk()) saving_.GaveUp(change_, map_.store.head());
  return old;
}

void Replica::TakeBack(MonoTime mono, MapState old) {
  map_.store.SkipTo(old.store.head());
  for (const auto& [key, slot] : old.store.by_key()) {
    clock_.See(slot.entry->stamp);
    map_.store.Merge(slot.entry);
  }
  old.ceiling.Join(map_.ceiling);
  map_.ceiling = old.ceiling;
  map_.vector.Join(old.vector);
  // Not joined to that of a peer which a session began with: by it this map would pass for one without what was
  // collected there.
  map_.floor = VersionVector();
  map_.JoinFloor(mono, old.floor);
  Changed();
}

void Replica::EndRestore(MonoTime mono, const Image& image) {
  map_.ceiling.Collected(image.collected_epoch);
  map_.lapses_gone_ms = std::max(map_.lapses_gone_ms, image.lapses_gone_ms);
  TakeSession(mono, image.vector, image.floor);
}

void Replica::Restore(MonoTime mono, const Image& image) {
  map_.vector = image.vector;
  map_.JoinFloor(mono, image.floor);
  map_.ceiling.Take(image.ceiling_ms);
  map_.ceiling.Collected(image.collected_epoch);
  map_.store.Lapse(image.horizon_ms);
  for (const EntryPtr& entry : image.entries) {
    clock_.See(entry->stamp);
    map_.ceiling.See(*entry);
    map_.vector.Add(entry->dot);  // the disk may have had it before the vector that covers it
    map_.store.Merge(entry);
  }
  map_.lapses_gone_ms = image.lapses_gone_ms;
  conflicts_.Restore(image.conflicts);
  restored_incarnation_ = goes_on_incarnation_ = image.incarnation;
  saving_.HasConflicts(conflicts_.end());
  saving_.IsSaved(change_, std::make_shared<const VersionVector>(map_.vector),
                  std::make_shared<const VersionVector>(map_.floor), map_.store.head());
}

Saving::Rest Replica::RestOf(uint64_t members_change, bool whole) const {
  return {self_.incarnation,    members_change,      whole,
          map_.ceiling.at_ms(), map_.lapses_gone_ms, map_.ceiling.collected_epoch()};
}

bool Replica::SaveIsDue(uint64_t members_change, bool whole) const {
  return saving_.IsDue(change_, map_.store.head(), conflicts_.end(), RestOf(members_change, whole));
}

void Replica::Describe(Image& image) const {
  image.incarnation = self_.incarnation;
  image.vector = map_.vector;
  image.floor = map_.floor;
  image.ceiling_ms = map_.ceiling.at_ms();
  image.collected_epoch = map_.ceiling.collected_epoch();
  image.lapses_gone_ms = map_.lapses_gone_ms;
  image.horizon_ms = map_.store.horizon_ms();
}

Unsaved Replica::TakeUnsaved(uint64_t members_change, Image image) {
  const Saving::Rest rest = RestOf(members_change, image.whole);
  Describe(image);
  return saving_.Take(change_, map_.store, conflicts_, rest, std::move(image));
}

}  // namespace leasemap::core
