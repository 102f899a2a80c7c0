// Whether files have changed since they were read last: by what stat(2) says of them.
#pragma once

#include <sys/stat.h>

#include <string>
#include <utility>
#include <vector>

namespace leasemap::rpc {

// One caller at a time.
class WatchedFiles {
 public:
  explicit WatchedFiles(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  // Before they are read: so a change while they are read is not missed.
  void BeginReading() { seen_ = Look(); }
  // Since BeginReading.
  bool Changed() const { return Look() != seen_; }

 private:
  struct Seen {
    ino_t inode = 0;
    off_t size = -1;
    timespec changed{};
    bool operator==(const Seen& other) const;
  };
  std::vector<Seen> Look() const;

  std::vector<std::string> paths_;
  std::vector<Seen> seen_;
};

}  // namespace leasemap::rpc
