// A file system whose power can be cut: RocksDB writes to real files through it, and a cut takes away what was not
// synced.
//
// Of a file's bytes since its last sync a cut leaves any beginning. A file whose folder was not synced since it was
// made may vanish, and a rename may be undone. It can also fail, or be full, until it is mended.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peer/core/data/random.h"
#include "peer/threads/mutex.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace leasemap::storage {

class FaultyFiles : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultyFiles(uint64_t seed) : FileSystemWrapper(rocksdb::FileSystem::Default()), env_(*this), random_(seed) {}
  // With these files. Its threads sleep shortly: RocksDB's wait a second after each error.
  rocksdb::Env* env() { return &env_; }
  const char* Name() const override { return "FaultyFiles"; }

  // Power goes in the middle of the operation after this many more: it and all later ones fail.
  void FailAfter(uint64_t operations);
  // Each operation that changes something fails like that, until it is called with OK.
  void Fail(rocksdb::IOStatus status);
  // Bytes that may still be written; more fail as on a full disk. A deleted file gives its bytes back. nullopt: no
  // bound.
  void SetRoom(std::optional<uint64_t> bytes);
  std::optional<uint64_t> room() const;
  uint64_t operations() const;
  // Once the files are closed: takes away what was not synced, and the power is back.
  void CutPower();

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options, uint64_t* free,
                                 rocksdb::IODebugContext* debug) override;

 private:
  friend class FaultyFile;
  friend class FaultyFolder;

  class FaultyEnv final : public rocksdb::EnvWrapper {
   public:
    explicit FaultyEnv(FaultyFiles& files) : EnvWrapper(rocksdb::Env::Default()) {
      file_system_ = std::shared_ptr<rocksdb::FileSystem>(&files, [](rocksdb::FileSystem*) {});
    }
    void SleepForMicroseconds(int time) override { EnvWrapper::SleepForMicroseconds(std::min(time, 1000)); }
  };
  struct State {
    uint64_t size = 0, synced = 0;
    bool listed = false;  // its folder was synced since it was made
  };
  struct Renamed {
    std::string from, to;
    std::optional<std::string> before;  // what `to` had
  };

  // Counts an operation that changes something. `bytes`: that it writes; how many of them are written nevertheless.
  rocksdb::IOStatus Begin(uint64_t bytes, uint64_t* written);
  void Appended(const std::string& path, uint64_t bytes);
  void Synced(const std::string& path);
  void FolderSynced(const std::string& path);

  FaultyEnv env_;
  mutable Mutex mutex_;
  core::Random random_ ABSL_GUARDED_BY(mutex_);
  uint64_t operations_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t fail_at_ ABSL_GUARDED_BY(mutex_) = UINT64_MAX;
  rocksdb::IOStatus failure_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> room_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, State> files_ ABSL_GUARDED_BY(mutex_);
  std::vector<Renamed> renamed_ ABSL_GUARDED_BY(mutex_);  // since their folder was synced
};

}  // namespace leasemap::storage
