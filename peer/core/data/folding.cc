// What two vectors say of the past, compared: see past.h.
//
// Of what a mark stands for there is a sum of hashes. A node that knows all processes that started up to the mark, and
// takes away those that the vector names, comes to the same sum if that is what he covers himself. What he still names
// may be folded there (then it belongs to the sum) or be unknown there; both are tried. That a sum fits by chance takes
// 2^64 tries. If none fits, the vector counts as one that covers something else: a session brings what it is, and a
// cursor expires. Both are safe.
#include <algorithm>
#include <string>
#include <utility>

#include "peer/core/data/bytes.h"
#include "peer/core/data/version_vector.h"

namespace leasemap::core {
namespace {

// What all members cover alike has no gap; one that wrote nothing has no need of a mark.
bool CanBeFolded(const Coverage& run) { return run != Coverage() && run.exceptions.empty(); }

}  // namespace

bool VersionVector::IsPast(const ReplicaId& replica) const {
  if (!past_ || runs_.contains(replica)) return false;
  return past_->PrefixOf(replica).has_value() || past_->MayHaveDropped(replica);
}

size_t VersionVector::Fold(const std::vector<ReplicaId>& ended) {
  auto past = past_ ? std::make_shared<Past>(*past_) : std::make_shared<Past>();
  size_t folded = 0;
  for (const ReplicaId& replica : ended) {
    const auto run = runs_.find(replica);
    if (run == runs_.end() || !run->second.exceptions.empty()) continue;
    past->Add(replica, run->second.prefix);
    runs_.erase(run);
    ++folded;
  }
  if (folded == 0) return 0;
  past_mark_ = past->mark();
  past_ = std::move(past);
  return folded;
}

void VersionVector::Unfold(const ReplicaId& replica) {
  auto past = std::make_shared<Past>(*past_);
  runs_[replica].prefix = *past->PrefixOf(replica);
  past->Remove(replica);
  past_mark_ = past->mark();
  past_ = std::move(past);
}

Meaning VersionVector::MeaningOf(const VersionVector& report) const {
  const PastMark& theirs = report.past_mark_;
  if (theirs.upto == 0) return Meaning::kAllKnown;
  if (!whole() || (past_ && past_->dropped().upto > theirs.upto)) return Meaning::kUnknown;
  uint64_t sum = past_mark_.digest - (past_ ? past_->DigestAfter(theirs.upto) : 0);
  for (const auto& [replica, run] : report.runs_) {
    if (replica.incarnation > theirs.upto) continue;
    if (const auto prefix = PastPrefix(replica)) {
      sum -= DigestOf(replica, *prefix);
    } else if (past_ && past_->MayHaveDropped(replica) && !runs_.contains(replica)) {
      sum -= DigestOf(replica, run.prefix);  // if it is among those, then as far as it is named
    }
  }
  const bool fits = sum == theirs.digest;
  bool named = false;
  for (const auto& [replica, run] : runs_) {
    if (replica.incarnation > theirs.upto || !CanBeFolded(run) || report.runs_.contains(replica)) continue;
    named = true;
    sum += DigestOf(replica, run.prefix);
  }
  if (named && sum == theirs.digest) return Meaning::kAllKnown;
  return !fits ? Meaning::kUnknown : named ? Meaning::kFolded : Meaning::kAllKnown;
}

bool VersionVector::KnowsCovered(const VersionVector& report, Meaning meaning, const Dot& dot) const {
  const ReplicaId& replica = dot.replica;
  if (auto run = report.runs_.find(replica); run != report.runs_.end()) return run->second.prefix >= dot.seq;
  if (replica.incarnation > report.past_mark_.upto || meaning == Meaning::kUnknown) return false;
  if (const auto run = runs_.find(replica); run != runs_.end()) {
    return meaning == Meaning::kAllKnown && CanBeFolded(run->second) && CoversPrefix(dot);
  }
  return PastPrefix(replica).value_or(past_ && past_->MayHaveDropped(replica) ? dot.seq : 0) >= dot.seq;
}

bool VersionVector::IsAlike(const VersionVector& report, Meaning meaning, const ReplicaId& replica) const {
  const auto ours = runs_.find(replica);
  if (ours == runs_.end() || !ours->second.exceptions.empty()) return false;
  if (auto run = report.runs_.find(replica); run != report.runs_.end()) return run->second == ours->second;
  return KnowsCovered(report, meaning, {replica, ours->second.prefix});
}

bool VersionVector::CoversHeld(const Dot& dot, const VersionVector& holder) const {
  if (Covers(dot)) return true;
  const ReplicaId& replica = dot.replica;
  if (runs_.contains(replica) || PastPrefix(replica)) return false;
  if (holder.runs_.contains(replica) || holder.PastPrefix(replica)) return false;
  if (!holder.past_ || !holder.past_->MayHaveDropped(replica)) return false;
  return past_mark_ == holder.past_mark_ || (past_ && past_->dropped() == holder.past_->dropped());
}

bool VersionVector::Learn(const VersionVector& other) {
  if (whole()) return true;
  const Meaning meaning = other.MeaningOf(*this);
  if (meaning == Meaning::kUnknown) return false;
  auto past = other.past_ ? std::make_shared<Past>(*other.past_) : std::make_shared<Past>();
  std::vector<ReplicaId> not_meant;
  for (auto it = past->known().rbegin(); it != past->known().rend(); ++it) {
    if (it->first.incarnation > past_mark_.upto || runs_.contains(it->first)) not_meant.push_back(it->first);
  }
  for (const ReplicaId& replica : not_meant) past->Remove(replica);
  for (const auto& [replica, run] : other.runs_) {
    const bool meant = replica.incarnation <= past_mark_.upto && CanBeFolded(run) && !runs_.contains(replica);
    if (meant && meaning == Meaning::kAllKnown) past->Add(replica, run.prefix);
  }
  past_ = std::move(past);
  return true;
}

// Takes over what another knows of the past: as it was folded there, but for what is known otherwise here.
void VersionVector::JoinPast(const VersionVector& other) {
  if (MeaningOf(other) != Meaning::kUnknown) return;
  auto past = past_ ? std::make_shared<Past>(*past_) : std::make_shared<Past>();
  const auto add = [&](bool all) {
    for (const auto& [replica, process] : other.past_->known()) {
      const auto prefix = past->PrefixOf(replica);
      if (auto run = runs_.find(replica); run != runs_.end()) {
        run->second.Add(1, process.prefix);
      } else if (prefix && *prefix < process.prefix) {
        past->Remove(replica);
        runs_[replica].prefix = process.prefix;
      } else if (!prefix && (all || !past->MayHaveDropped(replica))) {
        past->Add(replica, process.prefix);
      }
    }
    past_mark_ = past->mark();
    past_ = past;
  };
  const PastMark ours = past->dropped(), theirs = other.past_->dropped();
  add(ours == theirs);  // then what is known there was not dropped here
  if (ours == theirs || MeaningOf(other) != Meaning::kUnknown) return;
  // Which those are is known to neither: the one that goes farther is kept, so that all come to the same.
  if (std::pair(theirs.upto, theirs.digest) < std::pair(ours.upto, ours.digest)) return;
  past = std::make_shared<Past>(*past);
  past->TakeDropped(*other.past_);
  add(true);
}

bool VersionVector::NamesDropped(const VersionVector& other) const {
  if (!past_ || past_->dropped() == PastMark()) return true;
  uint64_t sum = 0;
  for (const auto& [replica, run] : other.runs_) {
    if (past_->MayHaveDropped(replica) && !runs_.contains(replica) && !PastPrefix(replica)) {
      sum += DigestOf(replica, run.prefix);
    }
  }
  return sum == past_->dropped().digest;
}

std::optional<Dot> VersionVector::FirstMissingPast(const VersionVector& other, Meaning meaning) const {
  if (other.past_mark_ == PastMark() || meaning != Meaning::kUnknown) return std::nullopt;
  if (!whole() && past_mark_ == other.past_mark_) return std::nullopt;
  const Dot unknown{{"", other.past_mark_.upto}, 1};  // which it is can't be told
  if (!other.past_) return unknown;
  for (const auto& [replica, process] : other.past_->known()) {
    if (process.prefix > 0 && !CoversPrefix({replica, process.prefix})) return Dot{replica, process.prefix};
  }
  const PastMark& dropped = other.past_->dropped();
  if (dropped == PastMark() || (past_ && past_->dropped() == dropped)) return std::nullopt;
  return unknown;
}

// Runs are in one order: mostly they name the same processes, and are walked side by side.
std::optional<Dot> VersionVector::FirstMissing(const VersionVector& other) const {
  static const Coverage kNone;
  if (!whole() && other.whole()) {
    VersionVector learned = *this;
    if (learned.Learn(other)) return learned.FirstMissing(other);
  }
  const Meaning meaning = MeaningOf(other);
  if (auto dot = FirstMissingPast(other, meaning)) return dot;
  const bool dropped_named =
      past_ && (other.past_mark_.upto >= past_->dropped().upto ? meaning != Meaning::kUnknown : NamesDropped(other));
  auto it = runs_.begin();
  for (const auto& [replica, theirs] : other.runs_) {
    auto order = it == runs_.end() ? std::strong_ordering::greater : it->first <=> replica;
    if (order < 0) {
      it = runs_.lower_bound(replica);
      order = it == runs_.end() ? std::strong_ordering::greater : it->first <=> replica;
    }
    const Coverage& ours = order == 0 ? (it++)->second : kNone;
    if (theirs.exceptions.empty() && theirs.prefix <= ours.prefix) continue;
    if (order != 0) {
      if (const auto prefix = PastPrefix(replica)) {
        if (theirs.Top() > *prefix) return Dot{replica, *prefix + 1};
        continue;
      }
      if (dropped_named && past_->MayHaveDropped(replica) && theirs.exceptions.empty()) continue;
    }
    if (auto seq = ours.FirstMissing(theirs)) return Dot{replica, *seq};
  }
  return std::nullopt;
}

bool VersionVector::CoversFloor(const VersionVector& floor, const VersionVector& own) const {
  const auto covers = [&](const ReplicaId& replica, uint64_t prefix) {
    if (prefix == 0 || CoversPrefix({replica, prefix}) || own.CoversPrefix({replica, prefix})) return true;
    // Beyond its own floor it may have what a session brought so far.
    const auto low = own.runs_.find(replica), high = runs_.find(replica);
    if (low != own.runs_.end() && high != runs_.end()) {
      Coverage both = high->second;
      both.Add(1, low->second.prefix);
      if (both.prefix >= prefix) return true;
    }
    if (runs_.contains(replica) || PastPrefix(replica)) return false;
    return past_ ? past_->MayHaveDropped(replica) : replica.incarnation <= past_mark_.upto;
  };
  for (const auto& [replica, run] : floor.runs_) {
    if (!covers(replica, run.Top())) return false;
  }
  if (!floor.past_) return true;
  // Of the processes that the past dropped only the latest is known. So a vector whose own past did not reach that far
  // does not count as covering them.
  if (std::max(past_mark_.upto, own.past_mark_.upto) < floor.past_->dropped().upto) return false;
  const auto& known = floor.past_->known();
  return std::all_of(known.begin(), known.end(), [&](const auto& one) { return covers(one.first, one.second.prefix); });
}

VersionVector VersionVector::Naming(const std::vector<ReplicaId>& present) const {
  VersionVector out = *this;
  for (const ReplicaId& replica : present) {
    if (replica.incarnation <= past_mark_.upto && !PastPrefix(replica)) out.runs_.try_emplace(replica);
  }
  return out;
}

VersionVector VersionVector::Brief() const {
  VersionVector brief = *this;
  brief.past_.reset();
  return brief;
}

VersionVector VersionVector::Expanded() const {
  VersionVector all = *this;
  all.past_.reset();
  all.past_mark_ = PastMark();
  std::erase_if(all.runs_, [](const auto& run) { return run.second == Coverage(); });
  if (!past_) return all;
  for (const auto& [replica, process] : past_->known()) {
    if (process.prefix > 0) all.runs_[replica].prefix = process.prefix;
  }
  return all;
}

void VersionVector::SetPastMark(const PastMark& mark) {
  past_mark_ = mark;
  past_.reset();
}

void VersionVector::SetPast(Past past) {
  past_mark_ = past.mark();
  past_ = std::make_shared<const Past>(std::move(past));
}

}  // namespace leasemap::core
