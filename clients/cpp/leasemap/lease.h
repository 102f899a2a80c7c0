// A lease that a client keeps: renewed in the background until it is released, or until it is lost.
//
// It is lost when it could not be renewed in time, when a node shows the key with another holder, when the key was
// deleted, or when a renewal turns out to have found no lease. Then valid() is false, WaitOver returns, and OnLost's
// handlers are called.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "leasemap/entry.h"
#include "leasemap/options.h"

namespace leasemap {

namespace internal {
class Engine;
class HeldLease;
}  // namespace internal

// Made by Client::Acquire, Lock and Election. Movable, not copyable; its methods may be called by many threads at once.
class Lease {
 public:
  Lease(std::shared_ptr<internal::Engine> engine, std::shared_ptr<internal::HeldLease> held);
  // Gives the lease up in the background. Client::Close waits for that.
  ~Lease();
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;

  const std::string& key() const;
  // The lease is surely this program's: its local deadline has not come, and nobody was seen to take it. The deadline
  // is three quarters of the duration after the last renewal that worked, counted from before that was sent, by a clock
  // that runs while the machine sleeps; so it comes before any node lets others in. Check before each use of the
  // resource that the lease guards, and pass it the fencing token: time may pass between the check and the use. The
  // check costs some 60 ns.
  bool valid() const;
  // The time until the local deadline, which each renewal moves on; 0 if the lease is not held.
  absl::Duration left() const;
  // OK while it is valid; LEASE_LOST, with the reason in the message, or LEASE_RELEASED.
  absl::Status status() const;
  // The key's entry as of the latest grant or renewal. Its value is missing after a renewal.
  Entry entry() const;
  // 32 hex digits that order the leases of this key as strings (Entry::fencing_token). It may rise at a renewal. It is
  // given even if the lease is lost: the resource refuses it then.
  std::string fencing_token() const;
  // Until when the cluster refuses others (UTC), as of the latest renewal.
  absl::Time expires() const;

  // Waits until the lease is lost or released, for this time at most; true if it is. In place of a sleep while working
  // under a lease. After a sleep of the machine it may return a second late; valid() is exact.
  bool WaitOver(absl::Duration most) const;
  // Calls the handler once, with status(), when the lease is lost, on the client's thread for handlers. Not when it is
  // released, or its Lease goes.
  void OnLost(std::function<void(const absl::Status&)> handler);

  // Writes the key under the lease, as Client::Set; LEASE_LOST or LEASE_RELEASED, and nothing is written, if it is not
  // valid.
  absl::StatusOr<Entry> Set(std::string_view value, SetOptions options = {});
  // Gives the lease up, so that others have it at once; waits 3 s at most, and if no node answers the lease lapses by
  // itself. LEASE_LOST if it was lost before; it then stays with who has it. May be called again.
  absl::Status Release();

 private:
  std::shared_ptr<internal::Engine> engine_;
  std::shared_ptr<internal::HeldLease> held_;  // null after a move
};

}  // namespace leasemap
