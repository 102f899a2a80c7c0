// The map's files on a disk that fails: a power cut leaves a prefix of the pieces, and a full disk or one that takes
// nothing loses none of them and takes more once it is mended.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/storage/map_files.h"
#include "tests/matchers/status.h"
#include "tests/storage/faulty_files.h"
#include "tests/storage/random_pieces.h"
#include "tests/support/temp_folder.h"

namespace leasemap::storage {
namespace {

using Mode = MapFiles::Mode;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSeeds = 50;  // several times slower there
#else
constexpr uint64_t kSeeds = 250;
#endif

class PowerCutTest : public testing::TestWithParam<bool> {};

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
    RandomPieces pieces(random, 400'000);
    auto files = MapFiles::Open({folder.At("map"), Mode::kCreate, faulty.env()});
    ASSERT_THAT(files, IsOk());
    std::vector<std::string> states{pieces.state()};
    size_t safe = 0;  // the disk has at least that
    for (int life = 0; life < 3; ++life) {
      faulty.FailAfter(1 + random.Below(120));
      bool up = true;
      while (up) {
        const core::Unsaved piece = pieces.Next();
        states.push_back(pieces.state());
        up = (*files)->Write(piece, sync).ok();
        if (up && sync) safe = states.size() - 1;
      }
      ++cut;
      files->reset();
      faulty.CutPower();
      files = MapFiles::Open({folder.At("map"), Mode::kOpen, faulty.env()});
      ASSERT_THAT(files, IsOk());
      const auto image = (*files)->Read();
      ASSERT_THAT(image, IsOk());
      pieces.GoOnFrom(*image);
      const auto found = std::find(states.rbegin(), states.rend(), pieces.state());
      ASSERT_NE(found, states.rend()) << pieces.state();
      const auto at = static_cast<size_t>(states.rend() - found) - 1;
      ASSERT_GE(at, safe) << "the disk has " << pieces.state() << ", and " << states[safe] << " was safe";
      lost += states.size() - 1 - at;
      states = {pieces.state()};
      safe = 0;
    }
  }
  EXPECT_EQ(cut, 3 * kSeeds);
  EXPECT_GT(lost, 0u);  // the cuts do cut something
}

INSTANTIATE_TEST_SUITE_P(, PowerCutTest, testing::Bool(),
                         [](const auto& one) { return one.param ? "WithASyncOfEachPiece" : "WithoutSyncs"; });

// A disk that is full, or takes nothing, again and again, at any moment of writing to the log, writing it out and
// compacting. The buffers are small, so that this happens often.
class FailingDiskTest : public testing::Test {
 protected:
  static constexpr uint64_t kBuffer = 64 << 10;

  // It fails some time from now, in one of the ways there are.
  void Break(core::Random& random) {
    if (random.Below(3) == 0) {
      faulty_->Fail(rocksdb::IOStatus::IOError("it takes nothing"));
    } else {
      faulty_->SetRoom(random.Below(12 * kBuffer));
    }
  }
  // Some of the time there is not enough room yet.
  void Mend(core::Random& random) {
    faulty_->Fail(rocksdb::IOStatus::OK());
    faulty_->SetRoom(random.Below(3) == 0 ? std::optional(random.Below(4 * kBuffer)) : std::nullopt);
  }
  // What the files have once they take writes again.
  std::string Recovered(core::Random& random) {
    for (int tries = 0; !files_->Recover().ok(); ++tries) {
      EXPECT_LT(tries, 1000);
      if (tries == 1000) return "it does not recover";
      Mend(random);
    }
    const auto image = files_->Read();
    EXPECT_THAT(image, IsOk());
    if (!image.ok()) return std::string(image.status().message());
    pieces_->GoOnFrom(*image);
    return pieces_->state();
  }

  std::optional<FaultyFiles> faulty_;
  std::optional<RandomPieces> pieces_;
  std::unique_ptr<MapFiles> files_;
};

TEST_F(FailingDiskTest, LosesNothingAndRecovers) {
  uint64_t failures = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    TempFolder folder;
    core::Random random(seed);
    files_.reset();
    faulty_.emplace(seed);
    pieces_.emplace(random, kBuffer / 3);
    auto opened = MapFiles::Open({folder.At("map"), Mode::kCreate, faulty_->env(), kBuffer});
    ASSERT_THAT(opened, IsOk());
    files_ = *std::move(opened);
    for (int step = 0; step < 300; ++step) {
      if (random.Below(20) == 0) Break(random);
      const std::string before = pieces_->state();
      const core::Unsaved piece = pieces_->Next();
      const std::string after = pieces_->state();
      const bool sync = random.Below(2) == 0;
      if (files_->Write(piece, sync).ok() && (sync || random.Below(10) > 0 || files_->Sync().ok())) continue;
      ++failures;
      EXPECT_FALSE(files_->Write(piece, sync).ok());  // until it is recovered
      const std::string now = Recovered(random);
      ASSERT_TRUE(now == before || now == after) << now << "\nwas " << before << "\nor " << after;
    }
    faulty_->Fail(rocksdb::IOStatus::OK());
    faulty_->SetRoom(std::nullopt);
    const std::string state = pieces_->state();
    ASSERT_EQ(Recovered(random), state);
    ASSERT_THAT(files_->Write(pieces_->Next(), true), IsOk());
    files_.reset();
  }
  EXPECT_GT(failures, 5 * kSeeds);
}

}  // namespace
}  // namespace leasemap::storage
