// A lease for use as a lock.
//
//   leasemap::Lock lock(client, "locks/report");
//   absl::StatusOr<leasemap::Lease> lease = lock.Acquire(absl::Seconds(30));
//   if (lease.ok()) Work(lease->fencing_token());  // and check lease->valid(); the lock is given back when the lease
//   goes
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "leasemap/client.h"
#include "leasemap/lease.h"
#include "leasemap/options.h"

namespace leasemap {

// The key is the lock's own: it is ephemeral, and its value is the holder. By default a majority of the nodes must have
// the lease. Client::Acquire says what it promises, and what not. The client must outlive the lock.
class Lock {
 public:
  // LeaseOptions::wait is not used: the calls say how long they wait.
  Lock(Client& client, std::string key, LeaseOptions options = {});

  // Waits for its turn, for this time at most. Errors as of Client::Acquire; LEASE_HELD when the time is over.
  absl::StatusOr<Lease> Acquire(absl::Duration wait = absl::InfiniteDuration());
  // LEASE_HELD if another has it.
  absl::StatusOr<Lease> TryAcquire() { return Acquire(absl::ZeroDuration()); }

  const std::string& key() const { return key_; }

 private:
  Client& client_;
  const std::string key_;
  LeaseOptions options_;
};

}  // namespace leasemap
