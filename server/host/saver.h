// The thread that brings the map to the disk, one piece at a time. Changes that are made while a piece is written are
// in the next one: many writes share one sync (group commit). Nobody waits for it but the calls that the node holds.
//
// While the disk fails, or has no room, it tries again once a second. Each piece is taken from the node as it is then,
// so a disk that is away costs no memory.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "peer/core/data/disk_state.h"
#include "peer/core/data/image.h"
#include "peer/threads/mutex.h"
#include "server/storage/disk.h"

namespace leasemap::host {

class Saver {
 public:
  // What it asks of the node's owner. Called on its thread, without its lock.
  struct Callbacks {
    // The next piece; nullopt if there is none.
    std::function<std::optional<core::Unsaved>()> take;
    // The piece is on the disk, or (`saved` false) is not. `state`: how the disk does from now on.
    std::function<void(bool saved, const core::DiskState& state)> done;
    // No piece was taken, and the disk does otherwise than before.
    std::function<void(const core::DiskState& state)> changed;
  };

  Saver(std::unique_ptr<storage::Disk> disk, Callbacks callbacks);
  ~Saver() { Stop(); }
  Saver(const Saver&) = delete;

  void Start();
  // There is a piece. Called on any thread; does not block.
  void Wake();
  // Writes what there is, if the disk takes it, and ends the thread.
  void Stop();

 private:
  void Run();
  // Returns false when it is time to end.
  bool Await();
  void SaveOne();
  void LookAfterDisk();
  core::DiskState StateAfter(const absl::Status& status) const;
  void SyncIfDue();

  const std::unique_ptr<storage::Disk> disk_;
  const Callbacks callbacks_;
  std::thread thread_;

  Mutex mutex_;
  Condition changed_;
  bool due_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;

  // Of the thread.
  core::DiskState state_;
  std::optional<Condition::Clock::time_point> sync_at_;  // what was written has to be brought to the disk by then
  Condition::Clock::time_point retry_at_{};              // not before that, while the disk takes nothing
};

}  // namespace leasemap::host
