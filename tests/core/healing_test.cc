// The case that the ancestor's pairwise rule failed: three writers, cut off from each other, healed in every order.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

TEST(Healing, EveryOrderEndsWithTheEntryThatTheRankNames) {
  constexpr int64_t kMinute = 60'000;
  std::array<std::pair<int, int>, 3> order = {{{0, 1}, {0, 2}, {1, 2}}};
  int orders = 0;
  do {
    Mesh mesh;
    std::array<EntryPtr, 3> written;
    for (const char* id : {"A", "B", "C"}) mesh.Add(id);
    for (int writer = 0; writer < 3; ++writer) {
      if (writer > 0) mesh.Skip(40 * kMinute);
      const auto entry = mesh.Set(writer, "k", std::string(1, static_cast<char>('A' + writer)));
      ASSERT_THAT(entry, IsOk());
      written[writer] = *entry;
    }
    const EntryPtr winner = *std::max_element(written.begin(), written.end(),
                                              [](const auto& x, const auto& y) { return Outranks(*y, *x); });
    for (const auto& [a, b] : order) mesh.Connect(a, b);
    for (int node = 0; node < 3; ++node) {
      const EntryPtr held = mesh[node].Get(mesh.now(node), "k");
      ASSERT_TRUE(held);
      EXPECT_EQ(*held, *winner) << "order " << orders << ", node " << node;
      EXPECT_EQ(mesh[node].vector(), mesh[0].vector());
      EXPECT_EQ(mesh[node].store().hashes(), mesh[0].store().hashes());
    }
    // A and B wrote in one hour and C in the next, whose leases stand above.
    EXPECT_EQ(winner, written[2]);
    ++orders;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orders, 6);
}

// In one period the earliest start stands, whoever wrote last.
TEST(Healing, WithinAPeriodTheEarliestStands) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  ASSERT_THAT(mesh.Set(b, "k", "early"), IsOk());
  mesh.Skip(60'000);
  ASSERT_THAT(mesh.Set(a, "k", "late"), IsOk());
  mesh.Connect(a, b);
  EXPECT_EQ(mesh.Value(a, "k"), "early");
  EXPECT_EQ(mesh.Value(b, "k"), "early");
}

TEST(Healing, InOneSecondTheSmallerHolderStands) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  ASSERT_THAT(mesh.Set(a, "k", "of z", "z"), IsOk());
  ASSERT_THAT(mesh.Set(b, "k", "of y", "y"), IsOk());
  mesh.Connect(a, b);
  EXPECT_EQ(mesh.Value(a, "k"), "of y");
  EXPECT_EQ(mesh.Value(b, "k"), "of y");
}

}  // namespace
}  // namespace leasemap::core
