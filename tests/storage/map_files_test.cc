// The map's files: what was written is there again, and damage is found. (Faults: faults_test.cc.)
#include "server/storage/map_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/core/data/random.h"
#include "tests/matchers/status.h"
#include "tests/storage/pieces.h"
#include "tests/support/temp_folder.h"

namespace leasemap::storage {
namespace {

using Mode = MapFiles::Mode;

class MapFilesTest : public testing::Test {
 protected:
  void Open(Mode mode) {
    files_.reset();
    auto files = MapFiles::Open({folder_.At("map"), mode});
    ASSERT_THAT(files, IsOk());
    files_ = *std::move(files);
  }
  void Reopen() { Open(Mode::kOpen); }
  void Write(core::Unsaved piece) { ASSERT_THAT(files_->Write(piece, true), IsOk()); }
  std::string Keys() const {
    const auto image = files_->Read();
    if (!image.ok()) return std::string(image.status().message());
    if (!*image) return "nothing";
    std::string keys;
    for (const auto& entry : (*image)->entries) absl::StrAppend(&keys, entry->key, "=", entry->value.str(), " ");
    return keys;
  }

  TempFolder folder_;
  std::unique_ptr<MapFiles> files_;
};

TEST_F(MapFilesTest, WhatWasWrittenIsThereAfterwards) {
  Open(Mode::kCreate);
  EXPECT_EQ(Keys(), "nothing");
  Write({false, {EntryOf("a", 1), EntryOf("b", 2, "two")}, {}, Covering(2)});
  EXPECT_EQ(Keys(), "a=value b=two ");
  Reopen();
  EXPECT_EQ(Keys(), "a=value b=two ");
  Write({false, {EntryOf("b", 3, "three")}, {"a"}, Covering(3)});
  Reopen();
  EXPECT_EQ(Keys(), "b=three ");
  EXPECT_TRUE((*files_->Read())->vector.Covers({{"w", 1}, 3}));
}

TEST_F(MapFilesTest, AMapThatIsGivenUpGoesAsAWhole) {
  Open(Mode::kCreate);
  Write({false, {EntryOf("a", 1), EntryOf("b", 2)}, {}, Covering(2)});
  Write({true, {}, {}, core::Image()});
  EXPECT_EQ(Keys(), "");
  Write({false, {EntryOf("c", 3)}, {}, Covering(3)});
  Reopen();
  EXPECT_EQ(Keys(), "c=value ");
}

TEST_F(MapFilesTest, ConflictsStayUntilTheirNumbersGo) {
  const core::Conflict conflict{EntryOf("k", 3, "lost"), EntryOf("k", 5, "won"), 99};
  const auto numbers = [this] {
    std::string out;
    const auto image = files_->Read();
    for (const auto& [number, one] : (*image)->conflicts) absl::StrAppend(&out, number, " ");
    return out;
  };
  Open(Mode::kCreate);
  Write({false, {}, {}, Covering(1), {{1, conflict}, {2, conflict}}, 1});
  Write({true, {}, {}, core::Image(), {}, 1});
  Reopen();
  EXPECT_EQ(numbers(), "1 2 ");
  Write({false, {}, {}, Covering(2), {{300, conflict}}, 2});
  Reopen();
  EXPECT_EQ(numbers(), "2 300 ");
}

TEST_F(MapFilesTest, LookingChangesNothingAndCannotWrite) {
  Open(Mode::kCreate);
  Write({false, {EntryOf("a", 1)}, {}, Covering(1)});
  Open(Mode::kLook);
  EXPECT_EQ(Keys(), "a=value ");
  EXPECT_FALSE(files_->Write({false, {EntryOf("b", 2)}, {}, Covering(2)}, true).ok());
}

TEST_F(MapFilesTest, FilesThatAreThereAreNotMadeAgain) {
  Open(Mode::kCreate);
  files_.reset();
  EXPECT_FALSE(MapFiles::Open({folder_.At("map"), Mode::kCreate}).ok());
}

TEST_F(MapFilesTest, AMissingFolderIsDamage) {
  EXPECT_TRUE(absl::IsDataLoss(MapFiles::Open({folder_.At("map"), Mode::kOpen}).status()));
}

// A day of overwrites of the same keys, in short: what was replaced goes.
TEST_F(MapFilesTest, OverwritesDoNotGrowIt) {
  Open(Mode::kCreate);
  constexpr uint64_t kKeys = 1000, kRounds = 150;
  core::Random random(1);
  const auto bytes = [this] {
    uint64_t sum = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder_.At("map"))) {
      std::error_code gone;  // RocksDB deletes files meanwhile
      const uint64_t size = file.file_size(gone);
      if (!gone) sum += size;
    }
    return sum;
  };
  uint64_t seq = 0, most = 0;
  for (uint64_t round = 0; round < kRounds; ++round) {
    core::Unsaved piece;
    for (uint64_t key = 0; key < kKeys; ++key) {
      std::string value(1000, '\0');
      for (char& byte : value) byte = static_cast<char>(random.Below(256));
      piece.entries.push_back(EntryOf(absl::StrCat("k", key), ++seq, value));
    }
    piece.rest = Covering(seq);
    ASSERT_THAT(files_->Write(piece, false), IsOk());
    most = std::max(most, bytes());
  }
  // 150 MB were written, of a map of one: two write buffers, each in the log and in a file, and the files of a level.
  EXPECT_LT(most, uint64_t{64} << 20);
  Reopen();
  EXPECT_EQ((*files_->Read())->entries.size(), kKeys);
}

