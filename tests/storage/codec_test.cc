// Records of the map's files: what is written is what is read, and damage is an error.
#include "server/storage/codec.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/matchers/status.h"
#include "tests/storage/pieces.h"

namespace leasemap::storage {
namespace {

TEST(StorageCodecTest, AnEntryComesBackWithAllThatItHas) {
  core::Entry entry = *EntryOf(std::string("k\0y", 3), 3, std::string("\xff\0 bytes", 8));
  entry.ephemeral = true;
  entry.lease.released = true;
  entry.request = 99;
  entry.value_dot = {{"other", 5}, 2};
  entry.value_stamp = 4;
  const auto back = DecodeEntry(entry.key, EncodeEntry(entry));
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(**back, entry);
}

TEST(StorageCodecTest, ATombstoneComesBack) {
  core::Entry entry = *EntryOf("k", 3, "");
  entry.tombstone = true;
  const auto back = DecodeEntry("k", EncodeEntry(entry));
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(**back, entry);
}

TEST(StorageCodecTest, AnImageComesBackWithAllThatItHas) {
  core::Image image = Covering(5);
  image.vector.Add({"w", 1}, 8, 9);
  image.vector.Add({"old", 1}, 1, 3);
  image.vector.Fold({{"old", 1}});
  image.floor.Add({"w", 1}, 1, 2);
  image.ceiling_ms = 1;
  image.collected_epoch = 2;
  image.lapses_gone_ms = 3;
  image.horizon_ms = 4;
  image.members = {{{"b", 4}, "10.0.0.1:7401", 2}, {{"c", 5}, "", 1}};
  const auto back = DecodeImage(EncodeImage(image));
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(back->incarnation, image.incarnation);
  EXPECT_EQ(back->whole, image.whole);
  EXPECT_EQ(back->vector, image.vector);
  ASSERT_NE(back->vector.past(), nullptr);
  EXPECT_EQ(back->vector.past()->PrefixOf({"old", 1}), 3);
  EXPECT_EQ(back->floor, image.floor);
  EXPECT_EQ(back->ceiling_ms, 1);
  EXPECT_EQ(back->collected_epoch, 2u);
  EXPECT_EQ(back->lapses_gone_ms, 3);
  EXPECT_EQ(back->horizon_ms, 4);
  EXPECT_EQ(back->members, image.members);
}

TEST(StorageCodecTest, AConflictComesBack) {
  const core::Conflict conflict{EntryOf("k", 3, "lost"), EntryOf("k", 5, "won"), 99};
  const auto back = DecodeConflict(EncodeConflict(conflict));
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(*back->loser, *conflict.loser);
  EXPECT_EQ(*back->winner, *conflict.winner);
  EXPECT_EQ(back->found_ms, 99);
}

TEST(StorageCodecTest, BytesOfSomethingElseAreDamage) {
  EXPECT_TRUE(absl::IsDataLoss(DecodeImage("\xff\xff").status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeEntry("k", "\xff\xff").status()));
  // Well formed, but no entry: it has no dot.
  EXPECT_TRUE(absl::IsDataLoss(DecodeEntry("k", "").status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeEntry("", EncodeEntry(*EntryOf("k", 1))).status()));
}

}  // namespace
}  // namespace leasemap::storage
