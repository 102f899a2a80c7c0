// The map's files: a piece is written as a whole or not at all, and a power cut leaves a prefix of the pieces.
#include "server/storage/map_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/matchers/status.h"
#include "tests/storage/faulty_files.h"
#include "tests/storage/pieces.h"
#include "tests/storage/temp_folder.h"

namespace leasemap::storage {
namespace {

using Mode = MapFiles::Mode;

class MapFilesTest : public testing::Test {
 protected:
  void Open(Mode mode) {
    files_.reset();
    auto files = MapFiles::Open({folder_.At("map"), mode, nullptr});
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
  EXPECT_FALSE(MapFiles::Open({folder_.At("map"), Mode::kCreate, nullptr}).ok());
}

TEST_F(MapFilesTest, AMissingFolderIsDamage) {
  EXPECT_TRUE(absl::IsDataLoss(MapFiles::Open({folder_.At("map"), Mode::kOpen, nullptr}).status()));
}

// A day of overwrites of the same keys, in short: what was replaced goes.
TEST_F(MapFilesTest, OverwritesDoNotGrowIt) {
  Open(Mode::kCreate);
  constexpr uint64_t kKeys = 1000, kRounds = 150;
  core::Random random(1);
  const auto bytes = [this] {
    uint64_t sum = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder_.At("map"))) sum += file.file_size();
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
    auto files = MapFiles::Open({folder_.At("map"), Mode::kOpen, nullptr});
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

// --- power cuts

// What the map is after each piece, as a text.
std::string StateOf(const std::optional<core::Image>& image) {
  if (!image) return "nothing";
  std::string state;
  for (const auto& entry : image->entries) absl::StrAppend(&state, entry->key, "=", entry->dot.seq, " ");
  const auto run = image->vector.runs().find({"w", 1});
  return absl::StrCat(state, "up to ", run == image->vector.runs().end() ? 0 : run->second.prefix);
}

class PowerCutTest : public testing::TestWithParam<bool> {
 protected:
  core::Unsaved NextPiece(core::Random& random) {
    core::Unsaved piece;
    if (random.Below(50) == 0) {
      piece.all = true;
      model_.clear();
      piece.rest = core::Image();
      return piece;
    }
    for (uint64_t n = random.Below(5); n > 0; --n) {
      const std::string key = absl::StrCat("k", random.Below(40));
      piece.entries.push_back(EntryOf(key, ++seq_, std::string(random.Below(20) == 0 ? 400'000 : 50, 'x')));
      model_[key] = piece.entries.back();
    }
    if (!model_.empty() && random.Below(4) == 0) {
      piece.gone.push_back(model_.begin()->first);
      std::erase_if(piece.entries, [&](const auto& entry) { return entry->key == piece.gone[0]; });
      model_.erase(model_.begin());
    }
    piece.rest = Covering(seq_);
    return piece;
  }
  std::string ModelState(bool given_up) const {
    core::Image image = given_up ? core::Image() : Covering(seq_);
    for (const auto& [key, entry] : model_) image.entries.push_back(entry);
    return StateOf(image);
  }

  std::map<std::string, core::EntryPtr> model_;
  uint64_t seq_ = 0;
};

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSeeds = 50;  // several times slower there
#else
constexpr uint64_t kSeeds = 250;
#endif

// Power goes at any moment, several times. With a sync of each piece nothing that was answered is lost; without it the
// disk still has what the map was after some piece.
TEST_P(PowerCutTest, LeavesAPrefixOfThePieces) {
  const bool sync = GetParam();
  uint64_t cut = 0, lost = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    TempFolder folder;
    core::Random random(seed);
    FaultyFiles faulty(seed);
    model_.clear();
    seq_ = 0;
    auto files = MapFiles::Open({folder.At("map"), Mode::kCreate, &faulty});
    ASSERT_THAT(files, IsOk());
    std::vector<std::string> states{"nothing"};
    size_t safe = 0;  // the disk has at least that
    for (int life = 0; life < 3; ++life) {
      faulty.FailAfter(1 + random.Below(120));
      bool up = true;
      while (up) {
        const core::Unsaved piece = NextPiece(random);
        states.push_back(ModelState(piece.all));
        up = (*files)->Write(piece, sync).ok();
        if (up && sync) safe = states.size() - 1;
      }
      ++cut;
      files->reset();
      faulty.CutPower();
      files = MapFiles::Open({folder.At("map"), Mode::kOpen, &faulty});
      ASSERT_THAT(files, IsOk());
      const auto image = (*files)->Read();
      ASSERT_THAT(image, IsOk());
      const auto found = std::find(states.rbegin(), states.rend(), StateOf(*image));
      ASSERT_NE(found, states.rend()) << StateOf(*image);
      const auto at = static_cast<size_t>(states.rend() - found) - 1;
      ASSERT_GE(at, safe) << "the disk has " << StateOf(*image) << ", and " << states[safe] << " was safe";
      lost += states.size() - 1 - at;
      // It goes on from there.
      states = {StateOf(*image)};
      safe = 0;
      model_.clear();
      if (!*image) continue;
      for (const auto& entry : (*image)->entries) model_[entry->key] = entry;
    }
  }
  EXPECT_EQ(cut, 3 * kSeeds);
  EXPECT_GT(lost, 0u);  // the cuts do cut something
}

INSTANTIATE_TEST_SUITE_P(, PowerCutTest, testing::Bool(),
                         [](const auto& one) { return one.param ? "WithASyncOfEachPiece" : "WithoutSyncs"; });

}  // namespace
}  // namespace leasemap::storage
