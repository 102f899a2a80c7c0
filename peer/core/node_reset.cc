// Who is below whose floor, and how a node that is gives its map up for a peer's.
//
// A node that was away while others collected deletes may still hold what they deleted: their tombstones can't tell it
// any more. So it is reset: it starts empty with a new incarnation, takes the map from its peers, and then submits
// anew, by admission, each entry it held that they did not cover. The old map is kept until the new one is there: if
// the peer dies meanwhile and nobody else is found, the node takes its own back.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

// Whoever holds nothing is not.
bool Node::IsBelow(const VersionVector& vector, const VersionVector& own, const VersionVector& floor) {
  return !vector.empty() && !vector.CoversFloor(floor, own);
}

// Who of the two sides of a new link is to be reset. Both sides know the same and come to the same.
Node::Yields Node::JudgeFloors(const Link& link, const Report& report) const {
  static const VersionVector kNone;
  const VersionVector& theirs = report.floor ? *report.floor : kNone;
  const bool we = IsBelow(replica_.vector(), replica_.floor(), theirs);
  const bool they = IsBelow(*report.vector, theirs, replica_.floor());
  if (!we && !they) return Yields::kNobody;
  // Who does not have the map yet gives up what little it has, whoever is below.
  if (readiness_.has_full_map() != report.whole) return readiness_.has_full_map() ? Yields::kPeer : Yields::kSelf;
  if (we && they) return replica_.self().node > link.peer.self.node ? Yields::kSelf : Yields::kPeer;
  return we ? Yields::kSelf : Yields::kPeer;
}

// A floor names writes that were made: of the members that this node is linked with none that they did not report.
bool Node::IsCredible(const VersionVector& floor) const {
  const VersionVector all = floor.Expanded();
  for (const auto& [replica, coverage] : all.runs()) {
    if (replica == replica_.self()) {
      if (coverage.Top() >= replica_.own_log().end()) return false;
      continue;
    }
    const auto member = membership_.members().find(replica.node);
    if (member == membership_.members().end() || member->second.linked_as != replica.incarnation) continue;
    const VectorPtr& own = member->second.report;
    if (own && member->second.relayed_by.empty() && !own->CoversPrefix({replica, coverage.Top()})) return false;
  }
  return true;
}

void Node::Reset(Now now, VectorPtr peer, const std::string& why, std::optional<LowerCeiling> ceiling) {
  Log(true, absl::StrCat("reset: ", why, "; taking the map from the others, and submitting anew what they lack",
                         ceiling && ready() ? "; reads go on from the old map meanwhile" : ""));
  const bool first = !retired_;
  if (first) retired_.emplace(options_.rules);
  const bool keeps = readiness_.has_full_map() || first;
  // What an earlier reset has still to submit goes with the map that is given up now.
  const std::vector<EntryPtr> unsubmitted = keeps ? Unsubmitted() : std::vector<EntryPtr>();
  const int64_t new_ceiling_ms = ceiling ? ceiling->ms : replica_.ceiling().EffectiveAt(now.wall_ms);
  const uint64_t incarnation = NewIncarnation(now.wall_ms, replica_.self().incarnation, options_.seed);
  MapState old = replica_.GiveUp(now, new_ceiling_ms, incarnation);
  membership_.TakeIncarnation(incarnation);
  if (new_ceiling_ms == 0) ceiling_note_.clear();
  if (keeps) {
    for (const EntryPtr& entry : unsubmitted) {
      old.store.Merge(entry);
      old.vector.Add(entry->dot);  // a cursor that is given for this map says so
    }
    if (retired_->serves) ++maps_;  // a third one
    retired_->whole = readiness_.has_full_map();
    retired_->for_ceiling = retired_->for_part = false;
    retired_->serves |= ceiling && readiness_.ready();
    retired_->map = std::move(old);
    retired_->peer = std::move(peer);
  }
  if (ceiling) {
    retired_->for_ceiling = true;
    retired_->for_part = ceiling->of_part;
  }
  retired_->since_ms = now.mono_ms;
  retired_->submitted.reset();
  asking_.reset();
  // A write whose ack is awaited stands no longer, and a request that was done may have to be done again.
  waits_.LookAgain();
  EndWaits(now, "before this node had to start anew from the others");
  requests_ = Requests();
  readiness_.Restart(now.mono_ms);
  ++resets_;
  if (ceiling) ++yields_;
  if (!yielding()) ++maps_;
  std::vector<LinkId> all;
  for (const auto& [id, link] : links_) all.push_back(id);
  for (const LinkId id : all) Drop(now, id, "");
}

void Node::TakeIncarnation(uint64_t incarnation) {
  replica_.TakeIncarnation(incarnation);
  membership_.TakeIncarnation(incarnation);
}

std::vector<EntryPtr> Node::Unsubmitted() const {
  std::vector<EntryPtr> all;
  const auto& entries = retired_->map.store.by_key();
  for (auto it = retired_->submitted ? entries.upper_bound(*retired_->submitted) : entries.begin(); it != entries.end();
       ++it) {
    const Dot& dot = it->second.entry->dot;
    if (replica_.vector().Covers(dot) || (retired_->peer && retired_->peer->Covers(dot))) continue;
    all.push_back(it->second.entry);
  }
  return all;
}

