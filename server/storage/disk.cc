#include "server/storage/disk.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "peer/core/data/error.h"
#include "rocksdb/file_system.h"

namespace leasemap::storage {
namespace {

constexpr char kFormatFile[] = "FORMAT", kLockFile[] = "LOCK", kMapFolder[] = "map", kReserveFile[] = "reserve";

// The same error, and what to do.
absl::Status With(const absl::Status& status, std::string_view advice) {
  return absl::Status(status.code(), absl::StrCat(std::string(status.message()), "; ", std::string(advice)));
}

bool IsFull(const absl::Status& status) { return absl::IsResourceExhausted(status); }

}  // namespace

absl::StatusOr<std::unique_ptr<Disk>> Disk::Open(Options options) {
  if (auto status = MakeFolder(options.path); !status.ok()) {
    return With(status, "name a folder that this user may write in --data-dir");
  }
  auto lock = FileLock::Take(options.path + "/" + kLockFile);
  if (!lock.ok()) {
    const bool taken = absl::IsFailedPrecondition(lock.status());
    return With(lock.status(), taken ? "end that process, or name another folder in --data-dir"
                                     : "name a folder that this user may write in --data-dir");
  }
  std::unique_ptr<Disk> disk(new Disk(std::move(options), *std::move(lock)));
  if (auto status = disk->ReadFormat(); !status.ok()) {
    return IsFull(status) ? With(status, "free space on that disk") : status;
  }
  if (!TakeRoom(disk->At(kReserveFile), disk->options_.reserve_bytes).ok()) disk->full_ = true;
  auto status = disk->OpenMap();
  if (IsFull(status)) {
    disk->UseReserve();
    status = disk->OpenMap();
  }
  if (IsFull(status)) return With(status, "free space on that disk");
  if (absl::IsUnavailable(status)) return With(status, "see what is wrong with the disk");
  if (!status.ok()) return status;
  return disk;
}

absl::Status Disk::ReadFormat() {
  const auto text = ReadSmallFile(At(kFormatFile));
  if (!text.ok()) return text.status();
  if (!*text) return MakeFormat();
  auto format = ParseFormat(**text);
  if (!format.ok()) {
    const char* advice = absl::IsDataLoss(format.status())
                             ? "move the folder away, and start with an empty one: the node takes the map from others"
                             : "use the version of leasemapd that wrote it, or name another folder in --data-dir";
    return With(
        absl::Status(format.status().code(), absl::StrCat(options_.path, ": ", std::string(format.status().message()))),
        advice);
  }
  format_ = *std::move(format);
  if (!options_.node_id.empty() && options_.node_id != format_.node_id) {
    return absl::FailedPreconditionError(
        absl::StrCat("--node-id: ", options_.path, " has the map of node ", core::Shown(format_.node_id), ", not of ",
                     core::Shown(options_.node_id), "; leave --node-id unset to go on as ",
                     core::Shown(format_.node_id), ", or name another folder in --data-dir"));
  }
  if (options_.cluster != format_.cluster) {
    return absl::FailedPreconditionError(
        absl::StrCat("--cluster: ", options_.path, " has a map of cluster ", core::Shown(format_.cluster), ", not of ",
                     core::Shown(options_.cluster), "; give that name, or name another folder in --data-dir"));
  }
  return absl::OkStatus();
}

absl::Status Disk::MakeFormat() {
  // A start that found the disk full may have left a part of FORMAT.
  const auto empty = HasOnly(options_.path, {kLockFile, absl::StrCat(kFormatFile, ".new")});
  if (!empty.ok()) return empty.status();
  if (!*empty) {
    return absl::FailedPreconditionError(
        absl::StrCat(options_.path,
                     " has files, but no FORMAT, so it is no data directory of leasemapd; name an empty "
                     "folder in --data-dir"));
  }
  format_ = {options_.node_id.empty() ? options_.default_id : options_.node_id, options_.cluster, Format::Map::kNew};
  return WriteSmallFile(At(kFormatFile), FormatText(format_));
}

absl::Status Disk::SetMap(Format::Map map) {
  Format format = format_;
  format.map = map;
  if (auto status = WriteSmallFile(At(kFormatFile), FormatText(format)); !status.ok()) return status;
  format_.map = map;
  return absl::OkStatus();
}

absl::Status Disk::OpenMap() {
  if (format_.map == Format::Map::kNew) {
    // A process that began to make them ended before it was done.
    std::error_code error;
    std::filesystem::remove_all(At(kMapFolder), error);
    if (auto status = CreateFiles(); !status.ok()) return status;
    return SetMap(Format::Map::kGood);
  }
  auto status = OpenFiles(MapFiles::Mode::kOpen);
  if (status.ok()) status = ReadFiles();
  return absl::IsDataLoss(status) ? MoveAside(status) : status;
}

absl::Status Disk::CreateFiles() { return OpenFiles(MapFiles::Mode::kCreate); }

absl::Status Disk::OpenFiles(MapFiles::Mode mode) {
  auto files = MapFiles::Open({At(kMapFolder), mode, options_.env});
  if (!files.ok()) return files.status();
  files_ = *std::move(files);
  return absl::OkStatus();
}

absl::Status Disk::ReadFiles() {
  auto image = files_->Read();
  if (!image.ok()) return image.status();
  image_ = *std::move(image);
  return absl::OkStatus();
}

absl::Status Disk::MoveAside(const absl::Status& damage) {
  files_.reset();
  image_.reset();
  const std::string what = absl::StrCat("the map in ", options_.path, " is damaged: ", std::string(damage.message()));
  if (!options_.has_seeds && !lost_map()) {
    return absl::DataLossError(
        absl::StrCat(what, "; name other nodes that have the map in --seeds, or restore a backup into another folder"));
  }
  const std::string aside =
      At(absl::StrCat("damaged-", absl::FormatTime("%Y%m%dT%H%M%E3SZ", absl::Now(), absl::UTCTimeZone())).c_str());
  std::error_code error;
  if (std::filesystem::exists(At(kMapFolder), error)) {
    if (auto status = Rename(At(kMapFolder), aside); !status.ok()) return status;
    notes_.push_back(absl::StrCat(what, "; its files are now in ", aside,
                                  ", and this node takes the map from the others before it serves"));
  } else {
    notes_.push_back(absl::StrCat(what, "; this node takes the map from the others before it serves"));
  }
  if (auto status = SetMap(Format::Map::kLost); !status.ok()) return status;
  return CreateFiles();
}

absl::StatusOr<std::string> Disk::Check(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path + "/" + kFormatFile, error)) {
    return absl::NotFoundError(absl::StrCat(path, " has no FORMAT, so it is no data directory of leasemapd"));
  }
  auto lock = FileLock::Take(path + "/" + kLockFile);
  if (!lock.ok()) return With(lock.status(), "end that process first");
  Options options;
  options.path = path;
  Disk disk(std::move(options), *std::move(lock));
  const auto text = ReadSmallFile(disk.At(kFormatFile));
  if (!text.ok()) return text.status();
  auto format = ParseFormat(text->value_or(""));
  if (!format.ok()) return format.status();
  disk.format_ = *std::move(format);
  const std::string whose = absl::StrCat("node ", core::Shown(disk.format_.node_id), " of cluster ",
                                         core::Shown(disk.format_.cluster), ", format ", kFormat);
  if (disk.format_.map == Format::Map::kNew) return absl::StrCat(whose, ": nothing was written yet");
  auto status = disk.OpenFiles(MapFiles::Mode::kLook);
  if (status.ok()) status = disk.ReadFiles();
  if (absl::IsDataLoss(status)) {
    return With(absl::DataLossError(absl::StrCat("damaged: ", std::string(status.message()))),
                "leasemapd with --seeds moves it aside and takes the map from the others");
  }
  if (!status.ok()) return status;
  const size_t keys = disk.image_ ? disk.image_->entries.size() : 0;
  return absl::StrCat(
      whose, ": ", keys, " records, none damaged",
      disk.lost_map() ? "; an earlier map was damaged, and the others' is not here as a whole yet" : "");
}

absl::Status Disk::Write(const core::Unsaved& piece) {
  // A piece that is not the last of its kind is made safe by the last.
  const bool sync = options_.fsync == Fsync::kAlways && piece.rest.has_value();
  auto status = files_->Write(piece, sync);
  if (IsFull(status) && !full_) {
    UseReserve();
    status = files_->Recover();
    if (status.ok()) status = files_->Write(piece, sync);
  }
  if (!status.ok()) return status;
  return lost_map() && piece.rest && piece.rest->whole ? SetMap(Format::Map::kGood) : status;
}

absl::Status Disk::Recover() {
  auto status = files_->Recover();
  if (!IsFull(status) || full_) return status;
  UseReserve();
  return files_->Recover();
}

void Disk::UseReserve() {
  GiveRoom(At(kReserveFile));
  full_ = true;
}

void Disk::LookForRoom() {
  uint64_t free = 0;
  if (!full_ || !options_.env->GetFileSystem()->GetFreeSpace(options_.path, {}, &free, nullptr).ok()) return;
  if (free < 2 * options_.reserve_bytes) return;
  full_ = !TakeRoom(At(kReserveFile), options_.reserve_bytes).ok();
}

}  // namespace leasemap::storage
