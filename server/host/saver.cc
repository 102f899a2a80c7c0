#include "server/host/saver.h"

#include <algorithm>
#include <utility>

namespace leasemap::host {
namespace {

using Clock = Condition::Clock;
using std::chrono::milliseconds;

// --fsync interval: a power cut loses no more than this.
constexpr milliseconds kSyncEvery{100};
// A disk that takes nothing, or is short of room, is looked at once in this time.
constexpr milliseconds kLookEvery{1000};

}  // namespace

Saver::Saver(std::unique_ptr<storage::Disk> disk, Callbacks callbacks)
    : disk_(std::move(disk)), callbacks_(std::move(callbacks)) {}

void Saver::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Saver::Wake() {
  const MutexLock lock(mutex_);
  due_ = true;
  changed_.NotifyOne();
}

void Saver::Stop() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void Saver::Run() {
  LookAfterDisk();
  while (Await()) {
    LookAfterDisk();
    SyncIfDue();
    if (state_.takes()) SaveOne();
  }
  // What the last calls wrote, in as many pieces as it takes.
  while (state_.takes()) {
    {
      const MutexLock lock(mutex_);
      if (!std::exchange(due_, false)) break;
    }
    SaveOne();
  }
  if (state_.takes() && disk_->fsync() != storage::Fsync::kNever) (void)disk_->Sync();
}

// Until there is a piece that the disk may take, or it is time to look after the disk.
bool Saver::Await() {
  const MutexLock lock(mutex_);
  for (;;) {
    if (stop_) return false;
    const Clock::time_point now = Clock::now();
    const bool good = state_.kind == core::DiskState::Kind::kGood;
    if (state_.takes() && due_) return true;
    if ((!good && now >= retry_at_) || (sync_at_ && now >= *sync_at_)) return true;
    if (!good || sync_at_) {
      changed_.WaitUntil(
          mutex_, std::min(good ? Clock::time_point::max() : retry_at_, sync_at_.value_or(Clock::time_point::max())));
    } else {
      changed_.Wait(mutex_);
    }
  }
}

core::DiskState Saver::StateAfter(const absl::Status& status) const {
  using Kind = core::DiskState::Kind;
  const std::string trouble(status.message());
  if (absl::IsResourceExhausted(status)) return {Kind::kFull, trouble};
  if (!status.ok()) return {Kind::kFailed, trouble};
  if (disk_->full()) return {Kind::kShort, "its reserve is in use"};
  return {};
}

void Saver::SaveOne() {
  {
    const MutexLock lock(mutex_);
    due_ = false;
  }
  const auto piece = callbacks_.take();
  if (!piece) return;
  const auto status = disk_->Write(*piece);
  const core::DiskState::Kind before = std::exchange(state_, StateAfter(status)).kind;
  // Only when that is new: a disk that is short of room takes pieces, and is looked at all the same.
  if (state_.kind != core::DiskState::Kind::kGood && state_.kind != before) retry_at_ = Clock::now() + kLookEvery;
  if (status.ok() && disk_->fsync() == storage::Fsync::kInterval && !sync_at_) sync_at_ = Clock::now() + kSyncEvery;
  callbacks_.done(status.ok(), state_);
}

// Tries whether a disk that took nothing does again, and whether there is room again.
void Saver::LookAfterDisk() {
  const bool looked_at_start = retry_at_ == Clock::time_point();
  if (!looked_at_start && (state_.kind == core::DiskState::Kind::kGood || Clock::now() < retry_at_)) return;
  retry_at_ = Clock::now() + kLookEvery;
  disk_->LookForRoom();
  const core::DiskState now = state_.takes() ? StateAfter(absl::OkStatus()) : StateAfter(disk_->Recover());
  if (now == state_) return;
  state_ = now;
  callbacks_.changed(state_);
  if (state_.takes()) Wake();
}

void Saver::SyncIfDue() {
  if (!sync_at_ || Clock::now() < *sync_at_) return;
  sync_at_.reset();
  if (!state_.takes()) return;  // Recover writes all of it to new files
  const auto status = disk_->Sync();
  if (status.ok()) return;
  state_ = StateAfter(status);
  retry_at_ = Clock::now() + kLookEvery;
  callbacks_.changed(state_);
}

}  // namespace leasemap::host
