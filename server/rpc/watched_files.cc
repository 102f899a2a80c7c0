#include "server/rpc/watched_files.h"

namespace leasemap::rpc {

bool WatchedFiles::Seen::operator==(const Seen& other) const {
  return inode == other.inode && size == other.size && changed.tv_sec == other.changed.tv_sec &&
         changed.tv_nsec == other.changed.tv_nsec;
}

std::vector<WatchedFiles::Seen> WatchedFiles::Look() const {
  std::vector<Seen> out;
  for (const std::string& path : paths_) {
    struct stat found {};
    const bool there = stat(path.c_str(), &found) == 0;
    out.push_back(there ? Seen{found.st_ino, found.st_size, found.st_mtim} : Seen{});
  }
  return out;
}

}  // namespace leasemap::rpc
