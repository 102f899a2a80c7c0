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

// The map itself is in memory, so RocksDB reads only when the node starts, and when it compacts: it needs hardly a
// cache. Its files have at most a tenth more than the map, by levels whose sizes follow the last one's, and its log at
// most two write buffers.
rocksdb::Options FilesOptions(bool create) {
  rocksdb::Options options;
  options.create_if_missing = create;
  options.error_if_exists = create;
  options.paranoid_checks = true;
  // A log that ends in the middle of a record is what a power cut leaves; anything else in it is damage.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  // Files take no more room than what is in them, so that a full disk is found at once and not some MiB later.
  options.allow_fallocate = false;
  options.write_buffer_size = 8 << 20;
  options.max_write_buffer_number = 2;
  options.target_file_size_base = 16 << 20;
  options.max_bytes_for_level_base = 32 << 20;
  options.level_compaction_dynamic_level_bytes = true;
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.max_file_opening_threads = 1;
  options.info_log = std::make_shared<DebugLog>();
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

// RocksDB makes a new log where there is none, and says nothing. It never leaves a folder without one.
absl::Status CheckHasLog(rocksdb::Env& env, const std::string& path) {
  std::vector<std::string> names;
  if (const auto status = env.GetChildren(path, &names); !status.ok()) return ToStatus(status);
  const auto is_log = [](const std::string& name) { return absl::EndsWith(name, ".log"); };
  if (std::any_of(names.begin(), names.end(), is_log)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the log in ", path, " is missing"));
}

}  // namespace

MapFiles::MapFiles(Options options) : options_(std::move(options)) {
  if (options_.files == nullptr) return;
  env_ = rocksdb::NewCompositeEnv(std::shared_ptr<rocksdb::FileSystem>(options_.files, [](rocksdb::FileSystem*) {}));
}

MapFiles::~MapFiles() {
  if (db_ != nullptr) db_->Close();
}

absl::Status MapFiles::OpenFiles(Mode mode) {
  rocksdb::Options options = FilesOptions(mode == Mode::kCreate);
  if (env_ != nullptr) options.env = env_.get();
  if (mode != Mode::kCreate) {
    if (auto status = CheckHasLog(*options.env, options_.path); !status.ok()) return status;
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
  if (db_ == nullptr) return absl::UnavailableError("the files are closed");
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
  return ToStatus(db_->Write(options, &batch));
}

absl::Status MapFiles::Sync() {
  return db_ == nullptr ? absl::UnavailableError("the files are closed") : ToStatus(db_->SyncWAL());
}

// Resume writes what is in memory to new files, and begins a new log. Where RocksDB gives up, the files are opened
// again, which does the same from the log.
absl::Status MapFiles::Recover() {
  if (db_ != nullptr) {
    const rocksdb::Status resumed = db_->Resume();
    if (resumed.ok() || resumed.IsNoSpace()) return ToStatus(resumed);
    db_->Close();
    db_.reset();
  }
  return OpenFiles(Mode::kOpen);
}

}  // namespace leasemap::storage
