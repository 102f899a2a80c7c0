// What each owner has of the map is counted right whatever happens to the keys, and bounds its writes.
#include "peer/core/sync/owners.h"

#include <gtest/gtest.h>

#include "peer/core/sync/store.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

// What a look at each key finds.
Owners::Use Counted(const Store& store, const std::string& owner) {
  Owners::Use use;
  for (const auto& [key, slot] : store.by_key()) {
    if (Store::IsDead(slot) || OwnerOf(slot.entry->lease.holder) != owner) continue;
    ++use.keys;
    use.bytes += Footprint(*slot.entry);
  }
  return use;
}

struct Holder {
  explicit Holder(Mesh& mesh_of, std::string name_of) : mesh(mesh_of), name(std::move(name_of)) {}
  absl::StatusOr<EntryPtr> Do(Change change, const std::string& key, const std::string& value = "v",
                              Owners::Use may = {}) {
    WriteCommand command;
    command.change = change;
    command.key = key;
    command.value = value;
    command.holder = name;
    command.owner_may = may;
    command.ephemeral = change == Change::kSet && key.starts_with("ephemeral");
    return mesh[0].Write(mesh.now(0), command);
  }
  Mesh& mesh;
  std::string name;
};

NodeOptions Counting() {
  NodeOptions options = Mesh::Options("a");
  options.count_owners = true;
  return options;
}

TEST(Owners, TheOwnerIsTheHolderUpToTheFirstSlash) {
  EXPECT_EQ(OwnerOf("alice"), "alice");
  EXPECT_EQ(OwnerOf("alice/host-1/2"), "alice");
  EXPECT_EQ(OwnerOf("/x"), "");
}

TEST(Owners, EachChangeIsCounted) {
  Mesh mesh;
  mesh.Add(Counting());
  Holder alice(mesh, "alice/1"), bob(mesh, "bob");
  const auto check = [&](uint64_t of_alice, uint64_t of_bob) {
    const Store& store = mesh[0].store();
    for (const auto& [owner, keys] : {std::pair("alice", of_alice), {"bob", of_bob}}) {
      EXPECT_EQ(store.UseOf(owner).keys, keys) << owner;
      EXPECT_EQ(store.UseOf(owner).keys, Counted(store, owner).keys) << owner;
      EXPECT_EQ(store.UseOf(owner).bytes, Counted(store, owner).bytes) << owner;
    }
    // A copy counts on by itself.
    const Store copy = store;
    EXPECT_EQ(copy.UseOf("alice").keys, of_alice);
  };
  ASSERT_THAT(alice.Do(Change::kSet, "k"), IsOk());
  ASSERT_THAT(alice.Do(Change::kSet, "k", std::string(1000, 'v')), IsOk());
  check(1, 0);
  ASSERT_THAT(alice.Do(Change::kRenew, "k"), IsOk());
  check(1, 0);
  ASSERT_THAT(alice.Do(Change::kRelease, "k"), IsOk());
  check(1, 0);
  ASSERT_THAT(bob.Do(Change::kSet, "k"), IsOk());
  check(0, 1);
  ASSERT_THAT(bob.Do(Change::kDelete, "k"), IsOk());
  check(0, 0);
  ASSERT_THAT(alice.Do(Change::kSet, "ephemeral"), IsOk());
  check(1, 0);
  mesh.Advance(Mesh::Options("a").rules.period_ms + 60'000);
  check(0, 0);
}

TEST(Owners, WithoutTheOptionNothingIsCounted) {
  Mesh mesh;
  mesh.Add("a");
  ASSERT_THAT(Holder(mesh, "alice").Do(Change::kSet, "k"), IsOk());
  EXPECT_EQ(mesh[0].store().UseOf("alice").keys, 0u);
}

TEST(Owners, WhatIsThereIsCountedWhenCountingBegins) {
  Store store;
  auto entry = std::make_shared<Entry>();
  entry->key = "k";
  entry->lease.holder = "alice";
  entry->dot = {{"n", 1}, 1};
  store.Merge(entry);
  store.CountOwners();
  EXPECT_EQ(store.UseOf("alice").keys, 1u);
}

TEST(Owners, AWriteBeyondWhatTheOwnerMayHaveIsRefused) {
  Mesh mesh;
  mesh.Add(Counting());
  Holder alice(mesh, "alice/1"), again(mesh, "alice/2"), bob(mesh, "bob");
  const Owners::Use two{2, 0}, small{0, 3000};
  ASSERT_THAT(alice.Do(Change::kSet, "a", "v", two), IsOk());
  ASSERT_THAT(again.Do(Change::kSet, "b", "v", two), IsOk());
  EXPECT_THAT(alice.Do(Change::kSet, "c", "v", two), HasReason("KEY_LIMIT"));
  EXPECT_THAT(alice.Do(Change::kSet, "a", "w", two), IsOk());
  EXPECT_THAT(bob.Do(Change::kSet, "c", "v", two), IsOk());
  // To take another's key over counts like a new one; to let go of one never does.
  ASSERT_THAT(bob.Do(Change::kRelease, "c"), IsOk());
  EXPECT_THAT(alice.Do(Change::kRenew, "c", "", two), HasReason("KEY_LIMIT"));
  EXPECT_THAT(alice.Do(Change::kSet, "c", "v", two), HasReason("KEY_LIMIT"));
  EXPECT_THAT(alice.Do(Change::kRelease, "a", "", two), IsOk());
  EXPECT_THAT(again.Do(Change::kDelete, "b", "", two), IsOk());
  EXPECT_THAT(alice.Do(Change::kSet, "c", "v", two), IsOk());
  // Bytes: a write that does not grow is never refused.
  EXPECT_THAT(alice.Do(Change::kSet, "a", std::string(3000, 'v'), small), HasReason("BYTES_LIMIT"));
  ASSERT_THAT(alice.Do(Change::kSet, "a", std::string(5000, 'v')), IsOk());
  EXPECT_THAT(alice.Do(Change::kSet, "a", std::string(5001, 'v'), small), HasReason("BYTES_LIMIT"));
  EXPECT_THAT(alice.Do(Change::kSet, "a", std::string(4999, 'v'), small), IsOk());
  EXPECT_THAT(alice.Do(Change::kSet, "a", "v", small), IsOk());
}

TEST(Owners, TheKeysOfAllAreBounded) {
  Mesh mesh;
  NodeOptions options = Mesh::Options("a");
  options.max_keys = 2;
  mesh.Add(options);
  Holder alice(mesh, "alice");
  ASSERT_THAT(alice.Do(Change::kSet, "a"), IsOk());
  ASSERT_THAT(alice.Do(Change::kSet, "b"), IsOk());
  EXPECT_THAT(alice.Do(Change::kSet, "c"), HasReason("KEY_LIMIT"));
  EXPECT_THAT(alice.Do(Change::kSet, "b"), IsOk());
  EXPECT_EQ(mesh[0].GetStatus().max_keys, 2u);
}

}  // namespace
}  // namespace leasemap::core
