// Vectors with a past against what they stand for: plain numbers of writes, process by process. Whatever was folded or
// dropped in whichever order, no answer may claim what is not so, and two that cover the same must be found to.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/version_vector.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

using Truth = std::map<ReplicaId, uint64_t>;  // how many writes of each process are covered

bool Covers(const Truth& a, const Truth& b) {
  return std::all_of(b.begin(), b.end(), [&](const auto& one) {
    const auto it = a.find(one.first);
    return one.second == 0 || (it != a.end() && it->second >= one.second);
  });
}
Truth Joined(const Truth& a, const Truth& b) {
  Truth out = a;
  for (const auto& [replica, prefix] : b) out[replica] = std::max(out[replica], prefix);
  return out;
}
// What a vector names and knows of its past.
Truth TruthOf(const VersionVector& vector) {
  Truth out;
  for (const auto& [replica, coverage] : vector.runs()) {
    if (coverage.prefix > 0) out[replica] = coverage.prefix;
  }
  if (vector.past() == nullptr) return out;
  for (const auto& [replica, process] : vector.past()->known()) {
    if (process.prefix > 0) out[replica] = std::max(out[replica], process.prefix);
  }
  return out;
}

class FoldingModel : public testing::Test {
 protected:
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Half() { return Below(2) == 0; }

  ReplicaId AnyReplica() { return {std::string(1, static_cast<char>('a' + Below(4))), 1 + Below(5)}; }
  Truth AnyTruth() {
    Truth truth;
    for (uint64_t n = 1 + Below(5); n > 0; --n) truth[AnyReplica()] = 1 + Below(3);
    return truth;
  }
  // The same, or another one that is close to it.
  Truth Near(const Truth& truth) {
    Truth near = truth;
    switch (Below(5)) {
      case 0:
        near[AnyReplica()] = 1 + Below(3);
        break;
      case 1:
        near.erase(std::next(near.begin(), static_cast<int64_t>(Below(near.size()))));
        break;
      case 2:
        std::next(near.begin(), static_cast<int64_t>(Below(near.size())))->second += 1;
        break;
      default:
        break;
    }
    return near;
  }
  // A vector that covers just this: some of it named, some folded, and what started up to `dropped_upto` dropped.
  VersionVector Make(const Truth& truth, uint64_t dropped_upto) {
    PastMark dropped;
    VersionVector vector;
    std::vector<ReplicaId> ended;
    std::vector<std::pair<ReplicaId, uint64_t>> named;
    for (const auto& [replica, prefix] : truth) {
      if (replica.incarnation <= dropped_upto) {
        dropped.upto = std::max(dropped.upto, replica.incarnation);
        dropped.digest += DigestOf(replica, prefix);
        continue;
      }
      named.emplace_back(replica, prefix);
      if (Half()) ended.push_back(replica);
    }
    if (dropped.upto > 0) vector.SetPast(Past(dropped));
    for (const auto& [replica, prefix] : named) vector.Add(replica, 1, prefix);
    vector.Fold(ended);
    return vector;
  }

  std::mt19937_64 random_{4711};
};

// Nothing was dropped: all is known, and each answer is exact.
TEST_F(FoldingModel, AnswersAreThoseOfTheNumbers) {
  for (int round = 0; round < 4000; ++round) {
    const Truth a = AnyTruth(), b = Near(a);
    const VersionVector ours = Make(a, 0), theirs = Make(b, 0), report = theirs.Brief();
    SCOPED_TRACE(
        absl::StrCat("round ", round, ": ", testing::PrintToString(ours), " ", testing::PrintToString(theirs)));
    ASSERT_EQ(TruthOf(ours), a);
    ASSERT_EQ(ours.Covers(theirs), Covers(a, b));
    if (const auto missing = ours.FirstMissing(theirs)) {
      ASSERT_TRUE(theirs.Covers(*missing) && !ours.Covers(*missing));
    }
    VersionVector both = ours;
    both.Join(theirs);
    ASSERT_EQ(TruthOf(both), Joined(a, b));
    for (const auto& [replica, coverage] : both.runs()) {
      ASSERT_FALSE(both.past() != nullptr && both.past()->PrefixOf(replica).has_value());
    }
    ASSERT_EQ(both.past_mark(), both.past() != nullptr ? both.past()->mark() : PastMark());
    ASSERT_EQ(TruthOf(ours.Expanded()), a);
    ASSERT_EQ(ours.Expanded().past(), nullptr);
    // Without what its mark stands for it is understood if it says the same, and never taken for more.
    const bool same = a == b;
    if (ours.Covers(report) || ours.Brief().Covers(theirs)) {
      ASSERT_TRUE(Covers(a, b));
    }
    if (same) {
      ASSERT_TRUE(ours.Covers(report) && ours.Brief().Covers(theirs));
    }
    const Meaning meaning = ours.MeaningOf(report);
    for (const auto& [replica, prefix] : Joined(a, b)) {
      const uint64_t here = a.contains(replica) ? a.at(replica) : 0, there = b.contains(replica) ? b.at(replica) : 0;
      for (uint64_t seq = 1; seq <= prefix + 1; ++seq) {
        const Dot dot{replica, seq};
        ASSERT_EQ(ours.Covers(dot), seq <= here);
        ASSERT_EQ(ours.CoversPrefix(dot), seq <= here);
        ASSERT_EQ(ours.CoversHeld(dot, theirs), seq <= here);
        if (ours.KnowsCovered(report, meaning, dot)) {
          ASSERT_LE(seq, there);
        }
        if (same && seq <= there) {
          ASSERT_TRUE(ours.KnowsCovered(report, meaning, dot));
        }
      }
      const bool named = ours.runs().contains(replica);
      if (ours.IsAlike(report, meaning, replica)) {
        ASSERT_TRUE(named && here == there);
      }
      if (same && named) {
        ASSERT_TRUE(ours.IsAlike(report, meaning, replica));
      }
      ASSERT_EQ(ours.IsPast(replica), here > 0 && !named);
    }
    VersionVector cursor = report;
    const bool learned = cursor.Learn(ours);
    if (learned) {
      ASSERT_EQ(TruthOf(cursor), b);
    }
    if (same) {
      ASSERT_TRUE(learned);
    }
  }
}

