// Backup files (docs/backup.md), for those who write and read them: a line, records, and at the end a checksum.
//
//   LEASEMAP BACKUP 1\n
//   and then, again and again: the length of a record, as a varint, and a BackupRecord (protos/leasemap/storage/v1)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "leasemap/storage/v1/backup.pb.h"
#include "openssl/evp.h"

namespace leasemap {

inline constexpr char kBackupLine[] = "LEASEMAP BACKUP 1\n";
inline constexpr char kBackupName[] = "LEASEMAP BACKUP ";
// No record that BackupWriter makes is longer: some entries of 1 MiB at most, or what a map covers.
inline constexpr size_t kMaxBackupRecord = 16 << 20;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void Add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  // Once.
  std::string Digest() {
    std::string digest(EVP_MAX_MD_SIZE, '\0');
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), &size);
    digest.resize(size);
    return digest;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

// Gives the bytes of a file, record by record.
class BackupWriter {
 public:
  std::string Begin(const storage::v1::BackupHeader& header) {
    storage::v1::BackupRecord record;
    *record.mutable_header() = header;
    std::string bytes = kBackupLine + Framed(record);
    sha256_.Add(bytes);
    return bytes;
  }
  std::string Add(storage::v1::BackupEntries entries) {
    entries_ += static_cast<uint64_t>(entries.entries_size());
    storage::v1::BackupRecord record;
    *record.mutable_entries() = std::move(entries);
    std::string bytes = Framed(record);
    sha256_.Add(bytes);
    return bytes;
  }
  // Sets the number of entries and the checksum.
  std::string End(storage::v1::BackupEnd end) {
    end.set_entries(entries_);
    end.set_sha256(sha256_.Digest());
    storage::v1::BackupRecord record;
    *record.mutable_end() = std::move(end);
    return Framed(record);
  }
  uint64_t entries() const { return entries_; }

 private:
  static std::string Framed(const storage::v1::BackupRecord& record) {
    std::string bytes;
    for (uint64_t length = record.ByteSizeLong();; length >>= 7) {
      bytes.push_back(static_cast<char>((length & 0x7f) | (length > 0x7f ? 0x80 : 0)));
      if (length <= 0x7f) break;
    }
    record.AppendToString(&bytes);
    return bytes;
  }

  Sha256 sha256_;
  uint64_t entries_ = 0;
};

// Takes the bytes of a file as they come, and gives its records. It checks their order, their number and the checksum.
class BackupParser {
 public:
  void Add(std::string_view bytes) { bytes_.append(bytes); }
  // The next record; nullopt: more bytes are needed. DATA_LOSS says what is wrong with the file; FAILED_PRECONDITION:
  // it is of a later format.
  absl::StatusOr<std::optional<storage::v1::BackupRecord>> Next() {
    if (!begun_) {
      if (auto status = TakeLine(); !status.ok()) return status;
      if (!begun_) return std::nullopt;
    }
    uint64_t length = 0;
    size_t head = 0;
    if (!ReadLength(&length, &head)) return std::nullopt;
    if (length > kMaxBackupRecord) return Damaged("a record is too long");
    if (at_ + head + length > bytes_.size()) return std::nullopt;
    if (ended_) return Damaged("there is something after its end");
    storage::v1::BackupRecord record;
    if (!record.ParseFromArray(bytes_.data() + at_ + head, static_cast<int>(length))) {
      return Damaged("a record cannot be read");
    }
    if (auto status = Check(record); !status.ok()) return status;
    if (!record.has_end()) sha256_.Add(std::string_view(bytes_).substr(at_, head + length));
    at_ += head + length;
    // What was read goes once it is much.
    if (at_ > (1 << 20)) {
      bytes_.erase(0, at_);
      at_ = 0;
    }
    return record;
  }
  // The end was read, and everything is right.
  bool complete() const { return ended_ && at_ == bytes_.size(); }

 private:
  static absl::Status Damaged(const char* what) {
    return absl::DataLossError(std::string("the backup is damaged: ") + what);
  }
  absl::Status TakeLine() {
    const std::string_view line = kBackupLine;
    if (bytes_.size() < line.size()) {
      const bool may_be = line.substr(0, bytes_.size()) == bytes_;
      return may_be ? absl::OkStatus() : absl::DataLossError("it is no backup of leasemap");
    }
    if (!std::string_view(bytes_).starts_with(kBackupName)) return absl::DataLossError("it is no backup of leasemap");
    if (!std::string_view(bytes_).starts_with(line)) {
      return absl::FailedPreconditionError(
          "the backup has a format that this version does not read; it reads format 1");
    }
    sha256_.Add(line);
    at_ = line.size();
    begun_ = true;
    return absl::OkStatus();
  }
  bool ReadLength(uint64_t* length, size_t* head) const {
    for (*head = 0; at_ + *head < bytes_.size() && *head < 10; ++*head) {
      const auto byte = static_cast<uint8_t>(bytes_[at_ + *head]);
      *length |= static_cast<uint64_t>(byte & 0x7f) << (7 * *head);
      if ((byte & 0x80) == 0) return ++*head, true;
    }
    if (*head == 10) *length = UINT64_MAX;  // no length has so many bytes
    return *head == 10;
  }
  absl::Status Check(const storage::v1::BackupRecord& record) {
    if (record.has_header() != !headed_) return Damaged("its header is missing, or comes twice");
    headed_ = true;
    entries_ += static_cast<uint64_t>(record.entries().entries_size());
    if (!record.has_end()) return absl::OkStatus();
    ended_ = true;
    if (record.end().entries() != entries_) return Damaged("entries are missing");
    if (record.end().sha256() != sha256_.Digest()) return Damaged("its checksum is another one");
    return absl::OkStatus();
  }

  std::string bytes_;
  size_t at_ = 0;  // bytes before it were read
  bool begun_ = false, headed_ = false, ended_ = false;
  uint64_t entries_ = 0;
  Sha256 sha256_;
};

}  // namespace leasemap