void Node::Reset(Now now, const std::string& why) { Reset(now, nullptr, why); }

// Nobody was found to take the map from: the one that was given up is better than none, with its ceiling.
void Node::TakeBack(Now now) {
  if (!retired_ || retired_->submitted || readiness_.has_full_map()) return;
  // For another ceiling's sake there must be somebody who has it, at once: whoever is linked and higher waits for that.
  const int64_t patience_ms = retired_->for_ceiling ? YieldPatienceMs() : kResetGiveUpMs;
  if (now.mono_ms - retired_->since_ms < patience_ms) return;
  const int64_t ceiling_ms = retired_->for_ceiling ? replica_.ceiling().EffectiveAt(now.wall_ms) : kMaxCeilingMs;
  for (const auto& [id, link] : links_) {
    const bool has = link.peer_whole || (retired_->for_part && link.word.part);
    if (link.phase == Link::Phase::kUp && has && link.word.ceiling_ms <= ceiling_ms) return;
  }
  Log(true, "reset: no other node was found; going on with the map as it was");
  const bool serves = yielding();
  replica_.TakeBack(now.mono_ms, std::move(retired_->map));
  readiness_.TookBack(serves, retired_->whole);
  retired_.reset();
  ++maps_;
  waits_.LookAgain();
}

// One entry of the map that was given up, as if its holder wrote it again now.
void Node::Resubmit(Now now, const Store::Slot& slot) {
  const EntryPtr& entry = slot.entry;
  if (replica_.vector().Covers(entry->dot) || (retired_->peer && retired_->peer->Covers(entry->dot))) return;
  const Store::Slot* present_slot = replica_.store().FindSlot(entry->key);
  const EntryPtr* found = present_slot ? &present_slot->entry : nullptr;
  const Entry* present = found ? found->get() : nullptr;
  const int64_t end_ms = LeaseEndOf(now, slot);
  const bool lapsed = entry->value_gone || (entry->ephemeral && end_ms <= now.wall_ms);
  if (lapsed || (entry->tombstone && (present == nullptr || present->tombstone))) return;
  // What lost is told by the process that took the write: another's they tell, and one of an earlier process, which an
  // image of the disk brought back, may have been told.
  const bool own = replica_.IsOwn(entry->dot.replica);
  if (present != nullptr && Outranks(*present, *entry)) {
    if (own) NoteConflict(now, entry, *found);
    return;
  }
  const int64_t left_ms = std::max<int64_t>(0, end_ms - now.wall_ms);
  const LeaseRequest request{entry->tombstone ? Change::kDelete : Change::kSet, entry->key, entry->lease.holder,
                             entry->lease.duration_ms == 0 || entry->lease.released ? 0 : left_ms};
  auto lease = Admit(options_.rules, present, request, now.wall_ms, StandingOf(now, present_slot));
  if (!lease.ok() || !lease->has_value()) {
    if (found != nullptr && own) NoteConflict(now, entry, *found);
    return;
  }
  auto again = std::make_shared<Entry>(*entry);
  again->lease = *std::move(*lease);
  again->stamp = replica_.NextStamp(now.wall_ms, present ? present->stamp : 0);
  again->value_dot = {};  // the value is of this write now
  again->value_stamp = 0;
  ApplyOwn(now, std::move(again));
}

void Node::ResubmitSome(Now now) {
  if (!retired_ || !readiness_.ready() || !clock_guard_.trusted()) return;
  const auto& entries = retired_->map.store.by_key();
  auto it = retired_->submitted ? entries.upper_bound(*retired_->submitted) : entries.begin();
  for (size_t n = 0; it != entries.end() && n < kResubmitAtOnce; ++n, ++it) {
    Resubmit(now, it->second);
    retired_->submitted = it->first;
  }
  if (it != entries.end()) return;
  if (yielding()) {
    ++maps_;
    Log(false, absl::StrCat("reads and writes go on with the new map: ", replica_.store().live_keys(), " keys"));
    effects_.changed = true;
  }
  retired_.reset();
}

Image Node::TakeImage() const {
  Image image;
  image.incarnation = replica_.self().incarnation;
  image.whole = readiness_.has_full_map();
  image.vector = replica_.vector();
  image.floor = replica_.floor();
  image.ceiling_ms = replica_.ceiling().at_ms();
  image.collected_epoch = replica_.ceiling().collected_epoch();
  for (const auto& [key, slot] : replica_.store().by_key()) image.entries.push_back(slot.entry);
  for (const auto& [node, member] : membership_.members()) {
    image.members.push_back({member.id, member.address, member.generation});
  }
  return image;
}

void Node::Restore(const Image& image, Now now) {
  readiness_.HasFullMap(image.whole);
  replica_.Restore(now.mono_ms, image);
  for (const MemberInfo& info : image.members) {
    bool changed = false;
    const Member* member = membership_.Learn(info, now.mono_ms, &changed);
    if (member != nullptr && !member->gone()) membership_.LearnAddress(info.id.node, info.address, now.mono_ms);
  }
}

}  // namespace leasemap::core
