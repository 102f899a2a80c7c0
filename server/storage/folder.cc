#include "server/storage/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace leasemap::storage {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(const char* what, const std::string& path, int error) {
  const std::string text = absl::StrCat("cannot ", what, " ", path, ": ", std::generic_category().message(error));
  return error == ENOSPC || error == EDQUOT ? absl::ResourceExhaustedError(text) : absl::UnavailableError(text);
}

// Closes a descriptor at the end of its block.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status WriteAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Failed("write", path, errno);
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

absl::Status WriteAndSync(const std::string& path, std::string_view text) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.get() < 0) return Failed("make", path, errno);
  if (auto status = WriteAll(file.get(), text, path); !status.ok()) return status;
  return fsync(file.get()) == 0 ? absl::OkStatus() : Failed("sync", path, errno);
}

// What the folder lists is on the disk.
absl::Status SyncFolder(const std::string& path) {
  const Descriptor folder(path, O_RDONLY | O_DIRECTORY);
  if (folder.get() < 0) return Failed("open", path, errno);
  return fsync(folder.get()) == 0 ? absl::OkStatus() : Failed("sync", path, errno);
}

std::string FolderOf(const std::string& path) { return fs::path(path).parent_path().string(); }

}  // namespace

absl::StatusOr<FileLock> FileLock::Take(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return Failed("open", path, errno);
  FileLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed("lock", path, errno);
    const auto owner = ReadSmallFile(path);
    const std::string id = owner.ok() && *owner ? **owner : "";
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is locked by another process", id.empty() ? "" : ", ID ", id));
  }
  // For people alone: a disk that is full is no reason not to start.
  if (ftruncate(fd, 0) == 0) (void)WriteAll(fd, absl::StrCat(getpid()), path);
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? Failed("make the folder", path, error.value()) : absl::OkStatus();
}

absl::StatusOr<bool> HasOnly(const std::string& path, const std::vector<std::string>& names) {
  std::error_code error;
  for (auto at = fs::directory_iterator(path, error); !error && at != fs::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (std::find(names.begin(), names.end(), name) == names.end() && name != "lost+found") return false;
  }
  if (error) return Failed("read the folder", path, error.value());
  return true;
}

absl::StatusOr<std::optional<std::string>> ReadSmallFile(const std::string& path) {
  constexpr size_t kSmall = 64 << 10;
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0 && errno == ENOENT) return std::nullopt;
  if (file.get() < 0) return Failed("open", path, errno);
  std::string text(kSmall, '\0');
  size_t have = 0;
  while (have < kSmall) {
    const ssize_t got = read(file.get(), text.data() + have, kSmall - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("read", path, errno);
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  text.resize(have);
  return text;
}

absl::Status WriteSmallFile(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  auto status = WriteAndSync(fresh, text);
  if (status.ok()) return Rename(fresh, path);
  unlink(fresh.c_str());
  return status;
}

absl::Status Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return Failed("rename", from, errno);
  return SyncFolder(FolderOf(to));
}

absl::Status TakeRoom(const std::string& path, uint64_t bytes) {
  const Descriptor file(path, O_WRONLY | O_CREAT);
  if (file.get() < 0) return Failed("make", path, errno);
  const int error = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (error == 0) return absl::OkStatus();
  GiveRoom(path);
  return Failed("take room for", path, error);
}

void GiveRoom(const std::string& path) { unlink(path.c_str()); }

}  // namespace leasemap::storage
