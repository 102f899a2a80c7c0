// How a node gives its map up for a peer's (floors.h, node_ceiling.cc), and what of it is kept.
//
// It starts empty with a new incarnation, takes the map from its peers, and then submits again, by admission, each
// entry that it held and that they did not cover (retirement.h).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/node.h"

namespace leasemap::core {

// A node that was ready and gives its map up for another ceiling goes on to serve reads.
void Node::Reset(Now now, const std::string& why, VectorPtr peer, std::optional<LowerCeiling> ceiling) {
  Log(true, absl::StrCat("reset: ", why, "; taking the map from the others, and submitting again what they lack",
                         ceiling && ready() ? "; reads go on from the old map meanwhile" : ""));
  const uint64_t incarnation = NewIncarnation(now.wall_ms, replica_.self().incarnation, options_.seed);
  retirement_.GiveUp(now, incarnation, {readiness_.has_full_map(), readiness_.ready(), std::move(peer), ceiling},
                     replica_);
  membership_.TakeIncarnation(incarnation);
  if (replica_.ceiling().at_ms() == 0) replica_.NoteCeiling("");
  catch_up_.Stop();
  // A write whose ack is awaited is not in the map any more, and a request that was done may have to be done again.
  calls_.waits.LookAgain();
  EndWaits(now, "before this node had to take the map of the others in place of its own");
  calls_.requests.Clear();
  readiness_.Restart(now.mono);
  DropAll(now);
  calls_.held.GiveUp(effects_.answered);
  // The disk has the old map still. That this node has none is true of it, too, and safe to say.
  if (options_.disk) reports_.Claim(Reports::ClaimsOf(false, replica_, membership_));
}

// Nobody was found to take the map from: the one that was given up is better than none.
void Node::TakeBack(Now now) {
  if (!retirement_.MayTakeBack(now, readiness_.has_full_map(), replica_, links_)) return;
  Log(true, "reset: no other node was found; going on with the map as it was");
  const auto [served, whole] = retirement_.TakeBack(now, replica_);
  readiness_.TookBack(served, whole);
  calls_.waits.LookAgain();
}

// One entry of the map that was given up, as if its holder wrote it again now.
void Node::Resubmit(Now now, const Store::Slot& slot) {
  const EntryPtr& entry = slot.entry;
  if (!retirement_.NeedsResubmit(entry->dot, replica_)) return;
  const Store::Slot* present_slot = replica_.store().FindSlot(entry->key);
  const EntryPtr* found = present_slot ? &present_slot->entry : nullptr;
  const Entry* present = found ? found->get() : nullptr;
  const int64_t end_ms = replica_.LeaseEndOf(now, slot);
  const bool lapsed = entry->value_gone || (entry->ephemeral && end_ms <= now.wall_ms);
  if (lapsed || (entry->tombstone && (present == nullptr || present->tombstone))) return;
  // What lost is told by the process that took the write, or that read it back; another's they tell.
  const bool own = replica_.IsOwn(entry->dot.replica);
  if (present != nullptr && Outranks(*present, *entry)) {
    if (own) NoteConflict(now, entry, *found);
    return;
  }
  const int64_t left_ms = std::max<int64_t>(0, end_ms - now.wall_ms);
  const LeaseRequest request{entry->tombstone ? Change::kDelete : Change::kSet, entry->key, entry->lease.holder,
                             entry->lease.duration_ms == 0 || entry->lease.released ? 0 : left_ms};
  auto lease = Admit(options_.rules, present, request, now.wall_ms, replica_.StandingOf(now, present_slot));
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
  if (!retirement_.any() || !readiness_.ready() || !clock_guard_.trusted()) return;
  for (const Store::Slot* slot : retirement_.Next()) Resubmit(now, *slot);
  if (!retirement_.done() || !retirement_.End()) return;
  Log(false, absl::StrCat("reads and writes go on with the new map: ", store().live_keys(), " keys"));
  effects_.changed = true;
}

}  // namespace leasemap::core
