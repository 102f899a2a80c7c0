#include "peer/core/data/version_vector.h"

#include <algorithm>

namespace leasemap::core {

bool Coverage::Covers(uint64_t seq) const {
  if (seq <= prefix) return true;
  auto it = exceptions.upper_bound(seq);
  return it != exceptions.begin() && std::prev(it)->second >= seq;
}

bool Coverage::Covers(const Coverage& other) const { return !FirstMissing(other).has_value(); }

std::optional<uint64_t> Coverage::FirstMissing(const Coverage& other) const {
  // The end of the run of covered numbers that starts at `seq`, or seq − 1 if seq is not covered.
  const auto covered_to = [this](uint64_t seq) {
    if (seq <= prefix) return prefix;
    auto it = exceptions.upper_bound(seq);
    if (it == exceptions.begin() || std::prev(it)->second < seq) return seq - 1;
    return std::prev(it)->second;
  };
  if (other.prefix > prefix) return prefix + 1;
  for (const auto& [first, last] : other.exceptions) {
    // Runs of ours never touch one another, so one run must hold the whole range.
    const uint64_t to = covered_to(first);
    if (to < last) return to + 1;
  }
  return std::nullopt;
}

Coverage Coverage::Common(const Coverage& other) const {
  Coverage out;
  // Ranges, the prefix taken as one, side by side.
  const auto ranges = [](const Coverage& of) {
    auto all = of.exceptions;
    if (of.prefix > 0) all.emplace(1, of.prefix);
    return all;
  };
  const auto ours = ranges(*this), theirs = ranges(other);
  for (auto a = ours.begin(), b = theirs.begin(); a != ours.end() && b != theirs.end();) {
    out.Add(std::max(a->first, b->first), std::min(a->second, b->second));
    if (a->second < b->second) {
      ++a;
    } else {
      ++b;
    }
  }
  return out;
}

void Coverage::Add(uint64_t first, uint64_t last) {
  if (last <= prefix || first > last) return;
  first = std::max(first, prefix + 1);
  // Swallow every range that overlaps or touches [first, last].
  auto it = exceptions.upper_bound(first);
  if (it != exceptions.begin() && std::prev(it)->second + 1 >= first) --it;
  while (it != exceptions.end() && it->first <= last + 1) {
    first = std::min(first, it->first);
    last = std::max(last, it->second);
    it = exceptions.erase(it);
  }
  if (first == prefix + 1) {
    prefix = last;
  } else {
    exceptions.emplace(first, last);
  }
}

std::optional<uint64_t> VersionVector::PastPrefix(const ReplicaId& replica) const {
  return past_ ? past_->PrefixOf(replica) : std::nullopt;
}

bool VersionVector::Covers(const Dot& dot) const {
  if (auto it = runs_.find(dot.replica); it != runs_.end()) return it->second.Covers(dot.seq);
  if (const auto prefix = PastPrefix(dot.replica)) return dot.seq <= *prefix;
  return false;
}

bool VersionVector::Covers(const VersionVector& other) const { return !FirstMissing(other).has_value(); }

bool VersionVector::CoversPrefix(const Dot& dot) const {
  auto it = runs_.find(dot.replica);
  return it == runs_.end() ? Covers(dot) : it->second.prefix >= dot.seq;
}

void VersionVector::Add(const Dot& dot) { Add(dot.replica, dot.seq, dot.seq); }

void VersionVector::Add(const ReplicaId& replica, uint64_t first, uint64_t last) {
  if (first > last) return;
  auto it = runs_.find(replica);
  if (it == runs_.end()) {
    if (const auto prefix = PastPrefix(replica)) {
      if (last <= *prefix) return;
      Unfold(replica);
    }
    it = runs_.try_emplace(replica).first;
  }
  it->second.Add(first, last);
}

void VersionVector::Join(const VersionVector& other) {
  if (other.past_) JoinPast(other);
  for (const auto& [replica, theirs] : other.runs_) {
    if (theirs.prefix > 0) Add(replica, 1, theirs.prefix);
    for (const auto& [first, last] : theirs.exceptions) Add(replica, first, last);
  }
}

bool VersionVector::Limit(const ReplicaId& replica, const Coverage& known) {
  const bool changed = PastPrefix(replica).has_value();
  if (changed) Unfold(replica);  // a process that lives has not ended
  auto it = runs_.find(replica);
  if (it == runs_.end() || known.Covers(it->second)) return changed;
  it->second = it->second.Common(known);
  if (it->second == Coverage()) runs_.erase(it);
  return true;
}

size_t VersionVector::exceptions() const {
  size_t n = 0;
  for (const auto& [replica, coverage] : runs_) n += coverage.exceptions.size();
  return n;
}

VersionVector VersionVector::CutShort(size_t max, bool* cut) const {
  *cut = exceptions() > max;
  if (!*cut) return *this;
  VersionVector out;
  out.past_mark_ = past_mark_;
  out.past_ = past_;
  for (const auto& [replica, coverage] : runs_) {
    Coverage kept{coverage.prefix, {}};
    for (const auto& range : coverage.exceptions) {
      if (max == 0) break;
      kept.exceptions.insert(range);
      --max;
    }
    // One of which nothing is left is named only where the mark would stand for it else.
    if (kept != Coverage() || replica.incarnation <= past_mark_.upto) out.runs_.emplace(replica, std::move(kept));
  }
  return out;
}

}  // namespace leasemap::core
