#include "server/storage/map_files.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <future>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/cache.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "rocksdb/listener.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"
#include "rocksdb/write_batch.h"
#include "server/storage/codec.h"
#include "spdlog/spdlog.h"

namespace leasemap::storage {
namespace {

// Records by the first byte of their keys. The entry's key follows it, or the conflict's number, highest byte first.
constexpr char kConflicts = 'c', kEntries = 'e', kAfterEntries = 'f';
constexpr char kImage[] = "i";

std::string EntryKey(std::string_view key) { return absl::StrCat(std::string(1, kEntries), std::string(key)); }

std::string ConflictKey(uint64_t number) {
  std::string key(1, kConflicts);
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
  return key;
}

uint64_t NumberIn(std::string_view conflict_key) {
  uint64_t number = 0;
  for (const char byte : conflict_key.substr(1)) number = number << 8 | static_cast<uint8_t>(byte);
  return number;
}

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(text);
  // A file that is missing is damage, too; so is a folder without the file that names the others.
  const bool missing = status.IsPathNotFound() || status.IsNotFound();
  if (status.IsCorruption() || missing || absl::StrContains(text, "does not exist (create_if_missing is false)")) {
    return absl::DataLossError(text);
  }
  return absl::UnavailableError(text);
}

// RocksDB's own log, in ours: for debugging. In a file beside the map, as by default, it would end the process when the
// disk is full (an assertion of its writer, 7.8).
class DebugLog final : public rocksdb::Logger {
 public:
  DebugLog() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    if (!spdlog::should_log(spdlog::level::debug)) return;
    char line[1000];
    std::vsnprintf(line, sizeof line, format, arguments);
    spdlog::debug("RocksDB: {}", line);
  }
};

// After an error RocksDB would go on by itself once there is room again. It would use writers that had an error, and
// an assertion of these (7.8, AssertFalseAndGetStatusForPrevError in file/writable_file_writer.h) ends the process. So
// does DB::Resume. Recover opens the files again in place of both.
class NoRecoveryByItself final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

// The map itself is in memory, so RocksDB reads only when the node starts, and when it compacts: it needs hardly a
// cache. Its files have at most a tenth more than the map, by levels whose sizes follow the last one's, and its log at
// most two write buffers. A compaction writes about four at most, so that a full disk can be emptied (kBuffersOfRoom):
// two of the newest files with a level of two, or a file of half a one with those it overlaps, up to three.
rocksdb::Options FilesOptions(bool create, uint64_t buffer_bytes) {
  rocksdb::Options options;
  options.create_if_missing = create;
  options.error_if_exists = create;
  options.paranoid_checks = true;
  // A log that ends in the middle of a record is what a power cut leaves; anything else in it is damage.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  // Files take no more room than what is in them, so that a full disk is found at once and not some MiB later.
  options.allow_fallocate = false;
  options.write_buffer_size = buffer_bytes;
  options.max_write_buffer_number = 2;
  options.level0_file_num_compaction_trigger = 2;
  options.target_file_size_base = buffer_bytes / 2;
  options.max_bytes_for_level_base = 2 * buffer_bytes;
  options.max_compaction_bytes = 3 * buffer_bytes;
  options.level_compaction_dynamic_level_bytes = true;
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.max_file_opening_threads = 1;
  options.info_log = std::make_shared<DebugLog>();
  options.listeners = {std::make_shared<NoRecoveryByItself>()};
  options.max_manifest_file_size = 4 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(8 << 20);
  table.cache_index_and_filter_blocks = true;
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// Some records, one after another in one string: their keys and values.
struct Chunk {
  struct Record {
    size_t at = 0, key = 0, value = 0;  // where it begins, and bytes
  };
  std::string bytes;
  std::vector<Record> records;
  bool last = false;

  std::string_view KeyOf(const Record& record) const { return std::string_view(bytes).substr(record.at, record.key); }
  std::string_view ValueOf(const Record& record) const {
    return std::string_view(bytes).substr(record.at + record.key, record.value);
  }
};

// The next records up to the entries' end.
Chunk ReadChunk(rocksdb::Iterator* at) {
  constexpr size_t kChunkBytes = 4 << 20;
  Chunk chunk;
  chunk.bytes.reserve(kChunkBytes);
  for (; at->Valid() && at->key()[0] < kAfterEntries && chunk.bytes.size() < kChunkBytes; at->Next()) {
    chunk.records.push_back({chunk.bytes.size(), at->key().size(), at->value().size()});
    chunk.bytes.append(at->key().data(), at->key().size()).append(at->value().data(), at->value().size());
  }
  chunk.last = !at->Valid() || at->key()[0] >= kAfterEntries;
  return chunk;
}

absl::Status Decode(const Chunk& chunk, core::Image& image) {
  for (const Chunk::Record& record : chunk.records) {
    const std::string_view key = chunk.KeyOf(record), value = chunk.ValueOf(record);
    if (key[0] == kConflicts) {
      auto conflict = DecodeConflict(value);
      if (!conflict.ok()) return conflict.status();
      image.conflicts.emplace(NumberIn(key), *std::move(conflict));
    } else {
      auto entry = DecodeEntry(key.substr(1), value);
      if (!entry.ok()) return entry.status();
      image.entries.push_back(*std::move(entry));
    }
  }
  return absl::OkStatus();
}

bool IsLog(const std::string& name) { return absl::EndsWith(name, ".log"); }

// RocksDB makes a new log where there is none, and says nothing. It never leaves a folder without one.
absl::Status CheckHasLog(rocksdb::FileSystem& files, const std::string& path) {
  std::vector<std::string> names;
  if (const auto status = files.GetChildren(path, {}, &names, nullptr); !status.ok()) return ToStatus(status);
  if (std::any_of(names.begin(), names.end(), IsLog)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the log in ", path, " is missing"));
}

}  // namespace

MapFiles::~MapFiles() {
  if (db_ != nullptr) db_->Close();
}

absl::Status MapFiles::OpenFiles(Mode mode) {
  rocksdb::Options options = FilesOptions(mode == Mode::kCreate, options_.buffer_bytes);
  options.env = options_.env;
  if (mode != Mode::kCreate) {
    if (auto status = CheckHasLog(*options_.env->GetFileSystem(), options_.path); !status.ok()) return status;
  }
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = mode == Mode::kLook ? rocksdb::DB::OpenForReadOnly(options, options_.path, &db)
                                                     : rocksdb::DB::Open(options, options_.path, &db);
  db_.reset(db);
  return ToStatus(status);
}

absl::StatusOr<std::unique_ptr<MapFiles>> MapFiles::Open(Options options) {
  std::unique_ptr<MapFiles> files(new MapFiles(std::move(options)));
  if (auto status = files->OpenFiles(files->options_.mode); !status.ok()) return status;
  return files;
}

absl::StatusOr<std::optional<core::Image>> MapFiles::Read() const {
  std::optional<core::Image> image;
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 1 << 20;
  std::string bytes;
  const rocksdb::Status found = db_->Get(options, kImage, &bytes);
  if (!found.ok() && !found.IsNotFound()) return ToStatus(found);
  if (found.ok()) {
    auto decoded = DecodeImage(bytes);
    if (!decoded.ok()) return decoded.status();
    image = *std::move(decoded);
  }
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options));
  at->Seek(std::string(1, kConflicts));
  // A thread reads the next records while these are decoded: a million take half a second less by that.
  const auto read = [&] { return std::async(std::launch::async, ReadChunk, at.get()); };
  for (auto next = read();;) {
    const Chunk chunk = next.get();
    if (!chunk.last) next = read();
    if (!chunk.records.empty() && !image) {
      return absl::DataLossError("there are entries, and no record of what they cover");
    }
    if (auto status = chunk.records.empty() ? absl::OkStatus() : Decode(chunk, *image); !status.ok()) return status;
    if (chunk.last) break;
  }
  if (!at->status().ok()) return ToStatus(at->status());
  return image;
}

