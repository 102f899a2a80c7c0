// Backup files: what is written is what is read, in pieces of any size, and damage of any kind is found.
#include "protos/backup_file.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/matchers/status.h"

namespace leasemap {
namespace {

using ::testing::HasSubstr;

std::string FileOf(int entries) {
  BackupWriter writer;
  storage::v1::BackupHeader header;
  header.set_cluster("c");
  std::string bytes = writer.Begin(header);
  for (int n = 0; n < entries; ++n) {
    storage::v1::BackupEntries some;
    some.add_entries()->set_key(std::string(200, static_cast<char>('a' + n)));
    bytes += writer.Add(some);
  }
  return bytes + writer.End({});
}

// The number of entries, or what is wrong.
absl::StatusOr<int> Read(const std::string& bytes, size_t piece) {
  BackupParser parser;
  int entries = 0;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    parser.Add(std::string_view(bytes).substr(at, piece));
    for (;;) {
      const auto record = parser.Next();
      if (!record.ok()) return record.status();
      if (!*record) break;
      entries += (*record)->entries().entries_size();
    }
  }
  if (!parser.complete()) return absl::OutOfRangeError("incomplete");
  return entries;
}

TEST(BackupFileTest, IsReadInPiecesOfAnySize) {
  const std::string file = FileOf(3);
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{64}, file.size()}) {
    const auto entries = Read(file, piece);
    ASSERT_THAT(entries, IsOk());
    EXPECT_EQ(*entries, 3);
  }
}

TEST(BackupFileTest, AFlippedBitIsFoundWhereverItIs) {
  const std::string file = FileOf(3);
  for (size_t at = 0; at < file.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string flipped = file;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      EXPECT_FALSE(Read(flipped, file.size()).ok()) << at << ", bit " << bit;
    }
  }
}

TEST(BackupFileTest, AFileThatEndsTooSoonIsNotComplete) {
  const std::string file = FileOf(3);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_TRUE(absl::IsOutOfRange(Read(file.substr(0, size), file.size()).status()) || size == 0) << size;
  }
}

TEST(BackupFileTest, NothingMayFollowItsEnd) {
  EXPECT_THAT(std::string(Read(FileOf(1) + std::string("\x02zz"), 9).status().message()), HasSubstr("after its end"));
}

TEST(BackupFileTest, AHeaderComesFirstAndOnce) {
  BackupWriter writer;
  const std::string begin = writer.Begin({});
  EXPECT_THAT(std::string(Read(begin + begin.substr(sizeof(kBackupLine) - 1), 999).status().message()),
              HasSubstr("its header is missing, or comes twice"));
  BackupWriter without;
  storage::v1::BackupEntries some;
  some.add_entries();
  EXPECT_THAT(std::string(Read(kBackupLine + without.Add(some), 999).status().message()), HasSubstr("header"));
}

TEST(BackupFileTest, AnotherFormatIsNoDamage) {
  std::string later = FileOf(1);
  later[sizeof(kBackupName) - 1] = '2';
  EXPECT_TRUE(absl::IsFailedPrecondition(Read(later, 99).status()));
  EXPECT_TRUE(absl::IsDataLoss(Read("something else altogether", 99).status()));
}

// A length that no record has is not waited for.
TEST(BackupFileTest, ALengthBeyondAllBoundsIsDamage) {
  EXPECT_TRUE(absl::IsDataLoss(Read(kBackupLine + std::string(10, '\xff'), 99).status()));
  EXPECT_TRUE(absl::IsDataLoss(Read(kBackupLine + std::string("\xff\xff\xff\xff\x0f"), 99).status()));
}

}  // namespace
}  // namespace leasemap
