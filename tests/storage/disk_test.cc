// A data directory over restarts: whose it is, damage, other versions, and a full disk.
#include "server/storage/disk.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/matchers/status.h"
#include "tests/storage/faulty_files.h"
#include "tests/storage/pieces.h"
#include "tests/support/temp_folder.h"

namespace leasemap::storage {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kReserve = 64 << 10;

class DiskTest : public testing::Test {
 protected:
  DiskTest() {
    options_.path = folder_.At("data");
    options_.default_id = "host";
    options_.cluster = "leasemap";
    options_.reserve_bytes = kReserve;
  }

  absl::Status TryOpen() {
    disk_.reset();
    auto disk = Disk::Open(options_);
    if (!disk.ok()) return disk.status();
    disk_ = *std::move(disk);
    return absl::OkStatus();
  }
  void Open() { ASSERT_THAT(TryOpen(), IsOk()); }
  void Write(uint64_t seq, const std::string& key) {
    ASSERT_THAT(disk_->Write({false, {EntryOf(key, seq)}, {}, Covering(seq)}), IsOk());
  }
  std::string Keys() {
    const auto image = disk_->TakeImage();
    std::string keys = image ? "" : "nothing";
    if (image) {
      for (const auto& entry : image->entries) absl::StrAppend(&keys, entry->key, " ");
    }
    return keys;
  }
  std::vector<std::string> Aside() const {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(options_.path)) {
      if (file.path().filename().string().starts_with("damaged-")) names.push_back(file.path().string());
    }
    return names;
  }
  void Damage() const { std::ofstream(options_.path + "/map/CURRENT") << "nonsense\n"; }

  TempFolder folder_;
  Disk::Options options_;
  std::unique_ptr<Disk> disk_;
};

TEST_F(DiskTest, AFolderIsMadeAndHasNothing) {
  Open();
  EXPECT_EQ(disk_->node_id(), "host");
  EXPECT_EQ(Keys(), "nothing");
  EXPECT_FALSE(disk_->lost_map());
  EXPECT_THAT(disk_->notes(), IsEmpty());
}

TEST_F(DiskTest, TheNodeIdStaysWhateverTheHostIsCalledNow) {
  Open();
  Write(1, "k");
  options_.default_id = "other";
  Open();
  EXPECT_EQ(disk_->node_id(), "host");
  EXPECT_EQ(Keys(), "k ");
}

TEST_F(DiskTest, AnotherNodeIdIsRefused) {
  Open();
  options_.node_id = "b";
  EXPECT_THAT(std::string(TryOpen().message()),
              AllOf(HasSubstr("has the map of node host, not of b"), HasSubstr("leave --node-id unset")));
  options_.node_id = "host";
  Open();
}

TEST_F(DiskTest, AnotherClusterIsRefused) {
  Open();
  options_.cluster = "other";
  EXPECT_THAT(std::string(TryOpen().message()), HasSubstr("has a map of cluster leasemap, not of other"));
}

TEST_F(DiskTest, ASecondProcessIsRefused) {
  Open();
  const pid_t child = fork();
  if (child == 0) {
    const auto status = Disk::Open(options_).status();
    _exit(absl::StrContains(std::string(status.message()), absl::StrCat("locked by another process, ID ", getppid()))
              ? 0
              : 1);
  }
  int result = -1;
  waitpid(child, &result, 0);
  EXPECT_EQ(result, 0);
}

TEST_F(DiskTest, AFolderOfSomethingElseIsRefused) {
  std::filesystem::create_directory(options_.path);
  std::ofstream(options_.path + "/letter.txt") << "dear";
  EXPECT_THAT(std::string(TryOpen().message()), HasSubstr("has files, but no FORMAT"));
  EXPECT_TRUE(std::filesystem::exists(options_.path + "/letter.txt"));
}

