// The map's files: a RocksDB with a record for each entry and each conflict, and one (Image) that says which writes
// they cover.
//
// A piece (Unsaved, peer/core/data/image.h) is one batch, which is written as a whole or not at all. Checksums are
// RocksDB's: of each record of its log, and of each block of its files. All of them are read at Open, so that damage is
// found before the node serves anything of it.
//
// Errors, by code:
//   DATA_LOSS            damage: the files are not as they were written. The message says what is wrong with them.
//   RESOURCE_EXHAUSTED   the disk is full
//   UNAVAILABLE          the disk does not do what was asked
//
// For one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peer/core/data/image.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"

namespace leasemap::storage {

class MapFiles {
 public:
  // Memory of RocksDB: two write buffers, the block cache, and what it takes to read and write its files.
  static constexpr uint64_t kMemoryBytes = 48 << 20;
  static constexpr uint64_t kBufferBytes = 8 << 20;
  // Room that a full disk must give back so that the files can be made smaller, in write buffers: two that are in the
  // log may have to be written out, and a compaction takes four (FilesOptions).
  static constexpr uint64_t kBuffersOfRoom = 8;

  enum class Mode { kCreate, kOpen, kLook };
  struct Options {
    std::string path;  // of a folder
    // kCreate: there are no files yet, and the folder is made; kLook: nothing is changed, and nothing can be written.
    Mode mode = Mode::kOpen;
    rocksdb::Env* env = rocksdb::Env::Default();  // a test has its own files
    // Records in memory, before they are written out from the log to a file. A test has less, to see more of that.
    uint64_t buffer_bytes = kBufferBytes;
  };
  static absl::StatusOr<std::unique_ptr<MapFiles>> Open(Options options);
  ~MapFiles();

  // All that is there; nullopt: nothing was ever written.
  absl::StatusOr<std::optional<core::Image>> Read() const;
  // `sync`: returns when it is on the disk, with all that was written before it.
  absl::Status Write(const core::Unsaved& piece, bool sync);
  // Returns when all that was written is on the disk.
  absl::Status Sync();
  // After an error of Write or Sync, which return that error from then on: takes writes again if the disk does. The
  // piece that failed is there as a whole or not at all, and so are those that were not synced, from some one on.
  absl::Status Recover();

 private:
  explicit MapFiles(Options options) : options_(std::move(options)) {}
  absl::Status OpenFiles(Mode mode);
  absl::Status Stop(const rocksdb::Status& status);
  absl::Status CheckRoom();

  const Options options_;
  std::unique_ptr<rocksdb::DB> db_;  // null: it could not be opened again
  absl::Status stopped_;             // the error that Recover has to end
};

}  // namespace leasemap::storage
