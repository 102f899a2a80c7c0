// The leases of a client: renewed in the background, told as lost, and given up. On the loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "clients/cpp/io/engine.h"
#include "clients/cpp/io/held_lease.h"

namespace leasemap::internal {

// How long it may take until a lease is given up; if no node answers, the lease lapses by itself.
inline constexpr absl::Duration kReleaseMost = absl::Seconds(3);

class Keeper {
 public:
  explicit Keeper(Engine& engine) : engine_(engine) {}

  // The lease that this client holds on the key; null if there is none.
  LeasePtr Kept(const std::string& key) const;
  // Nobody else of this program acquires the key from now on; false if somebody has it.
  bool Reserve(const LeasePtr& lease);
  // It was granted: it is renewed from now on, and its key is watched.
  void Keep(const LeasePtr& lease);
  // A write under a lease that is kept renewed it. Null: there was none.
  void Renewed(const LeasePtr& lease, const Entry& entry, const Sending& sent, const std::string& target);
  // A node shows this of a key.
  void Saw(Kind kind, const Entry& entry);
  // Renews those of these keys' leases that are held at once.
  void MakeDue(const std::vector<std::string>& keys);

  // It is over here. Without `free` nobody of this program acquires the key before Free: its release is on the way, and
  // would give up the next lease too.
  void End(const LeasePtr& lease, Stage stage, const std::string& why, bool free);
  void Free(const LeasePtr& lease);
  // Gives up at the cluster what is over here, then frees the key.
  using Then = std::function<void()>;
  void Release(const LeasePtr& lease, Then then);
  // Releases a lease that is held; one that is lost stays with who has it.
  void GiveUp(const LeasePtr& lease, Then then);
  // Gives up all that are kept; waits for kReleaseMost at most.
  void GiveUpAll(Then then);
  void LoseAll(const std::string& why);

 private:
  struct GivingUp;
  void GiveUpSome(const std::shared_ptr<GivingUp>& all);
  void Look();
  void RenewDue(Moment now);
  void RenewAt(const std::string& target, std::vector<LeasePtr> some, bool moved);
  void RenewalsEnded(const std::string& target, const std::vector<LeasePtr>& some, const std::vector<Sending>& sent,
                     const absl::StatusOr<v1::BatchRenewResponse>& answer);
  // The item of one lease; returns what keeps it from being renewed now.
  absl::Status RenewalEnded(const LeasePtr& lease, const v1::BatchResult& result, const Sending& sent,
                            const std::string& target);
  HeldLease::Run Handlers() const;

  Engine& engine_;
  absl::flat_hash_map<std::string, LeasePtr> leases_;  // held, or being acquired: one of a key at a time
  std::optional<Loop::Timer> timer_;                   // when it looks again
  size_t releasing_ = 0;                               // releases that are not answered yet
  std::shared_ptr<GivingUp> giving_up_;                // once the client is being closed
};

}  // namespace leasemap::internal