TEST_F(DiskTest, WhatAStartOnAFullDiskLeftIsNothing) {
  std::filesystem::create_directory(options_.path);
  std::ofstream(options_.path + "/FORMAT.new") << "leasemap da";
  Open();
  EXPECT_EQ(Keys(), "nothing");
  EXPECT_FALSE(std::filesystem::exists(options_.path + "/FORMAT.new"));
}

TEST_F(DiskTest, AFolderThatCannotBeMadeIsRefused) {
  std::ofstream(folder_.At("file")) << "x";
  options_.path = folder_.At("file/data");
  EXPECT_THAT(std::string(TryOpen().message()), AllOf(HasSubstr("cannot make the folder"), HasSubstr("--data-dir")));
}

// --- versions and damage

TEST_F(DiskTest, ALaterFormatIsRefusedAndLeftAsItIs) {
  Open();
  Write(1, "k");
  disk_.reset();
  const std::string before = FormatText({"host", "leasemap", Format::Map::kGood});
  std::string later = before;
  later.replace(later.find("format 1"), 8, "format 9");
  std::ofstream(options_.path + "/FORMAT") << later;
  options_.has_seeds = true;
  EXPECT_THAT(std::string(TryOpen().message()),
              AllOf(HasSubstr("it has format 9"), HasSubstr("use the version of leasemapd that wrote it")));
  std::ofstream(options_.path + "/FORMAT") << before;
  Open();
  EXPECT_EQ(Keys(), "k ");
}

TEST_F(DiskTest, ADamagedFormatIsRefused) {
  Open();
  disk_.reset();
  std::ofstream(options_.path + "/FORMAT") << "leasemap data directory\nformat 1\n";
  EXPECT_THAT(std::string(TryOpen().message()), AllOf(HasSubstr("checksum"), HasSubstr("move the folder away")));
}

TEST_F(DiskTest, WithoutOthersDamageIsRefusedAndLeftAsItIs) {
  Open();
  Write(1, "k");
  disk_.reset();
  Damage();
  EXPECT_THAT(std::string(TryOpen().message()), AllOf(HasSubstr("is damaged"), HasSubstr("--seeds")));
  EXPECT_THAT(Aside(), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(options_.path + "/map/CURRENT"));
}

TEST_F(DiskTest, WithOthersADamagedMapIsMovedAside) {
  Open();
  Write(1, "k");
  disk_.reset();
  Damage();
  options_.has_seeds = true;
  Open();
  EXPECT_TRUE(disk_->lost_map());
  EXPECT_EQ(Keys(), "nothing");
  ASSERT_EQ(Aside().size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(Aside()[0] + "/CURRENT"));
  EXPECT_THAT(disk_->notes(), ElementsAre(AllOf(HasSubstr("is damaged"), HasSubstr(Aside()[0]))));
}

TEST_F(DiskTest, AMapThatWasLostIsWantedUntilAWholeOneIsThere) {
  Open();
  disk_.reset();
  Damage();
  options_.has_seeds = true;
  Open();
  options_.has_seeds = false;
  Open();
  EXPECT_TRUE(disk_->lost_map());
  core::Image part = Covering(1);
  part.whole = false;
  ASSERT_THAT(disk_->Write({false, {EntryOf("k", 1)}, {}, part}), IsOk());
  Open();
  EXPECT_TRUE(disk_->lost_map());
  Write(2, "k");
  EXPECT_FALSE(disk_->lost_map());
  Open();
  EXPECT_FALSE(disk_->lost_map());
  EXPECT_EQ(Keys(), "k ");
}

TEST_F(DiskTest, AMapFolderThatIsGoneIsDamage) {
  Open();
  Write(1, "k");
  disk_.reset();
  std::filesystem::remove_all(options_.path + "/map");
  EXPECT_THAT(std::string(TryOpen().message()), HasSubstr("is damaged"));
  options_.has_seeds = true;
  Open();
  EXPECT_TRUE(disk_->lost_map());
  EXPECT_THAT(Aside(), IsEmpty());
}

