// The version vector against a naive set of dots.
#include "peer/core/data/version_vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "peer/core/mesh/membership.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

using Naive = std::set<Dot>;
constexpr uint64_t kMaxSeq = 14;

Dot RandomDot(Random& random) {
  return {{random.Below(2) == 0 ? "a" : "b", static_cast<uint64_t>(1 + random.Below(2))},
          static_cast<uint64_t>(1 + random.Below(kMaxSeq))};
}

Naive AllDots() {
  Naive all;
  for (const char* node : {"a", "b"}) {
    for (uint64_t incarnation = 1; incarnation <= 2; ++incarnation) {
      for (uint64_t seq = 1; seq <= kMaxSeq + 1; ++seq) all.insert({{node, incarnation}, seq});
    }
  }
  return all;
}

void Fill(Random& random, VersionVector* vector, Naive* naive) {
  for (int64_t n = random.Below(30); n > 0; --n) {
    const Dot dot = RandomDot(random);
    if (random.Below(3) != 0) {
      vector->Add(dot);
      naive->insert(dot);
      continue;
    }
    const uint64_t last = std::min<uint64_t>(kMaxSeq, dot.seq + static_cast<uint64_t>(random.Below(5)));
    vector->Add(dot.replica, dot.seq, last);
    for (uint64_t seq = dot.seq; seq <= last; ++seq) naive->insert({dot.replica, seq});
  }
}

void ExpectSame(const VersionVector& vector, const Naive& naive) {
  size_t exceptions = 0;
  for (const Dot& dot : AllDots()) {
    ASSERT_EQ(vector.Covers(dot), naive.contains(dot)) << dot.replica.node << dot.replica.incarnation << "#" << dot.seq;
    const bool begins = naive.contains(dot) && dot.seq > 1 && !naive.contains({dot.replica, dot.seq - 1});
    exceptions += begins;
  }
  ASSERT_EQ(vector.exceptions(), exceptions);  // ranges are as few as can be
  for (const auto& [replica, coverage] : vector.runs()) {
    ASSERT_TRUE(coverage.prefix > 0 || !coverage.exceptions.empty());
    uint64_t at = coverage.prefix;
    for (const auto& [first, last] : coverage.exceptions) {
      ASSERT_GT(first, at + 1);
      ASSERT_GE(last, first);
      at = last;
    }
  }
}

TEST(VersionVector, IsASetOfDots) {
  Random random(1);
  for (int run = 0; run < 20'000 && !testing::Test::HasFatalFailure(); ++run) {
    VersionVector a, b;
    Naive dots_a, dots_b;
    Fill(random, &a, &dots_a);
    Fill(random, &b, &dots_b);
    ExpectSame(a, dots_a);

    Naive missing;
    for (const Dot& dot : dots_b) {
      if (!dots_a.contains(dot)) missing.insert(dot);
    }
    ASSERT_EQ(a.Covers(b), missing.empty());
    const auto first = a.FirstMissing(b);
    ASSERT_EQ(first.has_value(), !missing.empty());
    if (first) {
      ASSERT_EQ(*first, *missing.begin());
    }

    bool cut = false;
    const size_t max = static_cast<size_t>(random.Below(4));
    const VersionVector less = a.CutShort(max, &cut);
    ASSERT_EQ(cut, a.exceptions() > max);
    ASSERT_LE(less.exceptions(), max);
    ASSERT_TRUE(a.Covers(less));
    // Of which nothing is left it does not name: nobody could read that.
    for (const auto& [replica, coverage] : less.runs()) ASSERT_NE(coverage, Coverage());
    if (!cut) {
      ASSERT_EQ(less, a);
    }

    // Limited, replica by replica, to what the other has, it is what both have.
    VersionVector limited = a;
    bool changed = false;
    for (const auto& [replica, coverage] : a.runs()) {
      const auto theirs = b.runs().find(replica);
      changed |= limited.Limit(replica, theirs == b.runs().end() ? Coverage() : theirs->second);
    }
    Naive common;
    std::set_intersection(dots_a.begin(), dots_a.end(), dots_b.begin(), dots_b.end(),
                          std::inserter(common, common.begin()));
    ExpectSame(limited, common);
    ASSERT_EQ(changed, common.size() < dots_a.size());

    VersionVector ab = a, ba = b;
    ab.Join(b);
    ba.Join(a);
    ASSERT_EQ(ab, ba);
    dots_a.insert(dots_b.begin(), dots_b.end());
    ExpectSame(ab, dots_a);
    ba.Join(ab);
    ASSERT_EQ(ab, ba);
  }
}

TEST(VersionVector, NothingIsNoEntry) {
  VersionVector vector;
  vector.Add({"a", 1}, 2, 1);
  EXPECT_TRUE(vector.empty());
  EXPECT_FALSE(vector.Limit({"a", 1}, Coverage{}));
  vector.Add({"a", 1}, 1, 5);
  EXPECT_FALSE(vector.Limit({"a", 1}, Coverage{5, {}}));
  EXPECT_TRUE(vector.Limit({"a", 1}, Coverage{3, {}}));
  EXPECT_TRUE(vector.Covers(Dot{{"a", 1}, 3}));
  EXPECT_FALSE(vector.Covers(Dot{{"a", 1}, 4}));
  EXPECT_TRUE(vector.Limit({"a", 1}, Coverage{}));
  EXPECT_TRUE(vector.empty());
  // Who lives has not ended: it is named again, whatever it is limited to.
  vector.Add({"a", 1}, 1, 5);
  vector.Fold({{"a", 1}});
  EXPECT_TRUE(vector.Limit({"a", 1}, Coverage{9, {}}));
  EXPECT_TRUE(vector.runs().contains({"a", 1}));
}

TEST(VersionVector, CutShortItClaimsLess) {
  VersionVector vector;
  vector.Add({"a", 1}, 1, 2);
  for (const uint64_t seq : {4, 6, 8}) vector.Add({{"a", 1}, seq});
  vector.Add({{"b", 2}, 3});
  vector.Add({"old", 4}, 1, 1);
  vector.Add({"z", 9}, 2, 2);
  vector.Fold({{"old", 4}});
  bool cut = true;
  EXPECT_EQ(vector.CutShort(5, &cut), vector);
  EXPECT_FALSE(cut);
  const VersionVector less = vector.CutShort(2, &cut);
  EXPECT_TRUE(cut);
  EXPECT_EQ(less.exceptions(), 2u);
  EXPECT_TRUE(less.Covers(Dot{{"a", 1}, 6}) && less.Covers(Dot{{"old", 4}, 1}));
  EXPECT_FALSE(less.Covers(Dot{{"a", 1}, 8}));
  EXPECT_TRUE(less.runs().contains({"b", 2}));  // else the mark would stand for it
  EXPECT_FALSE(less.runs().contains({"z", 9}));
  EXPECT_EQ(less.past_mark(), vector.past_mark());
}

TEST(VersionVector, EqualSetsAreEqualVectors) {
  VersionVector up, down;
  const ReplicaId replica{"n", 1};
  for (uint64_t seq = 1; seq <= 100; ++seq) up.Add(Dot{replica, seq});
  for (uint64_t seq = 100; seq >= 1; --seq) down.Add(Dot{replica, seq});
  EXPECT_EQ(up, down);
  EXPECT_EQ(up.exceptions(), 0u);
  EXPECT_EQ(up.runs().at(replica).prefix, 100u);
}

}  // namespace
}  // namespace leasemap::core
