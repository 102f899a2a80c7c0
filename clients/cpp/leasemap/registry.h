// The instances of one service: ephemeral keys services/SERVICE/INSTANCE, so that an instance whose program died
// vanishes. The libraries of the other languages use the same keys.
//
//   leasemap::Registry registry(client, "web");
//   registry.Register("host-1", "10.0.0.1:80");          // kept until the registry goes
//   for (const auto& [name, address] : registry.Instances()) …
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "leasemap/client.h"
#include "leasemap/options.h"
#include "leasemap/subscription.h"
#include "leasemap/sync_map.h"

namespace leasemap {

namespace internal {
class Registrations;
}  // namespace internal

// All methods may be called by many threads at once. The client must outlive the registry.
class Registry {
 public:
  using InstanceMap = std::map<std::string, std::string>;  // name to value

  // Starts a copy of the instances; WaitSynced waits until it is whole.
  Registry(Client& client, std::string_view service);
  // Takes the instances away that it registered; waits 3 s at most.
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // As of SyncMap.
  absl::Status WaitSynced(absl::Duration most = absl::Seconds(10)) const { return map_.WaitSynced(most); }

  // Adds an instance (its value is what others need, as host:port) and keeps it until Unregister, or until the registry
  // goes; it is set again if its lease was lost. LEASE_HELD if another holder has that name (at once, or after
  // LeaseOptions::wait); kAlreadyExists if this registry registered it before. Duration is after how long an instance
  // whose program died vanishes (10 s). LeaseOptions::value is not used.
  absl::Status Register(std::string_view instance, std::string_view value, const LeaseOptions& options = {});
  // Takes the instance away; waits 3 s at most. kNotFound if this registry did not register it.
  absl::Status Unregister(std::string_view instance);

  // The instances and their values, as far as the copy knows.
  InstanceMap Instances() const;
  // Calls the handler with the present instances, and after each change, on the client's thread for handlers.
  [[nodiscard]] Subscription OnChange(std::function<void(const InstanceMap&)> handler);

 private:
  Client& client_;
  const std::string below_;  // what its keys start with
  SyncMap map_;
  std::shared_ptr<internal::Registrations> registrations_;
};

}  // namespace leasemap
