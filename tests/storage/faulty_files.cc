#include "tests/storage/faulty_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace leasemap::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

std::string FolderOf(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

class FaultyFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(FaultyFiles& files, std::string path, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), files_(files), path_(std::move(path)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    uint64_t bytes = 0;
    const IOStatus fault = files_.Begin(data.size(), &bytes);
    const IOStatus status = target()->Append(rocksdb::Slice(data.data(), bytes), options, debug);
    files_.Appended(path_, bytes);
    return fault.ok() ? status : fault;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  // What is synced is in the files already: they outlive this process.
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    uint64_t none = 0;
    if (IOStatus fault = files_.Begin(0, &none); !fault.ok()) return fault;
    if (IOStatus status = target()->Flush(options, debug); !status.ok()) return status;
    files_.Synced(path_);
    return IOStatus::OK();
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override { return Sync(options, debug); }
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  // Room that is set aside would make a file longer than what was written to it.
  void PrepareWrite(size_t, size_t, const IOOptions&, IODebugContext*) override {}
  IOStatus Allocate(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  FaultyFiles& files_;
  const std::string path_;
};

class FaultyFolder final : public rocksdb::FSDirectoryWrapper {
 public:
  FaultyFolder(FaultyFiles& files, std::string path, std::unique_ptr<rocksdb::FSDirectory> folder)
      : FSDirectoryWrapper(std::move(folder)), files_(files), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    uint64_t none = 0;
    if (IOStatus fault = files_.Begin(0, &none); !fault.ok()) return fault;
    files_.FolderSynced(path_);
    return IOStatus::OK();
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  FaultyFiles& files_;
  const std::string path_;
};

void FaultyFiles::FailAfter(uint64_t operations) {
  const MutexLock lock(mutex_);
  fail_at_ = operations_ + operations;
}

void FaultyFiles::Fail(IOStatus status) {
  const MutexLock lock(mutex_);
  failure_ = std::move(status);
}

void FaultyFiles::SetRoom(std::optional<uint64_t> bytes) {
  const MutexLock lock(mutex_);
  room_ = bytes;
}

std::optional<uint64_t> FaultyFiles::room() const {
  const MutexLock lock(mutex_);
  return room_;
}

uint64_t FaultyFiles::operations() const {
  const MutexLock lock(mutex_);
  return operations_;
}

IOStatus FaultyFiles::Begin(uint64_t bytes, uint64_t* written) {
  const MutexLock lock(mutex_);
  *written = 0;
  if (!failure_.ok()) return failure_;
  const uint64_t operation = operations_++;
  if (operation > fail_at_) return IOStatus::IOError("no power");
  if (operation == fail_at_) {
    *written = random_.Below(bytes + 1);
    return IOStatus::IOError("the power goes");
  }
  if (room_ && *room_ < bytes) {
    *written = random_.Below(*room_ + 1);
    *room_ -= *written;
    return IOStatus::NoSpace("no room");
  }
  if (room_) *room_ -= bytes;
  *written = bytes;
  return IOStatus::OK();
}

void FaultyFiles::Appended(const std::string& path, uint64_t bytes) {
  const MutexLock lock(mutex_);
  files_[path].size += bytes;
}

void FaultyFiles::Synced(const std::string& path) {
  const MutexLock lock(mutex_);
  State& file = files_[path];
  file.synced = file.size;
}

void FaultyFiles::FolderSynced(const std::string& path) {
  const MutexLock lock(mutex_);
  for (auto& [name, file] : files_) {
    if (FolderOf(name) == path) file.listed = true;
  }
  std::erase_if(renamed_, [&](const Renamed& renamed) { return FolderOf(renamed.to) == path; });
}

void FaultyFiles::CutPower() {
  const MutexLock lock(mutex_);
  fail_at_ = UINT64_MAX;
  failure_ = IOStatus::OK();
  // The latest first: each finds what the one before it had left.
  for (auto it = renamed_.rbegin(); it != renamed_.rend() && random_.Below(2) == 0; ++it) {
    std::filesystem::rename(it->to, it->from);
    files_[it->from] = files_[it->to];
    files_.erase(it->to);
    if (!it->before) continue;
    std::ofstream(it->to, std::ios::binary) << *it->before;
    files_[it->to] = {it->before->size(), it->before->size(), true};
  }
  renamed_.clear();
  for (auto& [path, file] : files_) {
    if (!std::filesystem::exists(path)) continue;
    if (!file.listed && random_.Below(2) == 0) {
      std::filesystem::remove(path);
      continue;
    }
    file.size = file.synced = file.synced + random_.Below(file.size - file.synced + 1);
    std::filesystem::resize_file(path, file.size);
    file.listed = true;
  }
}

IOStatus FaultyFiles::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  uint64_t none = 0;
  if (IOStatus fault = Begin(0, &none); !fault.ok()) return fault;
  std::unique_ptr<rocksdb::FSWritableFile> real;
  if (IOStatus status = target()->NewWritableFile(path, options, &real, debug); !status.ok()) return status;
  const MutexLock lock(mutex_);
  files_[path] = {};
  *file = std::make_unique<FaultyFile>(*this, path, std::move(real));
  return IOStatus::OK();
}

IOStatus FaultyFiles::ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                         std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  uint64_t none = 0;
  if (IOStatus fault = Begin(0, &none); !fault.ok()) return fault;
  std::unique_ptr<rocksdb::FSWritableFile> real;
  if (IOStatus status = target()->ReopenWritableFile(path, options, &real, debug); !status.ok()) return status;
  *file = std::make_unique<FaultyFile>(*this, path, std::move(real));
  return IOStatus::OK();
}

IOStatus FaultyFiles::NewDirectory(const std::string& path, const IOOptions& options,
                                   std::unique_ptr<rocksdb::FSDirectory>* folder, IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> real;
  if (IOStatus status = target()->NewDirectory(path, options, &real, debug); !status.ok()) return status;
  *folder = std::make_unique<FaultyFolder>(*this, path, std::move(real));
  return IOStatus::OK();
}

IOStatus FaultyFiles::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                 IODebugContext* debug) {
  uint64_t none = 0;
  if (IOStatus fault = Begin(0, &none); !fault.ok()) return fault;
  Renamed renamed{from, to, std::nullopt};
  if (std::filesystem::exists(to)) renamed.before = Contents(to);
  if (IOStatus status = target()->RenameFile(from, to, options, debug); !status.ok()) return status;
  const MutexLock lock(mutex_);
  files_[to] = files_[from];
  files_.erase(from);
  renamed_.push_back(std::move(renamed));
  return IOStatus::OK();
}

IOStatus FaultyFiles::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  uint64_t none = 0;
  if (IOStatus fault = Begin(0, &none); !fault.ok()) return fault;
  const MutexLock lock(mutex_);
  if (room_) *room_ += files_[path].size;
  files_.erase(path);
  std::erase_if(renamed_, [&](const Renamed& renamed) { return renamed.to == path || renamed.from == path; });
  return target()->DeleteFile(path, options, debug);
}

IOStatus FaultyFiles::GetFreeSpace(const std::string& path, const IOOptions& options, uint64_t* free,
                                   IODebugContext* debug) {
  const auto bound = room();
  if (!bound) return target()->GetFreeSpace(path, options, free, debug);
  *free = *bound;
  return IOStatus::OK();
}

}  // namespace leasemap::storage
