// A node's data directory: whose map it has, the map's files, and what is done about damage and want of room.
//
//   FORMAT               what makes it a data directory (format_file.h)
//   LOCK                 locked while a process uses it
//   map/                 the map's files (map_files.h)
//   reserve              room for writes that make a full disk empty again
//   damaged-<UTC time>/  files of a map that could not be read; nothing here deletes them
//
// For one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peer/core/data/image.h"
#include "server/storage/folder.h"
#include "server/storage/format_file.h"
#include "server/storage/map_files.h"

namespace leasemap::storage {

// When what was written is brought to the disk. A process that is killed loses nothing with any of them: that is what
// the kernel has.
enum class Fsync {
  kAlways,    // before it counts as saved
  kInterval,  // within 100 ms: a power cut loses these
  kNever,     // as the kernel likes: a power cut may lose half a minute
};

class Disk {
 public:
  // 64 MiB.
  static constexpr uint64_t kReserveBytes = MapFiles::kBuffersOfRoom * MapFiles::kBufferBytes;

  struct Options {
    std::string path;
    std::string node_id;     // as --node-id gives it; empty: not given
    std::string default_id;  // of a node that has no directory yet, where --node-id is not given
    std::string cluster;
    bool has_seeds = false;  // there are others that may have the map
    Fsync fsync = Fsync::kAlways;
    uint64_t reserve_bytes = kReserveBytes;
    rocksdb::Env* env = rocksdb::Env::Default();  // a test has its own files
  };
  // Opens the directory or makes it, and reads the map. A map that is damaged is moved aside if there are others to
  // take it from. Else, and for whatever else is wrong, the error says what to do.
  static absl::StatusOr<std::unique_ptr<Disk>> Open(Options options);
  // What is in a directory that no process uses, in words for people; the error of Open for what is wrong. Changes
  // nothing.
  static absl::StatusOr<std::string> Check(const std::string& path);

  const std::string& path() const { return options_.path; }
  // The node's ID, as it is stored.
  const std::string& node_id() const { return format_.node_id; }
  // What Open read, once; nullopt: nothing was ever written.
  std::optional<core::Image> TakeImage() { return std::exchange(image_, std::nullopt); }
  // A damaged map was moved aside, and no other node's has taken its place yet.
  bool lost_map() const { return format_.map == Format::Map::kLost; }
  // What Open did that people should know of, for the log.
  const std::vector<std::string>& notes() const { return notes_; }
  Fsync fsync() const { return options_.fsync; }

  // Returns when the piece counts as saved (Fsync). RESOURCE_EXHAUSTED only when the reserve is used up, too.
  absl::Status Write(const core::Unsaved& piece);
  // Brings to the disk what was written before.
  absl::Status Sync() { return files_->Sync(); }
  // After an error: whether it takes writes again.
  absl::Status Recover();
  // The reserve was used: what takes more room should not be written any more.
  bool full() const { return full_; }
  // If the disk is full: looks whether there is room again, and takes the reserve.
  void LookForRoom();

 private:
  explicit Disk(Options options, FileLock lock) : options_(std::move(options)), lock_(std::move(lock)) {}
  std::string At(const char* name) const { return options_.path + "/" + name; }
  absl::Status ReadFormat();
  absl::Status MakeFormat();
  absl::Status SetMap(Format::Map map);
  absl::Status OpenMap();
  absl::Status CreateFiles();
  absl::Status OpenFiles(MapFiles::Mode mode);
  absl::Status ReadFiles();
  absl::Status MoveAside(const absl::Status& damage);
  void UseReserve();

  const Options options_;
  const FileLock lock_;
  Format format_;
  std::unique_ptr<MapFiles> files_;
  std::optional<core::Image> image_;
  std::vector<std::string> notes_;
  bool full_ = false;
};

}  // namespace leasemap::storage
