// How this node's disk does. The shell says so (Node::SetDiskState); the node refuses writes accordingly.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace leasemap::core {

struct DiskState {
  enum class Kind {
    kGood,
    kShort,   // it is short of room: it takes what needs no more, from a reserve
    kFull,    // its reserve is used up, too: it takes nothing
    kFailed,  // it does not do what it is asked: it takes nothing
  };
  Kind kind = Kind::kGood;
  std::string trouble{};  // for people: what the system said; empty if it is good

  bool takes() const { return kind == Kind::kGood || kind == Kind::kShort; }
  // For people, in the node's status; empty if it is good.
  std::string Describe() const;
  // DISK_FULL or DISK_FAILED for a write that cannot be saved now. `frees`: it needs no more room on the disk.
  absl::Status Check(bool frees) const;
  // The same for a write that was applied, and perhaps sent to others, before the disk stopped.
  absl::Status Unsaved() const;
  bool operator==(const DiskState&) const = default;
};

}  // namespace leasemap::core