// Whatever single file is damaged or missing: it is never an emptier map.
class DamageTest : public MapFilesTest {
 protected:
  // Several files of entries, and a log with some.
  void Fill() {
    Open(Mode::kCreate);
    for (uint64_t seq = 1; seq <= 40; ++seq) {
      Write({false, {EntryOf(absl::StrCat("k", seq), seq, std::string(1 << 20, 'a' + seq % 26))}, {}, Covering(seq)});
    }
    Reopen();
    Write({false, {EntryOf("last", 41)}, {}, Covering(41)});
    files_.reset();
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(folder_.At("map"))) {
      const std::string name = file.path().filename();
      const bool counts =
          name == "CURRENT" || name.ends_with(".sst") || name.ends_with(".log") || name.starts_with("MANIFEST");
      if (counts && file.file_size() > 0) names.push_back(name);
    }
    return names;
  }
  // DATA_LOSS, now or when all is read; or else nothing is missing.
  void ExpectFound(const std::string& what) {
    auto files = MapFiles::Open({folder_.At("map"), Mode::kOpen});
    const auto image = files.ok() ? (*files)->Read() : files.status();
    if (!image.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(image.status())) << what << ": " << image.status();
      return;
    }
    ASSERT_TRUE(*image) << what;
    EXPECT_EQ((*image)->entries.size(), 41u) << what;
  }
  // Does it to a copy of each file in turn.
  void ForEachFile(const std::function<void(const std::string& path)>& damage) {
    Fill();
    std::filesystem::copy(folder_.At("map"), folder_.At("good"), std::filesystem::copy_options::recursive);
    const auto names = Files();
    EXPECT_GE(names.size(), 4u);
    for (const std::string& name : names) {
      std::filesystem::remove_all(folder_.At("map"));
      std::filesystem::copy(folder_.At("good"), folder_.At("map"), std::filesystem::copy_options::recursive);
      damage(folder_.At("map/" + name));
      ExpectFound(name);
    }
  }
};

TEST_F(DamageTest, AMissingFileIsFound) {
  ForEachFile([](const std::string& path) { std::filesystem::remove(path); });
}

TEST_F(DamageTest, AFlippedBitIsFound) {
  for (const double where : {0.1, 0.5, 0.9}) {
    std::filesystem::remove_all(folder_.At("map"));
    std::filesystem::remove_all(folder_.At("good"));
    ForEachFile([&](const std::string& path) {
      const auto at = static_cast<std::streamoff>(where * static_cast<double>(std::filesystem::file_size(path)));
      std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
      file.seekg(at);
      const char bad = static_cast<char>(file.get() ^ 1);
      file.seekp(at);
      file.put(bad);
    });
  }
}

// The log may end too soon: that is how a power cut leaves what was not synced.
TEST_F(DamageTest, ATruncatedFileIsFound) {
  ForEachFile([&](const std::string& path) {
    if (!path.ends_with(".log")) std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  });
}

}  // namespace
}  // namespace leasemap::storage
