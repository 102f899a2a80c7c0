#include "clients/cli/cursor_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/core/lines.h"

namespace leasemap::cli {
namespace {

// Far above any cursor (some 20 KB where the watcher is slow).
constexpr size_t kLongestCursor = 1 << 20;

absl::Status Failed(const std::string& what, const std::string& path) {
  return absl::UnavailableError(
      absl::StrCat("cannot ", what, " ", path, " (", std::generic_category().message(errno), ")"));
}

// Writes the file and waits until it is on the disk.
absl::Status Write(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return Failed("write", path);
  absl::Status status;
  for (size_t done = 0; done < text.size() && status.ok();) {
    const ssize_t written = write(file, text.data() + done, text.size() - done);
    if (written > 0) {
      done += static_cast<size_t>(written);
    } else if (errno != EINTR) {
      status = Failed("write", path);
    }
  }
  if (status.ok() && fsync(file) != 0) status = Failed("write", path);
  if (close(file) != 0 && status.ok()) status = Failed("write", path);
  return status;
}

}  // namespace

absl::StatusOr<std::string> LoadCursor(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::string();
    return Failed("read", path);
  }
  std::string line;
  bool whole = true;
  ReadLine(file, line, whole, kLongestCursor);
  const std::string cursor(absl::StripAsciiWhitespace(line));
  if (line.empty() && whole && !file.bad()) return std::string();
  if (file.bad() || !whole || cursor.empty()) {
    return absl::DataLossError(
        absl::StrCat(path, " holds no cursor; name another file, or remove this one to start from the beginning"));
  }
  return cursor;
}

absl::Status SaveCursor(const std::string& path, const std::string& cursor) {
  const std::string beside = path + ".tmp";
  absl::Status written = Write(beside, cursor + "\n");
  if (!written.ok()) return written;
  return std::rename(beside.c_str(), path.c_str()) == 0 ? absl::OkStatus() : Failed("write", path);
}

}  // namespace leasemap::cli
