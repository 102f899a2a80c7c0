// How a lease is taken. On the loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cpp/io/engine.h"
#include "clients/cpp/io/held_lease.h"
#include "clients/cpp/io/operations.h"

namespace leasemap::internal {

// One Acquire: tries, and waits in between, until it has the lease or its time is over.
class Acquiring : public std::enable_shared_from_this<Acquiring> {
 public:
  using Done = std::function<void(absl::StatusOr<LeasePtr>)>;

  static void Start(Engine& engine, const std::string& key, const LeaseOptions& options, Done done);

  Acquiring(Engine& engine, std::string key, const LeaseOptions& options, Done done);

 private:
  // What a grant brought.
  struct Grant {
    Entry entry;
    std::string target;
    bool made = false;  // the key's value was written
  };
  Ack ack() const { return options_.ack.value_or(Ack::Local()); }

  void Take();
  void AskForGrant();
  void RenewAsItIs();
  void SetAsItIs(const absl::StatusOr<Entry>& found);
  void SetOwn(bool overwrite);
  void SendSet(const std::string& value, const SetOptions& options, bool made);
  void Granted(const Grant& grant);
  void NotGranted(const absl::Status& status);
  void Settle();
  void Settled(const absl::StatusOr<Entry>& now);

  // A try was refused: waits, or gives up.
  void Refused(const absl::Status& status);
  void Pause(absl::Duration pause);
  void Woken();
  void Finish(absl::StatusOr<LeasePtr> outcome);
  // How long the calls of this try may take: an answer after the local deadline is of no use.
  absl::Duration CallTime() const;

  Engine& engine_;
  const std::string key_;
  const LeaseOptions options_;
  const Done done_;
  const Moment end_;
  LeasePtr lease_;  // of this try
  Sending sent_;
  std::optional<uint64_t> listening_;
  std::optional<Loop::Timer> timer_;  // while it waits
  bool woken_ = false;                // meanwhile the key may have become free
};

}  // namespace leasemap::internal
