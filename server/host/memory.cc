#include "server/host/memory.h"

#include <malloc.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "peer/core/data/limits.h"

namespace leasemap::host {
namespace {

constexpr uint64_t kNone = UINT64_MAX;
// The rest is room for requests that arrive between two checks.
constexpr uint64_t kMostPercent = 85;
constexpr int64_t kLookEveryMs = 100;
constexpr int64_t kTrimEveryMs = 1000;  // it walks the whole heap
constexpr uint64_t kLeastCalls = uint64_t{24} << 20, kMostCalls = uint64_t{256} << 20;

// The number in a file; none if it is missing or says "max".
uint64_t NumberIn(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  uint64_t number = 0;
  return file >> word && absl::SimpleAtoi(word, &number) ? number : kNone;
}

// The least limit from the group up to the root of the hierarchy. In a container the group's path is often the one that
// it has outside: then the files of the container's own group are at the top.
uint64_t LeastUpwards(const std::string& mount, std::string group, const std::string& file) {
  uint64_t least = kNone;
  while (true) {
    least = std::min(least, NumberIn(absl::StrCat(mount, group, "/", file)));
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return least;
    group.resize(slash);
  }
}

// A value of a file like /proc/meminfo, in bytes.
uint64_t Kilobytes(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, name)) continue;
    std::istringstream rest(line.substr(name.size()));
    uint64_t kilobytes = 0;
    return rest >> kilobytes ? kilobytes * 1024 : kNone;
  }
  return kNone;
}

}  // namespace

uint64_t MemoryLimit(const std::string& root) {
  uint64_t least = Kilobytes(absl::StrCat(root, "/proc/meminfo"), "MemTotal:");
  std::ifstream groups(absl::StrCat(root, "/proc/self/cgroup"));
  // Lines of number:controllers:path; version 2 has number 0 and no controllers.
  for (std::string line; std::getline(groups, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::string group = parts[2] == "/" ? "" : parts[2];
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (parts[1].empty()) {
      for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        least = std::min(least, LeastUpwards(absl::StrCat(root, mount), group, "memory.max"));
      }
    } else if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      least =
          std::min(least, LeastUpwards(absl::StrCat(root, "/sys/fs/cgroup/memory"), group, "memory.limit_in_bytes"));
    }
  }
  return least == kNone ? 0 : least;
}

uint64_t MemoryUsed() {
  const uint64_t used = Kilobytes("/proc/self/status", "RssAnon:");
  return used == kNone ? 0 : used;
}

uint64_t DefaultMapBytes(uint64_t limit) { return limit == 0 ? core::kMaxMapBytes : limit / 2; }

uint64_t CallBytes(uint64_t limit) { return limit == 0 ? kMostCalls : std::clamp(limit / 8, kLeastCalls, kMostCalls); }

bool MemoryGuard::Short(core::MonoTime mono) {
  if (limit_ == 0) return false;
  core::MonoTime next = next_.load(std::memory_order_relaxed);
  if (mono < next || !next_.compare_exchange_strong(next, mono + kLookEveryMs)) {
    return short_.load(std::memory_order_relaxed);
  }
  const uint64_t most = limit_ / 100 * kMostPercent;
  bool is_short = used_() > most;
  if (is_short && mono >= next_trim_.load(std::memory_order_relaxed)) {
    // The allocator often still has the memory of deleted entries.
    next_trim_.store(mono + kTrimEveryMs, std::memory_order_relaxed);
    malloc_trim(0);
    is_short = used_() > most;
  }
  short_.store(is_short, std::memory_order_relaxed);
  return is_short;
}

}  // namespace leasemap::host
