// A copy of the map that is read while it changes, and a map that comes from one.
#include "peer/core/node/backup.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

class BackupTest : public ::testing::Test {
 protected:
  void Set(int node, const std::string& key, const std::string& value = "v") {
    ASSERT_THAT(mesh_.Set(node, key, value), IsOk());
    mesh_.Settle();
  }
  // Reads a page; true if it was the last.
  bool ReadPage(BackupPlace& place, size_t bytes = 1) {
    const auto page = ReadBackup(mesh_[a_], place, bytes);
    EXPECT_THAT(page, IsOk());
    for (const EntryPtr& entry : page->entries) read_[entry->key] = entry;
    if (page->rest) rest_ = *page->rest;
    return page->rest.has_value();
  }
  void ReadAll() {
    BackupPlace place;
    while (!ReadPage(place)) {
    }
  }
  std::vector<EntryPtr> Entries() const {
    std::vector<EntryPtr> entries;
    for (const auto& [key, entry] : read_) entries.push_back(entry);
    return entries;
  }
  void RestoreOn(int node) {
    ASSERT_THAT(mesh_[node].CheckRestore(mesh_.now(node), Entries()), IsOk());
    mesh_[node].Restore(mesh_.now(node), Entries());
    mesh_[node].EndRestore(mesh_.now(node), rest_);
    mesh_.Settle();
  }

  Mesh mesh_;
  int a_ = mesh_.Add("a");
  std::map<std::string, EntryPtr> read_;
  Image rest_;
};

TEST_F(BackupTest, WhatChangesMeanwhileComesOnceMore) {
  for (const char* key : {"k1", "k2", "k3"}) Set(a_, key);
  BackupPlace place;
  EXPECT_FALSE(ReadPage(place));
  Set(a_, "k1", "new");
  Set(a_, "k4");
  while (!ReadPage(place)) {
  }
  EXPECT_EQ(read_.size(), 4u);
  EXPECT_EQ(read_["k1"]->value.str(), "new");
  EXPECT_EQ(rest_.vector, mesh_[a_].vector());
  for (const auto& [key, entry] : read_) EXPECT_EQ(entry, *mesh_[a_].store().Find(key));
}

TEST_F(BackupTest, AnEmptyMapIsOnePage) {
  BackupPlace place;
  EXPECT_TRUE(ReadPage(place));
  EXPECT_TRUE(read_.empty());
}

TEST_F(BackupTest, AMapThatIsReplacedMeanwhileIsNotReadOn) {
  Set(a_, "k1");
  Set(a_, "k2");
  BackupPlace place;
  EXPECT_FALSE(ReadPage(place));
  mesh_[a_].Reset(mesh_.now(a_), "for the test");
  EXPECT_THAT(ReadBackup(mesh_[a_], place, 1), HasReason("SYNCING"));
}

TEST_F(BackupTest, OthersGetTheRestoredMapAsItWas) {
  Set(a_, "k", "v");
  Set(a_, "gone");
  WriteCommand gone = mesh_.Command(a_, "gone", "");
  gone.change = Change::kDelete;
  ASSERT_THAT(mesh_.Write(a_, gone), IsOk());
  ReadAll();
  const int b = mesh_.Add("b"), c = mesh_.Add("c");
  mesh_.Connect(b, c);
  RestoreOn(b);
  mesh_.Advance(2000);
  for (const int node : {b, c}) {
    EXPECT_EQ(mesh_[node].vector(), mesh_[a_].vector());
    EXPECT_EQ(mesh_[node].store().hash(), mesh_[a_].store().hash());
    EXPECT_EQ(**mesh_[node].store().Find("k"), *read_["k"]);
    EXPECT_EQ(mesh_.Value(node, "gone"), "(none)");
    ASSERT_NE(mesh_[node].store().Find("gone"), nullptr);  // its tombstone
  }
  // The lease goes on, and its holder writes.
  EXPECT_THAT(mesh_.Set(c, "k", "other", "c"), HasReason("LEASE_HELD"));
  EXPECT_THAT(mesh_.Set(c, "k", "same", "a"), IsOk());
}

TEST_F(BackupTest, OnlyAnEmptyMapTakesIt) {
  Set(a_, "k");
  ReadAll();
  EXPECT_THAT(mesh_[a_].CheckRestore(mesh_.now(a_), Entries()), HasReason("REQUEST_INVALID"));
  // Nor one that is linked with a node that has one.
  const int b = mesh_.Add("b"), c = mesh_.Add("c");
  Set(c, "other");
  EXPECT_THAT(mesh_[b].CheckRestore(mesh_.now(b), Entries()), IsOk());
  mesh_.Dial(b, c);
  mesh_.Settle(3);
  mesh_.Settle();
  EXPECT_THAT(mesh_[b].CheckRestore(mesh_.now(b), Entries()), HasReason("REQUEST_INVALID"));
}

TEST_F(BackupTest, EntriesOfTheFutureAreRefused) {
  const int ahead = mesh_.Add(Mesh::Options("ahead"), 48 * int64_t{3'600'000});
  Set(ahead, "k");
  BackupPlace place;
  const auto page = ReadBackup(mesh_[ahead], place, 1 << 20);
  ASSERT_THAT(page, IsOk());
  EXPECT_THAT(mesh_[a_].CheckRestore(mesh_.now(a_), page->entries), HasReason("REQUEST_INVALID"));
}

}  // namespace
}  // namespace leasemap::core
