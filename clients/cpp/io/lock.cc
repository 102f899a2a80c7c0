#include "leasemap/lock.h"

#include <utility>

namespace leasemap {

Lock::Lock(Client& client, std::string key, LeaseOptions options)
    : client_(client), key_(std::move(key)), options_(std::move(options)) {
  if (!options_.ack) options_.ack = Ack::Majority();
  options_.holder_as_value = true;
}

absl::StatusOr<Lease> Lock::Acquire(absl::Duration wait) {
  LeaseOptions options = options_;
  options.wait = wait;
  return client_.Acquire(key_, options);
}

}  // namespace leasemap