TEST_F(FoldingModel, AFloorIsCoveredByTheVectorAndItsOwnFloorTogether) {
  for (int round = 0; round < 4000; ++round) {
    const Truth a = AnyTruth(), own = Half() ? Truth() : Near(AnyTruth()), floor = Near(Half() ? a : Joined(a, own));
    const VersionVector vector = Make(a, 0), own_floor = Make(own, 0), asked = Make(floor, 0);
    SCOPED_TRACE(absl::StrCat("round ", round, ": ", testing::PrintToString(vector), " ",
                              testing::PrintToString(own_floor), " ", testing::PrintToString(asked)));
    ASSERT_EQ(vector.CoversFloor(asked, own_floor), Covers(Joined(a, own), floor));
  }
}

// Of some only a digest is left: what is claimed is so, and those that cover the same are found to.
TEST_F(FoldingModel, WhatWasDroppedIsNeverTakenForMore) {
  for (int round = 0; round < 4000; ++round) {
    const Truth a = AnyTruth(), b = Near(a);
    const uint64_t upto = 1 + Below(3);
    const uint64_t other_upto = Half() ? upto : 1 + Below(3);
    const VersionVector ours = Make(a, upto), theirs = Make(b, other_upto), report = theirs.Brief();
    const bool same = a == b && upto == other_upto;
    VersionVector all;  // as a peer has it that folded nothing
    for (const auto& [replica, prefix] : b) all.Add(replica, 1, prefix);
    SCOPED_TRACE(absl::StrCat("round ", round, ": ", testing::PrintToString(ours), " ", testing::PrintToString(theirs),
                              " ", testing::PrintToString(all)));
    if (ours.Covers(theirs) || ours.Covers(report) || ours.Covers(all) || ours.Brief().Covers(theirs)) {
      ASSERT_TRUE(Covers(a, b));
    }
    if (same) {
      ASSERT_TRUE(ours.Covers(theirs) && ours.Covers(report));
    }
    if (a == b) {
      ASSERT_TRUE(ours.Covers(all));
      ASSERT_TRUE(all.Covers(ours));
    }
    const Meaning meaning = ours.MeaningOf(report);
    for (const auto& [replica, prefix] : b) {
      if (ours.KnowsCovered(report, meaning, {replica, prefix + 1})) {
        // Of one that was dropped it is known only that it is among those that all cover alike.
        ASSERT_TRUE(ours.past()->MayHaveDropped(replica) && !ours.Covers(Dot{replica, 1}));
      }
      if (same) {
        ASSERT_TRUE(ours.KnowsCovered(report, meaning, {replica, prefix}));
      }
    }
    for (const auto& [replica, prefix] : b) {
      if (!ours.CoversHeld({replica, prefix}, theirs)) continue;
      ASSERT_TRUE(a.contains(replica) && a.at(replica) >= prefix);
    }
    VersionVector both = ours;
    both.Join(theirs);
    ASSERT_TRUE(Covers(TruthOf(both), TruthOf(ours)) || both.past()->dropped().upto > ours.past()->dropped().upto);
    if (same) {
      ASSERT_TRUE(both.Covers(ours) && both.Covers(theirs));
    }
    VersionVector cursor = report;
    if (cursor.Learn(ours)) {
      ASSERT_TRUE(Covers(b, TruthOf(cursor)));
    }
  }
}

}  // namespace
}  // namespace leasemap::core
