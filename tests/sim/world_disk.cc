// The hosts' disks: how long a write takes, when it fails, and what a process that starts finds.
#include <memory>
#include <utility>

#include "tests/sim/world.h"

namespace leasemap::sim {

// A write takes a moment, and now and then long. It is there at its end, or, if the process ends before, not at all.
// Once in a while it fails: then the disk takes nothing for some seconds.
void World::Save(int host) {
  Host& at = hosts_[host];
  if (at.disk_stopped || std::exchange(at.saving, true)) return;
  auto piece = std::make_shared<const core::Unsaved>(at.node->TakeUnsaved());
  const int64_t us = disk_random_.Below(40) == 0 ? disk_random_.Below(400'000) : 50 + disk_random_.Below(10'000);
  const bool fails = disk_random_.Below(150) == 0 && disks_fail_;
  queue_.After(us, [this, host, piece, fails, process = at.process] {
    if (HostOf(process) < 0) return;
    if (!fails) hosts_[host].disk.Write(*piece);
    Call(process, [this, fails](core::Node& node, core::Now now, int at_host) {
      hosts_[at_host].saving = false;
      trace_.Note(queue_.now_us(), fails ? "not saved" : "saved", static_cast<uint64_t>(at_host));
      if (fails) StopDisk(at_host);
      fails ? node.OnSaveFailed() : node.OnSaved(now);
    });
  });
}

void World::StopDisk(int host) {
  using Kind = core::DiskState::Kind;
  Host& at = hosts_[host];
  at.disk_stopped = true;
  at.node->SetDiskState({disk_random_.Below(2) == 0 ? Kind::kFull : Kind::kFailed, "a fault"});
  queue_.After(disk_random_.Below(5'000'000), [this, process = at.process] {
    if (const int at_host = HostOf(process); at_host >= 0) MendDisk(at_host);
  });
}

void World::MendDisk(int host) {
  Call(hosts_[host].process, [this](core::Node& node, core::Now, int at_host) {
    if (!std::exchange(hosts_[at_host].disk_stopped, false)) return;
    trace_.Note(queue_.now_us(), "saves again", static_cast<uint64_t>(at_host));
    node.SetDiskState({});
  });
}

void World::SetDisksFail(bool fail) {
  disks_fail_ = fail;
  for (int host = 0; host < size() && !fail; ++host) {
    if (up(host)) MendDisk(host);
  }
}

void World::KeepImage(int host) {
  if (hosts_[host].has_disk) hosts_[host].older = hosts_[host].disk.Read();
}

}  // namespace leasemap::sim
