#include "leasemap/registry.h"

#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/core/status.h"
#include "clients/cpp/io/acquire.h"
#include "clients/cpp/io/chance.h"
#include "clients/cpp/io/keeper.h"
#include "clients/cpp/io/map_feed.h"
#include "clients/cpp/io/waiting.h"

namespace leasemap {
namespace internal {
namespace {

// Where services are registered, by the libraries of all languages.
constexpr std::string_view kServices = "services/";
// An instance whose lease was lost is taken again by waits of this length, so that one that is unregistered meanwhile
// does not wait on.
constexpr absl::Duration kWaitEach = absl::Seconds(5);
// The pause after a failure that does not end by waiting, as a cluster with another configuration.
constexpr absl::Duration kPauseMost = absl::Seconds(1);

}  // namespace

// The instances that a registry registered. On the loop.
class Registrations : public std::enable_shared_from_this<Registrations> {
 public:
  using Outcome = std::function<void(absl::Status)>;

  Registrations(Engine& engine, std::string below) : engine_(engine), below_(std::move(below)) {}

  void Register(const std::string& instance, const LeaseOptions& options, const Outcome& outcome) {
    if (mine_.contains(instance)) {
      return outcome(absl::AlreadyExistsError(absl::StrCat(
          "instance ", ShowKey(instance), " is registered by this registry already; unregister it first")));
    }
    const uint64_t number = ++last_;
    mine_[instance] = {.number = number, .options = options, .lease = nullptr};
    Acquiring::Start(engine_, below_ + instance, options,
                     [self = shared_from_this(), instance, number, outcome](absl::StatusOr<LeasePtr> lease) {
                       if (!lease.ok()) {
                         if (self->Find(instance, number)) self->mine_.erase(instance);
                         return outcome(lease.status());
                       }
                       self->Keep(instance, number, *lease);
                       outcome(absl::OkStatus());
                     });
  }

  void Unregister(const std::string& instance, Outcome outcome) {
    const auto found = mine_.find(instance);
    if (found == mine_.end()) {
      return outcome(
          absl::NotFoundError(absl::StrCat("instance ", ShowKey(instance), " was not registered by this registry")));
    }
    const LeasePtr lease = found->second.lease;
    mine_.erase(found);
    if (!lease) return outcome(absl::OkStatus());  // it is on its way, and is given up when it comes
    engine_.keeper().GiveUp(lease, [outcome = std::move(outcome)] { outcome(absl::OkStatus()); });
  }

  void UnregisterAll(const std::function<void(bool)>& outcome) {
    std::vector<std::string> all;
    for (const auto& [instance, mine] : mine_) all.push_back(instance);
    const auto left = std::make_shared<size_t>(all.size());
    if (all.empty()) return outcome(true);
    for (const std::string& instance : all) {
      Unregister(instance, [left, outcome](const absl::Status&) {
        if (--*left == 0) outcome(true);
      });
    }
  }

 private:
  struct Mine {
    uint64_t number = 0;  // which registration of this name it is
    LeaseOptions options;
    LeasePtr lease;  // null while it is being acquired
  };

  Mine* Find(const std::string& instance, uint64_t number) {
    const auto found = mine_.find(instance);
    return found != mine_.end() && found->second.number == number ? &found->second : nullptr;
  }

  void Keep(const std::string& instance, uint64_t number, const LeasePtr& lease) {
    Mine* mine = Find(instance, number);
    if (!mine) return engine_.keeper().GiveUp(lease, nullptr);  // it was unregistered meanwhile
    mine->lease = lease;
    Engine& engine = engine_;
    lease->WhenLost(
        [self = weak_from_this(), shared = engine.weak_from_this(), instance, number](const absl::Status&) {
          const auto alive = shared.lock();
          if (!alive) return;
          alive->Post([self, instance, number] {
            if (const auto here = self.lock()) here->Again(instance, number);
          });
        },
        [&engine](std::function<void()> task) { engine.handlers().Post(std::move(task)); });
  }

  // Its lease was lost.
  void Again(const std::string& instance, uint64_t number) {
    Mine* mine = Find(instance, number);
    if (!mine || engine_.closing()) return;
    mine->lease = nullptr;
    LeaseOptions options = mine->options;
    options.wait = kWaitEach;
    Acquiring::Start(engine_, below_ + instance, options,
                     [self = shared_from_this(), instance, number](absl::StatusOr<LeasePtr> lease) {
                       if (lease.ok()) return self->Keep(instance, number, *lease);
                       self->engine_.After(kPauseMost * (0.5 + 0.5 * Chance()),
                                           [self, instance, number] { self->Again(instance, number); });
                     });
  }

  Engine& engine_;
  const std::string below_;
  uint64_t last_ = 0;
  absl::flat_hash_map<std::string, Mine> mine_;
};

}  // namespace internal

namespace {

absl::Status Fail(const absl::Status& status) { return status; }

Registry::InstanceMap InstancesOf(const internal::MapFeed& feed) {
  Registry::InstanceMap found;
  for (const auto& entry : feed.table().Entries()) found[entry->key.substr(feed.prefix().size())] = entry->value;
  return found;
}

}  // namespace

Registry::Registry(Client& client, std::string_view service)
    : client_(client),
      below_(absl::StrCat(std::string(internal::kServices), std::string(service), "/")),
      map_(client, {.prefix = below_}),
      registrations_(std::make_shared<internal::Registrations>(*client.engine(), below_)) {}

Registry::~Registry() {
  internal::AskAndWait<bool>(
      *client_.engine(), [all = registrations_](auto outcome) { all->UnregisterAll(outcome); },
      [](const absl::Status&) { return false; });
}

absl::Status Registry::Register(std::string_view instance, std::string_view value, const LeaseOptions& options) {
  LeaseOptions with_value = options;
  with_value.value = std::string(value);
  return internal::AskAndWait<absl::Status>(
      *client_.engine(),
      [all = registrations_, instance = std::string(instance), with_value](auto outcome) {
        all->Register(instance, with_value, outcome);
      },
      Fail);
}

absl::Status Registry::Unregister(std::string_view instance) {
  return internal::AskAndWait<absl::Status>(
      *client_.engine(),
      [all = registrations_, instance = std::string(instance)](auto outcome) {
        all->Unregister(instance, std::move(outcome));
      },
      Fail);
}

Registry::InstanceMap Registry::Instances() const { return InstancesOf(*map_.feed()); }

Subscription Registry::OnChange(std::function<void(const InstanceMap&)> handler) {
  struct Told {
    InstanceMap instances;
    bool any = false;
  };
  const auto told = std::make_shared<Told>();
  // The map's feed, not the registry: that may go before the subscription.
  const auto events = std::make_shared<internal::MapEvents>(
      client_.engine(), map_.feed(),
      [feed = std::weak_ptr<internal::MapFeed>(map_.feed()), told, handler = std::move(handler)](const Event&) {
        const auto alive = feed.lock();
        if (!alive) return;
        InstanceMap now = InstancesOf(*alive);
        if (told->any && now == told->instances) return;
        told->any = true;
        told->instances = std::move(now);
        handler(told->instances);
      });
  client_.engine()->Post([feed = map_.feed(), events] {
    feed->Add(events);
    events->PublishBookmark();
  });
  return Subscription(events);
}

}  // namespace leasemap