TEST_F(DiskTest, AStartThatWasCutIsBegunAgain) {
  std::filesystem::create_directory(options_.path);
  std::ofstream(options_.path + "/FORMAT") << FormatText({"host", "leasemap", Format::Map::kNew});
  std::filesystem::create_directory(options_.path + "/map");
  std::ofstream(options_.path + "/map/CURRENT") << "half";
  Open();
  EXPECT_FALSE(disk_->lost_map());
  EXPECT_EQ(Keys(), "nothing");
}

// --- a look from outside

TEST_F(DiskTest, CheckSaysWhatIsThere) {
  Open();
  Write(1, "k");
  disk_.reset();
  const auto found = Disk::Check(options_.path);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(*found, "node host of cluster leasemap, format 1: 1 records, none damaged");
}

TEST_F(DiskTest, CheckFindsDamageAndChangesNothing) {
  Open();
  Write(1, "k");
  disk_.reset();
  Damage();
  const auto found = Disk::Check(options_.path);
  EXPECT_TRUE(absl::IsDataLoss(found.status())) << found.status();
  EXPECT_THAT(Aside(), IsEmpty());
}

TEST_F(DiskTest, CheckRefusesAFolderOfSomethingElse) {
  EXPECT_TRUE(absl::IsNotFound(Disk::Check(folder_.path()).status()));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

// --- a disk that is full or fails

class FaultyDiskTest : public DiskTest {
 protected:
  FaultyDiskTest() { options_.env = faulty_.env(); }
  ~FaultyDiskTest() override { disk_.reset(); }  // it uses them
  absl::Status Write(uint64_t seq, size_t bytes) {
    return disk_->Write({false, {EntryOf("k", seq, std::string(bytes, 'x'))}, {}, Covering(seq)});
  }
  FaultyFiles faulty_{1};
};

TEST_F(FaultyDiskTest, AFullDiskTakesWhatIsWrittenFromItsReserve) {
  Open();
  EXPECT_TRUE(std::filesystem::exists(options_.path + "/reserve"));
  ASSERT_THAT(Write(1, 100), IsOk());
  faulty_.SetRoom(50);
  EXPECT_TRUE(absl::IsResourceExhausted(Write(2, 1000)));  // here the reserve gives no room
  EXPECT_TRUE(disk_->full());
  EXPECT_FALSE(std::filesystem::exists(options_.path + "/reserve"));
  faulty_.SetRoom(100'000);
  ASSERT_THAT(disk_->Recover(), IsOk());
  ASSERT_THAT(Write(3, 1000), IsOk());
  disk_->LookForRoom();
  EXPECT_TRUE(disk_->full());  // there is less than twice the reserve
  faulty_.SetRoom(2 * options_.reserve_bytes);
  disk_->LookForRoom();
  EXPECT_FALSE(disk_->full());
  EXPECT_TRUE(std::filesystem::exists(options_.path + "/reserve"));
  Open();
  EXPECT_EQ(Keys(), "k ");
}

TEST_F(FaultyDiskTest, AFailingDiskTakesWritesAgainWhenItIsMended) {
  Open();
  ASSERT_THAT(Write(1, 100), IsOk());
  faulty_.Fail(rocksdb::IOStatus::IOError("broken"));
  EXPECT_TRUE(absl::IsUnavailable(Write(2, 100)));
  EXPECT_FALSE(disk_->Recover().ok());
  EXPECT_FALSE(disk_->Recover().ok());
  EXPECT_TRUE(absl::IsUnavailable(Write(3, 100)));
  faulty_.Fail(rocksdb::IOStatus::OK());
  ASSERT_THAT(disk_->Recover(), IsOk());
  ASSERT_THAT(Write(4, 100), IsOk());
  EXPECT_FALSE(disk_->full());
  Open();
  const auto image = disk_->TakeImage();
  ASSERT_TRUE(image);
  ASSERT_EQ(image->entries.size(), 1u);
  EXPECT_EQ(image->entries[0]->dot.seq, 4u);
}

}  // namespace
}  // namespace leasemap::storage
