// How much memory a process may use, by what a machine or a container says.
#include "server/host/memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace leasemap::host {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A root with these files.
class MemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    Write("proc/meminfo", "MemTotal:       16384000 kB\nMemFree:        1 kB\n");
    Write("proc/self/cgroup", "0::/\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  uint64_t Limit() const { return MemoryLimit(root_.string()); }

  const std::filesystem::path root_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("memory-") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(MemoryTest, TheMachines) { EXPECT_EQ(Limit(), 16'000 * kMiB); }

TEST_F(MemoryTest, OfAContainerWithGroupsOfVersion2) {
  Write("sys/fs/cgroup/memory.max", "167772160\n");
  EXPECT_EQ(Limit(), 160 * kMiB);
  Write("sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(Limit(), 16'000 * kMiB);
}

TEST_F(MemoryTest, AParentsCounts) {
  Write("proc/self/cgroup", "0::/system.slice/leasemap.service\n");
  Write("sys/fs/cgroup/system.slice/memory.max", "104857600\n");
  Write("sys/fs/cgroup/system.slice/leasemap.service/memory.max", "max\n");
  EXPECT_EQ(Limit(), 100 * kMiB);
}

TEST_F(MemoryTest, OfVersion1) {
  Write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/0123\n0::/\n");
  Write("sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes", "209715200\n");
  EXPECT_EQ(Limit(), 200 * kMiB);
  // In a container the path is that of the host, and the files are at the top.
  std::filesystem::remove_all(root_ / "sys/fs/cgroup/memory/docker");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "314572800\n");
  EXPECT_EQ(Limit(), 300 * kMiB);
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // none
  EXPECT_EQ(Limit(), 16'000 * kMiB);
}

TEST_F(MemoryTest, NothingToRead) {
  std::filesystem::remove_all(root_);
  EXPECT_EQ(Limit(), 0u);
  EXPECT_GT(DefaultMapBytes(0), kMiB);
}

TEST(Memory, SharesOfASmallContainerFitIntoIt) {
  const uint64_t limit = 160 * kMiB, map = DefaultMapBytes(limit);
  EXPECT_EQ(map, 80 * kMiB);
  EXPECT_LT(map + map / 8 + CallBytes(limit) + 24 * kMiB, limit);
  EXPECT_EQ(CallBytes(64'000 * kMiB), 256 * kMiB);
}

TEST(Memory, TheGuardLooksTenTimesASecond) {
  static uint64_t used;
  MemoryGuard guard(1000, [] { return used; });
  used = 800;
  EXPECT_FALSE(guard.Short(core::MonoTime(0)));
  used = 900;
  EXPECT_FALSE(guard.Short(core::MonoTime(99)));
  EXPECT_TRUE(guard.Short(core::MonoTime(100)));
  used = 100;
  EXPECT_TRUE(guard.Short(core::MonoTime(150)));
  EXPECT_FALSE(guard.Short(core::MonoTime(200)));
  EXPECT_FALSE(MemoryGuard(0, [] { return used; }).Short(core::MonoTime(0)));
}

TEST(Memory, ThisProcessUsesSome) {
  EXPECT_GT(MemoryUsed(), kMiB / 4);
  EXPECT_LT(MemoryUsed(), MemoryLimit());
}

}  // namespace
}  // namespace leasemap::host