absl::Status MapFiles::Write(const core::Unsaved& piece, bool sync) {
  if (!stopped_.ok()) return stopped_;
  rocksdb::WriteBatch batch;
  if (piece.all) batch.DeleteRange(std::string(1, kEntries), std::string(1, kAfterEntries));
  for (const core::EntryPtr& entry : piece.entries) batch.Put(EntryKey(entry->key), EncodeEntry(*entry));
  for (const std::string& key : piece.gone) batch.Delete(EntryKey(key));
  // The oldest conflicts go when new ones come.
  if (!piece.conflicts.empty()) batch.DeleteRange(ConflictKey(0), ConflictKey(piece.conflicts_from));
  for (const auto& [number, conflict] : piece.conflicts) batch.Put(ConflictKey(number), EncodeConflict(conflict));
  if (piece.rest) batch.Put(kImage, EncodeImage(*piece.rest));
  rocksdb::WriteOptions options;
  options.sync = sync;
  return Stop(db_->Write(options, &batch));
}

absl::Status MapFiles::Sync() { return stopped_.ok() ? Stop(db_->SyncWAL()) : stopped_; }

// An error stops the files.
absl::Status MapFiles::Stop(const rocksdb::Status& status) {
  stopped_ = ToStatus(status);
  return stopped_;
}

// Opening writes what is in the logs to files, and syncs them.
absl::Status MapFiles::Recover() {
  if (db_ != nullptr) db_->Close();
  db_.reset();
  stopped_ = CheckRoom();
  if (stopped_.ok()) stopped_ = OpenFiles(Mode::kOpen);
  return stopped_;
}

// Spares a full disk an attempt that cannot succeed.
absl::Status MapFiles::CheckRoom() {
  constexpr uint64_t kForTheRest = 64 << 10;  // a list of files (MANIFEST), and a new log
  rocksdb::FileSystem& files = *options_.env->GetFileSystem();
  std::vector<rocksdb::FileAttributes> found;
  uint64_t free = 0, needed = kForTheRest;
  auto status = files.GetChildrenFileAttributes(options_.path, {}, &found, nullptr);
  if (status.ok()) status = files.GetFreeSpace(options_.path, {}, &free, nullptr);
  if (!status.ok()) return ToStatus(status);
  for (const auto& file : found) {
    if (IsLog(file.name)) needed += file.size_bytes;
  }
  if (free >= needed) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the disk has ", free, " bytes free, and writing out the log takes up to ", needed));
}

}  // namespace leasemap::storage
