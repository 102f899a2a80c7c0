#include "peer/core/data/disk_state.h"

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"

namespace leasemap::core {
namespace {

// Full disks are looked at once a second, and so are failing ones.
constexpr int64_t kRetryMs = 1000;

absl::Status Refuse(DiskState::Kind kind, const std::string& message) {
  const bool failed = kind == DiskState::Kind::kFailed;
  auto status = failed ? Refusal(absl::StatusCode::kUnavailable, "DISK_FAILED", message)
                       : Refusal(absl::StatusCode::kResourceExhausted, "DISK_FULL", message);
  if (failed) SetRetryMs(status, kRetryMs);
  return status;
}

}  // namespace

std::string DiskState::Describe() const {
  switch (kind) {
    case Kind::kGood:
      return "";
    case Kind::kShort:
      return absl::StrCat("the disk is full (", trouble,
                          "): Set is refused, Delete, Release and Renew are not; free space on it, or delete keys");
    case Kind::kFull:
      return absl::StrCat("the disk is full, and its reserve is used up (", trouble,
                          "): writes are refused, and nothing is saved; free space on it");
    case Kind::kFailed:
      break;
  }
  return absl::StrCat("the disk fails (", trouble, "): writes are refused, and nothing is saved; see to the disk");
}

absl::Status DiskState::Check(bool frees) const {
  if (kind == Kind::kGood || (kind == Kind::kShort && frees)) return absl::OkStatus();
  if (kind == Kind::kFailed) {
    return Refuse(kind, absl::StrCat("the disk of this node fails (", trouble, "); use another node"));
  }
  return Refuse(kind, absl::StrCat("the disk of this node is full; ", kind == Kind::kShort ? "delete keys, " : "",
                                   "free space on it, or use another node"));
}

absl::Status DiskState::Unsaved() const {
  return Refuse(kind, absl::StrCat("the disk of this node ", kind == Kind::kFailed ? "fails" : "is full",
                                   ": what this answer would tell is in its memory, and on its way to the other nodes, "
                                   "but not on its disk, and may be lost with this process; read the key again later"));
}

}  // namespace leasemap::core
