// What a key of a backup becomes when it is written again.
#include "clients/cli/core/backup_entry.h"

#include "gtest/gtest.h"

namespace leasemap::cli {
namespace {

constexpr int64_t kNowMs = 1'700'000'000'000;
const absl::Time kNow = absl::FromUnixMillis(kNowMs);

peer::v1::Entry EntryOf(int64_t left_ms) {
  peer::v1::Entry entry;
  entry.set_key("k");
  entry.set_value("v");
  entry.set_value_is_text(true);
  entry.set_holder("h");
  entry.set_duration_ms(3'600'000);
  entry.set_expire_ms(kNowMs + left_ms);
  return entry;
}

TEST(BackupEntry, KeepsItsHolderAndWhatIsLeftOfItsLease) {
  const auto request = SetOf(EntryOf(60'000), kNow);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->key(), "k");
  EXPECT_EQ(request->value(), "v");
  EXPECT_EQ(request->holder(), "h");
  EXPECT_EQ(request->lease_duration().seconds(), 60);
  EXPECT_EQ(request->on_lapse(), v1::ON_LAPSE_UNSPECIFIED);
}

TEST(BackupEntry, HasNoLeaseIfThatHasEndedOrWasReleased) {
  peer::v1::Entry released = EntryOf(60'000), never = EntryOf(0);
  released.set_released(true);
  never.set_duration_ms(0);
  for (const auto& entry : {EntryOf(-1), EntryOf(1'999), released, never}) {
    const auto request = SetOf(entry, kNow);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->lease_duration().seconds(), 0);
    EXPECT_EQ(request->lease_duration().nanos(), 0);
  }
}

TEST(BackupEntry, IsNotWrittenIfItIsGone) {
  peer::v1::Entry deleted = EntryOf(60'000), lapsed = EntryOf(-1), given_up = EntryOf(-1);
  deleted.set_tombstone(true);
  lapsed.set_ephemeral(true);
  given_up.set_ephemeral(true);
  given_up.set_value_gone(true);
  for (const auto& entry : {deleted, lapsed, given_up}) EXPECT_FALSE(SetOf(entry, kNow));
  peer::v1::Entry alive = EntryOf(60'000);
  alive.set_ephemeral(true);
  EXPECT_EQ(SetOf(alive, kNow)->on_lapse(), v1::ON_LAPSE_DELETE);
}

TEST(BackupEntry, KeepsBytes) {
  peer::v1::Entry entry = EntryOf(60'000);
  entry.set_key("\xff");
  entry.set_value("\xfe");
  entry.set_value_is_text(false);
  const auto request = SetOf(entry, kNow);
  EXPECT_EQ(request->key_bytes(), "\xff");
  EXPECT_EQ(request->value_bytes(), "\xfe");
}

}  // namespace
}  // namespace leasemap::cli
