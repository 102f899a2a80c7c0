// A node with a data directory whose disk fails, is full, and comes back: what its callers hear, and what is on it.
#include "server/host/saver.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/core/data/error.h"
#include "peer/threads/mutex.h"
#include "server/host/node_host.h"
#include "tests/matchers/status.h"
#include "tests/storage/faulty_files.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"

namespace leasemap::host {
namespace {

using leasemap::testing::Eventually;
using ::testing::Contains;
using ::testing::HasSubstr;

class SaverTest : public ::testing::Test {
 protected:
  void Start() {
    storage::Disk::Options options;
    options.path = folder_.At("data");
    options.default_id = "n";
    options.cluster = "leasemap";
    options.reserve_bytes = 64 << 10;
    options.env = faulty_.env();
    auto disk = storage::Disk::Open(options);
    ASSERT_THAT(disk, IsOk());
    core::NodeOptions node;
    node.node_id = (*disk)->node_id();
    node.seed = ++starts_;
    host_ = std::make_unique<NodeHost>(node, "127.0.0.1:0", 0, *std::move(disk));
    ASSERT_THAT(host_->Start(), IsOk());
    ASSERT_TRUE(Eventually([&] { return host_->ready(); }));
  }
  // Begins a write; its answer comes into `answers_`.
  absl::Status Begin(core::Change change, const std::string& key, const std::string& value = "") {
    core::WriteCommand write;
    write.change = change;
    write.key = key;
    write.value = value;
    write.holder = "n";
    const auto submitted = host_->Submit(write, [this](const core::Effects::Answered& answered) {
      const MutexLock lock(mutex_);
      answers_.push_back(answered.status);
    });
    if (submitted.ok() && submitted->wait == 0) return absl::UnknownError("nothing had to be saved");
    return submitted.status();
  }
  // Writes and waits for the answer.
  absl::Status Write(core::Change change, const std::string& key, const std::string& value = "") {
    const size_t before = answers();
    if (auto status = Begin(change, key, value); !status.ok()) return status;
    if (!Eventually([&] { return answers() > before; })) return absl::DeadlineExceededError("no answer came");
    const MutexLock lock(mutex_);
    return answers_.back();
  }
  absl::Status Set(const std::string& key, const std::string& value = "v") {
    return Write(core::Change::kSet, key, value);
  }
  size_t answers() {
    const MutexLock lock(mutex_);
    return answers_.size();
  }
  std::string Get(const std::string& key) const {
    const auto entry = host_->Get(key);
    return entry ? entry->value.str() : "(none)";
  }

  TempFolder folder_;
  storage::FaultyFiles faulty_{1};
  uint64_t starts_ = 0;
  Mutex mutex_;
  std::vector<absl::Status> answers_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<NodeHost> host_;
};

TEST_F(SaverTest, WhatWasAnsweredIsThereAfterAPowerCut) {
  Start();
  for (int i = 0; i < 20; ++i) ASSERT_THAT(Set(absl::StrCat("k", i)), IsOk());
  faulty_.FailAfter(0);
  host_.reset();
  faulty_.CutPower();
  Start();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Get(absl::StrCat("k", i)), "v");
}

TEST_F(SaverTest, AStopSavesWhatIsOnItsWay) {
  Start();
  for (int i = 0; i < 200; ++i) ASSERT_THAT(Begin(core::Change::kSet, absl::StrCat("k", i), "v"), IsOk());
  host_.reset();
  Start();
  EXPECT_EQ(host_->GetStatus().keys, 200u);
}

TEST_F(SaverTest, AFailingDiskRefusesWritesAndRecoversByItself) {
  Start();
  ASSERT_THAT(Set("before"), IsOk());
  faulty_.Fail(rocksdb::IOStatus::IOError("broken"));
  // The first finds out, and is in memory already: its writer hears that it may be lost.
  const auto first = Set("first");
  EXPECT_EQ(core::ReasonOf(first), "DISK_FAILED");
  EXPECT_THAT(std::string(first.message()), HasSubstr("may be lost with this process"));
  EXPECT_EQ(Get("first"), "v");
  const auto second = Set("second");
  EXPECT_EQ(core::ReasonOf(second), "DISK_FAILED");
  EXPECT_TRUE(absl::IsUnavailable(second));
  EXPECT_EQ(Get("second"), "(none)");
  EXPECT_EQ(core::ReasonOf(Write(core::Change::kDelete, "before")), "DISK_FAILED");
  EXPECT_TRUE(host_->ready());
  EXPECT_THAT(host_->GetStatus().notes, Contains(HasSubstr("the disk fails (IO error: broken")));
  faulty_.Fail(rocksdb::IOStatus::OK());
  ASSERT_TRUE(Eventually([&] { return Set("after").ok(); }));
  host_.reset();
  Start();
  EXPECT_EQ(Get("first"), "v");  // saved when the disk came back
  EXPECT_EQ(Get("after"), "v");
}

TEST_F(SaverTest, AFullDiskTakesWhatEmptiesIt) {
  Start();
  ASSERT_THAT(Set("k"), IsOk());
  ASSERT_THAT(Set("held"), IsOk());
  faulty_.SetRoom(0);
  EXPECT_EQ(core::ReasonOf(Set("first")), "DISK_FULL");
  faulty_.SetRoom(120'000);  // as when its reserve is given back
  ASSERT_TRUE(Eventually([&] { return Write(core::Change::kDelete, "k").ok(); }));
  EXPECT_EQ(core::ReasonOf(Set("second")), "DISK_FULL");
  faulty_.SetRoom(std::nullopt);
  // It is looked after once a second, though pieces come all the time.
  ASSERT_TRUE(Eventually([&] { return Write(core::Change::kRenew, "held").ok() && Set("after").ok(); }));
  EXPECT_THAT(host_->GetStatus().notes, ::testing::Not(Contains(HasSubstr("disk"))));
  host_.reset();
  Start();
  EXPECT_EQ(Get("k"), "(none)");
  EXPECT_EQ(Get("first"), "v");
  EXPECT_EQ(Get("after"), "v");
}

}  // namespace
}  // namespace leasemap::host
