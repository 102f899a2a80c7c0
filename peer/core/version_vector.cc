#include "peer/core/version_vector.h"

#include <algorithm>

#include "peer/core/bytes.h"
#include "peer/core/limits.h"

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

bool VersionVector::Covers(const Dot& dot) const {
  auto it = runs_.find(dot.replica);
  if (it != runs_.end() && it->second.Covers(dot.seq)) return true;
  if (marks_.empty() || !BelowMark(dot.replica)) return false;
  const auto folded = FoldedPrefix(dot.replica);
  return !folded || dot.seq <= *folded;
}

bool VersionVector::Covers(const VersionVector& other) const { return !FirstMissing(other).has_value(); }

bool VersionVector::CoversPrefix(const Dot& dot) const {
  auto it = runs_.find(dot.replica);
  return it == runs_.end() ? Covers(dot) : it->second.prefix >= dot.seq;
}

bool VersionVector::KnowsCovered(const VersionVector& report, const Dot& dot) const {
  const std::string& node = dot.replica.node;
  if (auto run = report.runs_.find(dot.replica); run != report.runs_.end()) return run->second.prefix >= dot.seq;
  auto mark = report.marks_.find(node);
  if (mark == report.marks_.end() || dot.replica.incarnation >= mark->second.below) return false;
  if (!CoversMark(node, mark->second)) return false;
  if (!BelowMark(dot.replica)) return CoversPrefix(dot);
  const auto folded = FoldedPrefix(dot.replica);
  return !folded || dot.seq <= *folded;
}

void VersionVector::Add(const Dot& dot) { Add(dot.replica, dot.seq, dot.seq); }

void VersionVector::Add(const ReplicaId& replica, uint64_t first, uint64_t last) {
  if (first > last) return;
  if (!marks_.empty() && BelowMark(replica)) {
    const auto folded = FoldedPrefix(replica);
    if (!folded || last <= *folded) return;
    if (*folded > 0) runs_[replica].Add(1, *folded);
  }
  runs_[replica].Add(first, last);
}

void VersionVector::Join(const VersionVector& other) {
  if (other.folded_) AddFolded(*other.folded_);
  for (const auto& [node, mark] : other.marks_) {
    // Taken over from one that does not tell what it stands for.
    if (!other.folded_ && MarkOf(node) < mark.below) AddFolded({{}, mark.below});
    JoinMark(node, mark);
    Redigest(node, mark);
  }
  for (const auto& [replica, theirs] : other.runs_) {
    if (theirs.prefix > 0) Add(replica, 1, theirs.prefix);
    for (const auto& [first, last] : theirs.exceptions) Add(replica, first, last);
  }
}

bool VersionVector::Limit(const ReplicaId& replica, const Coverage& known) {
  // Who lives has not ended: no mark stands for it.
  const bool marked = MarkOf(replica.node) > replica.incarnation && marks_.erase(replica.node) > 0;
  auto it = runs_.find(replica);
  if (it == runs_.end() || known.Covers(it->second)) return marked;
  it->second = it->second.Common(known);
  if (it->second == Coverage()) runs_.erase(it);
  return true;
}

