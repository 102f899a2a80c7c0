// What a data directory needs of the file system beside RocksDB: a lock, files that are replaced as a whole, and room
// that is kept free. Errors are as in map_files.h; their messages name the path and what the system said.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace leasemap::storage {

// Holds a file locked against other processes while it lives (flock(2)); the file has the ID of the process.
class FileLock {
 public:
  // FAILED_PRECONDITION: another process holds it.
  static absl::StatusOr<FileLock> Take(const std::string& path);
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

// Makes the folder, and those above it, if it is not there.
absl::Status MakeFolder(const std::string& path);
// Whether there is nothing in it but these, and what a file system puts into each of its own (lost+found).
absl::StatusOr<bool> HasOnly(const std::string& path, const std::vector<std::string>& names);
// nullopt: there is no such file.
absl::StatusOr<std::optional<std::string>> ReadSmallFile(const std::string& path);
// The file has this text when it returns, whatever happens to the machine; before that the old one. It is written as
// `path`.new first.
absl::Status WriteSmallFile(const std::string& path, std::string_view text);
absl::Status Rename(const std::string& from, const std::string& to);

// Makes a file of that size, whose bytes are taken on the disk.
absl::Status TakeRoom(const std::string& path, uint64_t bytes);
// … and gives it back. Nothing happens if it is not there.
void GiveRoom(const std::string& path);

}  // namespace leasemap::storage
