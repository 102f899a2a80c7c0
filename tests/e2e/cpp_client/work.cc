// What the driver does by itself: gathers events, writes at random, counts under a lease.
#include <cstdlib>
#include <random>
#include <utility>

#include "tests/e2e/cpp_client/things.h"

namespace leasemap::e2e {

void Told::Add(const Event& event) {
  absl::MutexLock lock(&mutex_);
  events_.push_back(ShowEvent(event));
}

void Told::End(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  status_ = status;
}

void Told::Keep(Subscription subscription) {
  absl::MutexLock lock(&mutex_);
  subscription_ = std::move(subscription);
}

Answer Told::Do(const Command& command) {
  Subscription over;  // ends without the lock, which its handler takes
  absl::MutexLock lock(&mutex_);
  if (command.op == "stop") over = std::move(subscription_);
  return {.result = List(events_), .status = status_};
}

Churn::Churn(std::shared_ptr<Client> client, std::string prefix)
    : client_(std::move(client)), prefix_(std::move(prefix)), thread_([this] { Work(); }) {}

Churn::~Churn() { Stop(); }

void Churn::Work() {
  std::mt19937 chance(std::random_device{}());
  while (!stop_) {
    const auto kind = static_cast<int>(chance() % 8);
    const absl::Status status = One(kind, prefix_ + std::to_string(chance() % 40), std::to_string(chance()));
    // Another's ephemeral key, or no node for a moment, is no wonder.
    if (!status.ok() && ReasonOf(status) != reason::kLeaseHeld && !absl::IsUnavailable(status)) {
      absl::MutexLock lock(&mutex_);
      strange_ = status;
    }
    ++done_;
  }
}

absl::Status Churn::One(int chance, const std::string& key, const std::string& value) {
  if (chance == 0) return client_->Delete(key, {.allow_missing = true}).status();
  if (chance == 1) return client_->Set(key, value, {.lease = absl::Seconds(2), .ephemeral = true}).status();
  return client_->Set(key, value).status();
}

void Churn::Stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

Answer Churn::Do(const Command& command) {
  if (command.op == "stop") Stop();
  absl::MutexLock lock(&mutex_);
  return {.result = Number(done_), .status = strange_};
}

Value ShowLease(const Lease& lease) {
  Value shown = ShowEntry(lease.entry());
  auto& fields = *shown.mutable_struct_value()->mutable_fields();
  fields["held"] = Bool(lease.valid());
  fields["left"] = Number(absl::ToDoubleSeconds(lease.left()));
  fields["why"] = Text(std::string(lease.status().message()));
  return shown;
}

Answer CountUp(Client& client, const std::string& key) {
  absl::StatusOr<Lease> lease = client.Acquire(
      key, {.duration = absl::Seconds(6), .persistent = true, .wait = absl::InfiniteDuration(), .ack = Ack::All()});
  if (!lease.ok()) return {.status = lease.status()};
  const absl::StatusOr<Entry> entry = client.Get(key, {.min_version = lease->entry().version});
  if (!entry.ok()) return {.status = entry.status()};
  const int value = std::atoi(entry->value.c_str()) + 1;  // 0 where the key was made for the lease
  const absl::StatusOr<Entry> set = lease->Set(std::to_string(value));
  lease->Release().IgnoreError();
  return {.result = Number(value), .status = set.status()};
}

}  // namespace leasemap::e2e
