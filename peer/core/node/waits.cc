#include "peer/core/node/waits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/data/check.h"
#include "peer/core/data/error.h"
#include "peer/core/data/lease.h"

namespace leasemap::core {
namespace {

// Names for a message: all of a usual cluster, not all of 64 nodes.
constexpr size_t kNamed = 8;

std::string Names(const std::vector<std::string>& nodes) {
  if (nodes.empty()) return "nobody";
  std::string out;
  for (size_t i = 0; i < nodes.size() && i < kNamed; ++i) absl::StrAppend(&out, i > 0 ? ", " : "", Shown(nodes[i]));
  if (nodes.size() > kNamed) absl::StrAppend(&out, " and ", nodes.size() - kNamed, " more");
  return out;
}

// Members, this node included, that have to have the write.
size_t Needed(const Ack& ack, size_t members) {
  switch (ack.level) {
    case Ack::Level::kLocal:
      return 1;
    case Ack::Level::kMajority:
      return members / 2 + 1;
    case Ack::Level::kAll:
      return members;
    case Ack::Level::kNodes:
      return ack.nodes;
  }
  return members;
}

absl::Status Superseded(const Entry& entry, const Entry& winner) {
  const std::string version = VersionOf(winner.dot);
  auto status = Refusal(
      absl::StatusCode::kAborted, "SUPERSEDED",
      absl::StrCat("key \"", Shown(entry.key), "\": while its ack was awaited this write was replaced by version ",
                   version, " of holder ", Shown(winner.lease.holder), "; read the key again and retry"));
  AddMetadata(status, "key", entry.key);
  AddMetadata(status, "winner_holder", winner.lease.holder);
  AddVersion(status, "winner_version", winner.dot);
  AddVersion(status, "version", entry.dot);
  return status;
}

// The write is the key's entry here, or, if it set a value, a renewal of its lease that keeps that: a node that covers
// it has nothing that outranks either.
bool IsHere(const Store& store, const Entry& entry) {
  const EntryPtr* present = store.Find(entry.key);
  if (present == nullptr) return false;
  const Entry& now = **present;
  if (now.dot == entry.dot) return true;
  return now.value_dot == entry.dot && IsSameLease(now.lease, entry.lease) &&
         now.lease.released == entry.lease.released;
}

}  // namespace

absl::Status Undecided(const Entry& entry) {
  auto status = Refusal(absl::StatusCode::kDeadlineExceeded, "ACK_INCOMPLETE",
                        absl::StrCat("key \"", Shown(entry.key),
                                     "\": this node had to take the map of the others while the "
                                     "write's ack was awaited; read the key to see whether the write is still there"));
  AddMetadata(status, "key", entry.key);
  AddVersion(status, "version", entry.dot);
  return status;
}

int64_t WaitMs(int64_t patience_ms, int64_t most_ms) {
  return std::min(most_ms, std::max<int64_t>(0, patience_ms / 10 * 9 + patience_ms % 10 * 9 / 10));
}

absl::Status Waits::CheckRoom() const { return dots_.size() < kMaxWaits ? absl::OkStatus() : Full(); }

absl::Status Waits::Check(const Ack& ack, size_t nodes) const {
  if (ack.level == Ack::Level::kNodes && ack.nodes > nodes) {
    return InvalidField("ack_nodes", absl::StrCat(ack.nodes, " nodes can never have the write: the cluster has ", nodes,
                                                  ", this one included"));
  }
  return ack.local() ? absl::OkStatus() : CheckRoom();
}

absl::Status Waits::Full() {
  auto status = Refusal(absl::StatusCode::kResourceExhausted, "WAIT_LIMIT",
                        "this node holds as many waiting calls as it can; try again in a moment, or ask for less: "
                        "ACK_LOCAL, or no min_version");
  SetRetryMs(status, 100);
  return status;
}

WaitId Waits::AwaitAck(EntryPtr entry, Ack ack, MonoTime now, MonoTime due) {
  const Dot dot = entry->dot;
  fresh_.push_back(next_);
  return Add({next_++, std::move(entry), dot, ack, now, due, {}});
}

WaitId Waits::AwaitVersion(const Dot& dot, MonoTime now, MonoTime due) {
  return Add({next_++, nullptr, dot, {}, now, due, {}});
}

WaitId Waits::Add(Wait wait) {
  LEASEMAP_CHECK(dots_.size() < kMaxWaits, dots_.size());
  const WaitId id = wait.id;
  due_.emplace(wait.due, id);
  dots_.emplace(id, wait.dot);
  ByDot& map = MapOf(wait);
  map.emplace(Place(wait.dot, id), std::move(wait));
  return id;
}

Waits::Wait* Waits::Find(WaitId id) {
  auto dot = dots_.find(id);
  if (dot == dots_.end()) return nullptr;
  const Place place(dot->second, id);
  if (auto it = acks_.find(place); it != acks_.end()) return &it->second;
  auto it = versions_.find(place);
  return it == versions_.end() ? nullptr : &it->second;
}

void Waits::Remove(const Wait& wait) {
  const WaitId id = wait.id;
  due_.erase({wait.due, id});
  dots_.erase(id);
  to_check_.erase(id);
  ByDot& map = MapOf(wait);
  map.erase(Place(wait.dot, id));  // and with it `wait`
}

bool Waits::Cancel(WaitId id) {
  const Wait* wait = Find(id);
  if (wait == nullptr) return false;
  Remove(*wait);
  return true;
}

void Waits::Covered(const Dot& dot) {
  for (auto it = versions_.lower_bound({dot, 0}); it != versions_.end() && it->first.first == dot; ++it) {
    covered_.push_back(it->first.second);
  }
}

void Waits::Replaced(const Dot& dot) {
  for (auto it = acks_.lower_bound({dot, 0}); it != acks_.end() && it->first.first == dot; ++it) {
    replaced_.push_back(it->first.second);
  }
}

void Waits::LookAtAll(const View& view) {
  look_again_ = false;
  for (const auto& [place, wait] : versions_) {
    if (view.vector.Covers(wait.dot)) covered_.push_back(wait.id);
  }
  for (const auto& [place, wait] : acks_) {
    if (!IsHere(view.store, *wait.entry)) replaced_.push_back(wait.id);
  }
}

void Waits::Settle(const View& view, std::vector<Effects::Answered>& answered) {
  if (empty()) {
    look_again_ = false;
    fresh_.clear();
    return;
  }
  if (look_again_) LookAtAll(view);
  for (const WaitId id : covered_) {
    if (const Wait* wait = Find(id)) Answer(*wait, absl::OkStatus(), answered);
  }
  covered_.clear();
  // What was replaced is out before any ack is counted: an ack counts only for the key's present entry.
  AnswerReplaced(view, answered);
  if (!acks_.empty()) UpdateTracks(view);
  const std::set<WaitId> to_check = std::exchange(to_check_, {});
  for (const WaitId id : to_check) {
    const Wait* wait = Find(id);
    if (wait != nullptr && Satisfied(*wait)) Answer(*wait, absl::OkStatus(), answered);
  }
  while (!due_.empty() && due_.begin()->first <= view.mono) {
    const Wait& wait = *Find(due_.begin()->second);
    Answer(wait, TooLate(view, wait, "in time"), answered);
  }
}

void Waits::EndAll(const View& view, const char* why, std::vector<Effects::Answered>& answered) {
  Settle(view, answered);
  while (!empty()) {
    const Wait& wait = *Find(dots_.begin()->first);
    Answer(wait, TooLate(view, wait, why), answered);
  }
}

void Waits::Answer(const Wait& wait, absl::Status status, std::vector<Effects::Answered>& answered) {
  answered.push_back({wait.id, std::move(status), wait.entry});
  Remove(wait);
}

void Waits::AnswerReplaced(const View& view, std::vector<Effects::Answered>& answered) {
  for (const WaitId id : replaced_) {
    const Wait* wait = Find(id);
    if (wait == nullptr || IsHere(view.store, *wait->entry)) continue;
    const Entry& entry = *wait->entry;
    const EntryPtr* winner = view.store.Find(entry.key);
    const bool outranked = winner != nullptr && Outranks(**winner, entry);
    Answer(*wait, outranked ? Superseded(entry, **winner) : Undecided(entry), answered);
  }
  replaced_.clear();
}

// The members and the tracks are in one order: they are walked side by side.
void Waits::UpdateTracks(const View& view) {
  const bool others = MatchTracks(view);
  auto it = tracks_.begin();
  for (const auto& [node, member] : view.members) {
    if (member.gone()) continue;
    Track& track = (it++)->second;
    if (UpdateTrack(view, member, track)) CountAcks(track);
  }
  for (const WaitId id : std::exchange(fresh_, {})) {
    Wait* wait = Find(id);
    if (wait == nullptr) continue;
    to_check_.insert(id);
    for (auto& [node, track] : tracks_) {
      if (track.confirmed && track.confirmed->Covers(wait->dot)) {
        wait->acked.set(track.index);
      } else if (wait->dot <= track.done) {
        track.done = {};  // an older write than those it was asked for so far
      }
    }
  }
  // The number of members decides what a majority is, and what all are.
  if (others) {
    for (const auto& [place, wait] : acks_) to_check_.insert(wait.id);
  }
}

// A track for each member that is not gone, and no other. Whether there were others.
bool Waits::MatchTracks(const View& view) {
  bool others = false;
  Members used;
  auto member = view.members.begin();
  for (auto it = tracks_.begin(); it != tracks_.end();) {
    while (member != view.members.end() && member->first < it->first) ++member;
    if (member != view.members.end() && member->first == it->first && !member->second.gone()) {
      used.set(it->second.index);
      ++it;
    } else {
      DropMember(it->second);
      it = tracks_.erase(it);
      others = true;
    }
  }
  auto it = tracks_.begin();
  for (const auto& [node, one] : view.members) {
    if (one.gone()) continue;
    if (it == tracks_.end() || it->first != node) {
      size_t index = 0;
      while (used.test(index)) ++index;  // there are as many bits as there can be members
      used.set(index);
      it = tracks_.emplace_hint(it, node, Track());
      it->second.index = index;
      others = true;
    }
    ++it;
  }
  return others;
}

// Moves on what the member confirmed; true if there is something new to count.
bool Waits::UpdateTrack(const View& view, const Member& member, Track& track) {
  if (track.incarnation != member.id.incarnation) {
    // Another process than the one that acked: what that one had it may have lost.
    DropMember(track);
    const size_t index = track.index;
    track = {};
    track.index = index;
    track.incarnation = member.id.incarnation;
  }
  if (!member.report || member.report_incarnation != member.id.incarnation) return false;
  const auto covered = [&](const VectorPtr& report) {
    if (track.missing && !view.vector.Covers(*track.missing)) return false;
    track.missing = view.vector.FirstMissing(*report);
    if (!track.missing) return true;
    // One that only replaces others that were folded may never be covered by itself: look at all again next time.
    if (!report->runs().contains(track.missing->replica)) track.missing.reset();
    return false;
  };
  bool news = false;
  if (track.candidate && covered(track.candidate)) {
    track.confirmed = std::exchange(track.candidate, nullptr);
    news = true;
  }
  if (track.candidate || member.report == track.confirmed) return news;
  if (!covered(member.report)) {
    track.candidate = member.report;
    return news;
  }
  track.confirmed = member.report;
  return true;
}

void Waits::CountAcks(Track& track) {
  bool all = true;  // of those so far
  for (auto it = acks_.upper_bound({track.done, UINT64_MAX}); it != acks_.end(); ++it) {
    Wait& wait = it->second;
    if (!wait.acked.test(track.index) && track.confirmed->Covers(wait.dot)) {
      wait.acked.set(track.index);
      to_check_.insert(wait.id);
    }
    all = all && wait.acked.test(track.index);
    if (all) track.done = wait.dot;
  }
}

void Waits::DropMember(const Track& track) {
  for (auto& [place, wait] : acks_) wait.acked.reset(track.index);
}

bool Waits::Satisfied(const Wait& wait) const { return wait.acked.count() + 1 >= Needed(wait.ack, tracks_.size() + 1); }

absl::Status Waits::TooLate(const View& view, const Wait& wait, const char* why) const {
  const std::string took = ShownDuration(view.mono - wait.since);
  if (wait.entry == nullptr) {
    auto status = Refusal(absl::StatusCode::kUnavailable, "NOT_CAUGHT_UP",
                          absl::StrCat("min_version: the write of this version did not come to this node ", why, " (",
                                       took, "); try again, or another node"));
    SetRetryMs(status, 1000);
    return status;
  }
  std::vector<std::string> have = {view.self}, lack;
  for (const auto& [node, track] : tracks_) (wait.acked.test(track.index) ? have : lack).push_back(node);
  const size_t needed = Needed(wait.ack, tracks_.size() + 1);
  auto status = Refusal(
      absl::StatusCode::kDeadlineExceeded, "ACK_INCOMPLETE",
      absl::StrCat("key \"", Shown(wait.entry->key), "\": the write is in the map, with version ", VersionOf(wait.dot),
                   ", but ", have.size(), " of the ", needed, " nodes asked for had it ", why, " (", took,
                   "): acked by ", Names(have), "; not by ", Names(lack), "; they get it when they can be reached"));
  AddMetadata(status, "key", wait.entry->key);
  AddVersion(status, "version", wait.dot);
  AddMetadata(status, "acked", Names(have));
  AddMetadata(status, "not_acked", Names(lack));
  return status;
}

}  // namespace leasemap::core
