#include "peer/core/mesh/retirement.h"

#include <algorithm>
#include <utility>

#include "peer/core/data/limits.h"

namespace leasemap::core {

// What of an earlier map was not submitted yet.
std::vector<EntryPtr> Retirement::Unsubmitted(const Replica& replica) const {
  std::vector<EntryPtr> all;
  const auto& entries = retired_->map.store.by_key();
  for (auto it = retired_->submitted ? entries.upper_bound(*retired_->submitted) : entries.begin(); it != entries.end();
       ++it) {
    if (NeedsResubmit(it->second.entry->dot, replica)) all.push_back(it->second.entry);
  }
  return all;
}

void Retirement::GiveUp(Now now, uint64_t incarnation, Reason reason, Replica& replica) {
  const bool first = !retired_;
  if (first) retired_.emplace(rules_);
  const bool keeps = reason.has_full_map || first;
  // What an earlier reset has still to submit goes with the map that is given up now.
  const std::vector<EntryPtr> unsubmitted = keeps ? Unsubmitted(replica) : std::vector<EntryPtr>();
  const int64_t ceiling_ms = reason.ceiling ? reason.ceiling->ms : replica.ceiling().EffectiveAt(now.wall_ms);
  MapState old = replica.GiveUp(now, ceiling_ms, incarnation);
  if (keeps) {
    for (const EntryPtr& entry : unsubmitted) {
      old.store.Merge(entry);
      old.ceiling.See(*entry);
      old.vector.Add(entry->dot);  // a cursor that is given for this map says so
    }
    if (retired_->serves) ++maps_;  // a third one
    retired_->whole = reason.has_full_map;
    retired_->for_ceiling = retired_->for_part = false;
    retired_->serves |= reason.ceiling && reason.ready;
    retired_->map = std::move(old);
    retired_->peer = std::move(reason.peer);
  }
  if (reason.ceiling) {
    retired_->for_ceiling = true;
    retired_->for_part = reason.ceiling->of_part;
    ++yields_;
  }
  retired_->since = now.mono;
  retired_->submitted.reset();
  ++resets_;
  if (!serves()) ++maps_;
}

EntryPtr Retirement::Share(const EntryPtr& entry) const {
  const Store::Slot* old = retired_ ? retired_->map.store.FindSlot(entry->key) : nullptr;
  return old != nullptr && *old->entry == *entry ? old->entry : entry;
}

size_t Retirement::FollowClock(Now now) {
  return serves() ? retired_->map.FollowClock(now, rules_, timing_.keep_lapsed) : 0;
}

bool Retirement::HasPeersMap(Now now, const Replica& replica) {
  if (!serves() || !retired_->peer || replica.vector().Covers(*retired_->peer)) return true;
  if (now.mono - retired_->since < PatienceMs()) return false;
  retired_->peer.reset();
  return true;
}

bool Retirement::MayTakeBack(Now now, bool has_full_map, const Replica& replica, const Links& links) const {
  if (!retired_ || retired_->submitted || has_full_map) return false;
  // For another ceiling's sake there must be somebody who has it, at once: a linked member that is higher waits for it.
  const int64_t patience_ms = retired_->for_ceiling ? PatienceMs() : kResetGiveUpMs;
  if (now.mono - retired_->since < patience_ms) return false;
  const int64_t ceiling_ms = retired_->for_ceiling ? replica.ceiling().EffectiveAt(now.wall_ms) : kMaxCeilingMs;
  return !links.AnyUp([&](const Link& link) {
    const bool has = link.theirs.has_map() || (retired_->for_part && link.ceiling.theirs().part);
    return has && link.ceiling.theirs().ceiling_ms <= ceiling_ms;
  });
}

Retirement::Back Retirement::TakeBack(Now now, Replica& replica) {
  const Back back{serves(), retired_->whole};
  replica.TakeBack(now.mono, std::move(retired_->map));
  retired_.reset();
  ++maps_;
  return back;
}

std::vector<const Store::Slot*> Retirement::Next() {
  std::vector<const Store::Slot*> next;
  const auto& entries = retired_->map.store.by_key();
  auto it = retired_->submitted ? entries.upper_bound(*retired_->submitted) : entries.begin();
  for (; it != entries.end() && next.size() < kResubmitAtOnce; ++it) {
    next.push_back(&it->second);
    retired_->submitted = it->first;
  }
  retired_->submitted_all = it == entries.end();
  return next;
}

bool Retirement::NeedsResubmit(const Dot& dot, const Replica& replica) const {
  return !replica.vector().Covers(dot) && !(retired_->peer && retired_->peer->Covers(dot));
}

bool Retirement::End() {
  const bool served = serves();
  if (served) ++maps_;
  retired_.reset();
  return served;
}

}  // namespace leasemap::core
