#include "clients/cli/cursor_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace leasemap::cli {
namespace {

absl::Status Failed(const std::string& what, const std::string& path) {
  return absl::UnavailableError(
      absl::StrCat("cannot ", what, " ", path, " (", std::generic_category().message(errno), ")"));
}

// Writes the file (O_TRUNC: instead of what is there, O_APPEND: behind it) and waits until it is on the disk.
absl::Status Write(const std::string& path, int how, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, 0644);
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

absl::StatusOr<Position> LoadPosition(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return Position();
    return Failed("read", path);
  }
  absl::StatusOr<Position> position = ReadPosition(file);
  if (position.ok()) return position;
  return absl::DataLossError(absl::StrCat(path, " ", std::string(position.status().message()),
                                          "; name another file, or remove this one to start from the beginning"));
}

absl::Status SavePosition(const std::string& path, const std::string& cursor, const std::string& done_lines) {
  const std::string beside = path + ".tmp";
  absl::Status written = Write(beside, O_TRUNC, cursor + "\n" + done_lines);
  if (!written.ok()) return written;
  return std::rename(beside.c_str(), path.c_str()) == 0 ? absl::OkStatus() : Failed("write", path);
}

absl::Status AppendDone(const std::string& path, const std::string& done_line) {
  return Write(path, O_APPEND, done_line);
}

}  // namespace leasemap::cli
