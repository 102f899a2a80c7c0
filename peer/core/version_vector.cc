#include "peer/core/version_vector.h"

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

bool VersionVector::Covers(const Dot& dot) const {
  auto it = runs_.find(dot.replica);
  return it != runs_.end() && it->second.Covers(dot.seq);
}

bool VersionVector::Covers(const VersionVector& other) const { return !FirstMissing(other).has_value(); }

void VersionVector::Add(const Dot& dot) { runs_[dot.replica].Add(dot.seq, dot.seq); }

void VersionVector::Add(const ReplicaId& replica, uint64_t first, uint64_t last) {
  if (first <= last) runs_[replica].Add(first, last);
}

void VersionVector::Join(const VersionVector& other) {
  for (const auto& [replica, theirs] : other.runs_) {
    Coverage& ours = runs_[replica];
    if (theirs.prefix > 0) ours.Add(1, theirs.prefix);
    for (const auto& [first, last] : theirs.exceptions) ours.Add(first, last);
  }
}

// Both are in one order: mostly they name the same incarnations, and are walked side by side.
std::optional<Dot> VersionVector::FirstMissing(const VersionVector& other) const {
  static const Coverage kNone;
  auto it = runs_.begin();
  for (const auto& [replica, theirs] : other.runs_) {
    auto order = it == runs_.end() ? std::strong_ordering::greater : it->first <=> replica;
    if (order < 0) {
      it = runs_.lower_bound(replica);
      order = it == runs_.end() ? std::strong_ordering::greater : it->first <=> replica;
    }
    const Coverage& ours = order == 0 ? (it++)->second : kNone;
    if (theirs.exceptions.empty() && theirs.prefix <= ours.prefix) continue;
    if (auto seq = ours.FirstMissing(theirs)) return Dot{replica, *seq};
  }
  return std::nullopt;
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
  for (const auto& [replica, coverage] : runs_) {
    Coverage kept{coverage.prefix, {}};
    for (const auto& range : coverage.exceptions) {
      if (max == 0) break;
      kept.exceptions.insert(range);
      --max;
    }
    if (kept.prefix > 0 || !kept.exceptions.empty()) out.runs_.emplace(replica, std::move(kept));
  }
  return out;
}

}  // namespace leasemap::core