// Both are in one order: mostly they name the same incarnations, and are walked side by side.
std::optional<Dot> VersionVector::FirstMissing(const VersionVector& other) const {
  static const Coverage kNone;
  if (marks_ != other.marks_) {
    for (const auto& [node, mark] : other.marks_) {
      // Which dot of the folded ones is missing can't be told; the last incarnation stands for them.
      if (!CoversMark(node, mark)) return Dot{{node, mark.below - 1}, 1};
    }
  }
  auto it = runs_.begin();
  for (const auto& [replica, theirs] : other.runs_) {
    auto order = it == runs_.end() ? std::strong_ordering::greater : it->first <=> replica;
    if (order < 0) {
      it = runs_.lower_bound(replica);
      order = it == runs_.end() ? std::strong_ordering::greater : it->first <=> replica;
    }
    if (order != 0 && BelowMark(replica)) {
      const auto folded = FoldedPrefix(replica);
      if (folded && theirs.Top() > *folded) return Dot{replica, *folded + 1};
      // A run below its own vector's mark goes beyond what that stands for; who only has the mark does not cover it.
      if (!folded_ && other.BelowMark(replica)) return Dot{replica, theirs.Top()};
      continue;
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
  out.marks_ = marks_;
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

// --- folding

namespace {
uint64_t DigestOf(const ReplicaId& replica, uint64_t prefix) {
  if (prefix == 0) return 0;
  std::string run;
  PutFixed64(run, replica.incarnation);
  PutFixed64(run, prefix);
  return Hash64(run);
}
}  // namespace

// Two nodes may have folded the same incarnations at different lengths: each knew only a part of the members.
bool VersionVector::CoversMark(const std::string& node, const Mark& mark) const {
  const uint64_t below = MarkOf(node);
  if (below == mark.below) return marks_.at(node).digest == mark.digest;
  if (below < mark.below) return DigestBelow(node, mark.below) == mark.digest;
  if (!folded_ || folded_->known_from > 0) return true;  // no longer known
  return FoldedDigest(node, mark.below) == mark.digest;
}

uint64_t VersionVector::FoldedDigest(const std::string& node, uint64_t below) const {
  uint64_t digest = 0;
  for (auto it = folded_->prefixes.lower_bound({node, 0}); it != folded_->prefixes.end(); ++it) {
    if (!(it->first < ReplicaId{node, below})) break;
    digest += DigestOf(it->first, it->second);
  }
  return digest;
}

// After a join: what either side had folded farther counts, so the digest is made anew from the whole. Where that is no
// longer known, all take the greater one, so that they come to the same.
void VersionVector::Redigest(const std::string& node, const Mark& other) {
  Mark& ours = marks_.at(node);
  if (folded_ && folded_->known_from == 0) {
    ours.digest = FoldedDigest(node, ours.below);
  } else if (ours.below == other.below) {
    ours.digest = std::max(ours.digest, other.digest);
  }
  const auto end = runs_.lower_bound({node, ours.below});
  for (auto it = runs_.lower_bound({node, 0}); it != end;) {
    const auto folded = FoldedPrefix(it->first);
    it = folded && it->second.Top() > *folded ? std::next(it) : runs_.erase(it);
  }
}

uint64_t VersionVector::MarkOf(const std::string& node) const {
  auto it = marks_.find(node);
  return it == marks_.end() ? 0 : it->second.below;
}

std::optional<uint64_t> VersionVector::FoldedPrefix(const ReplicaId& replica) const {
  if (!folded_ || replica.incarnation < folded_->known_from) return std::nullopt;
  auto it = folded_->prefixes.find(replica);
  return it == folded_->prefixes.end() ? 0 : it->second;
}

void VersionVector::AddFolded(const Folded& folded) {
  Folded all = folded_ ? *folded_ : Folded();
  for (const auto& [replica, prefix] : folded.prefixes) {
    uint64_t& ours = all.prefixes[replica];
    ours = std::max(ours, prefix);
  }
  all.known_from = std::max(all.known_from, folded.known_from);
  while (all.prefixes.size() > kMaxFolded) {
    uint64_t oldest = UINT64_MAX;
    // The oldest go: incarnations begin with their time of start.
    for (const auto& [replica, prefix] : all.prefixes) oldest = std::min(oldest, replica.incarnation);
    std::erase_if(all.prefixes, [oldest](const auto& one) { return one.first.incarnation == oldest; });
    all.known_from = std::max(all.known_from, oldest + 1);
  }
  folded_ = std::make_shared<const Folded>(std::move(all));
}

void VersionVector::LearnFolded(const VersionVector& whole) {
  Folded folded = whole.folded_ ? *whole.folded_ : Folded();
  for (const auto& [replica, coverage] : whole.runs_) {
    if (BelowMark(replica) && !whole.BelowMark(replica)) folded.prefixes.emplace(replica, coverage.prefix);
  }
  if (whole.folded_ || !folded.prefixes.empty()) AddFolded(folded);
}

VersionVector VersionVector::Brief() const {
  VersionVector brief = *this;
  brief.folded_.reset();
  return brief;
}

std::optional<uint64_t> VersionVector::DigestBelow(const std::string& node, uint64_t below) const {
  auto mark = marks_.find(node);
  if (mark != marks_.end() && mark->second.below > below) return std::nullopt;
  uint64_t digest = mark == marks_.end() ? 0 : mark->second.digest;
  const ReplicaId from{node, mark == marks_.end() ? 0 : mark->second.below};
  for (auto it = runs_.lower_bound(from); it != runs_.end() && it->first < ReplicaId{node, below}; ++it) {
    if (!it->second.exceptions.empty()) return std::nullopt;
    digest += DigestOf(it->first, it->second.prefix);
  }
  return digest;
}

bool VersionVector::Fold(const std::string& node, uint64_t below) {
  const auto digest = DigestBelow(node, below);
  const auto first = runs_.lower_bound({node, MarkOf(node)});
  if (!digest || first == runs_.end() || !(first->first < ReplicaId{node, below})) return false;
  Folded folded;
  for (auto it = first; it != runs_.end() && it->first < ReplicaId{node, below}; ++it) {
    folded.prefixes.emplace(it->first, it->second.prefix);
  }
  AddFolded(folded);
  JoinMark(node, {below, *digest});
  return true;
}

bool VersionVector::AdoptMarks(const VersionVector& other) {
  bool changed = false;
  for (const auto& [node, mark] : other.marks_) {
    if (mark.below <= MarkOf(node) || DigestBelow(node, mark.below) != mark.digest) continue;
    if (!Fold(node, mark.below)) {
      // Nothing of these is here, and it stands for nothing: that is known, and must not pass for "covers all".
      if (!folded_ && marks_.empty()) AddFolded({});
      JoinMark(node, mark);
    }
    changed = true;
  }
  return changed;
}

void VersionVector::JoinMark(const std::string& node, const Mark& mark) {
  Mark& ours = marks_[node];
  if (ours.below >= mark.below) return;
  ours = mark;
  const auto end = runs_.lower_bound({node, mark.below});
  for (auto it = runs_.lower_bound({node, 0}); it != end;) {
    const auto folded = FoldedPrefix(it->first);
    const bool beyond = folded && it->second.Top() > *folded;
    it = beyond ? std::next(it) : runs_.erase(it);
  }
}

}  // namespace leasemap::core
