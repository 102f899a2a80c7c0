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

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peer/core/data/image.h"
#include "rocksdb/db.h"

namespace leasemap::storage {

class MapFiles {
 public:
  // Memory of RocksDB: two write buffers, the block cache, and what it takes to read and write its files.
  static constexpr uint64_t kMemoryBytes = 48 << 20;

  enum class Mode { kCreate, kOpen, kLook };
  struct Options {
    std::string path;  // of a folder
    // kCreate: there are no files yet, and the folder is made; kLook: nothing is changed, and nothing can be written.
    Mode mode = Mode::kOpen;
    rocksdb::FileSystem* files = nullptr;  // of a test; null: the machine's
  };
  static absl::StatusOr<std::unique_ptr<MapFiles>> Open(Options options);
  ~MapFiles();

  // All that is there; nullopt: nothing was ever written.
  absl::StatusOr<std::optional<core::Image>> Read() const;
  // `sync`: returns when it is on the disk, with all that was written before it.
  absl::Status Write(const core::Unsaved& piece, bool sync);
  // Returns when all that was written is on the disk.
  absl::Status Sync();
  // After an error of Write or Sync, which refuse everything from then on: takes writes again if the disk does.
  absl::Status Recover();

 private:
  explicit MapFiles(Options options);
  absl::Status OpenFiles(Mode mode);

  const Options options_;
  std::unique_ptr<rocksdb::Env> env_;  // null: the machine's
  std::unique_ptr<rocksdb::DB> db_;    // null: it could not be opened again
};

}  // namespace leasemap::storage
