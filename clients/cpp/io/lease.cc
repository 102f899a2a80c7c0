#include "leasemap/lease.h"

#include <utility>

#include "clients/cpp/core/status.h"
#include "clients/cpp/io/held_lease.h"
#include "clients/cpp/io/keeper.h"
#include "clients/cpp/io/operations.h"
#include "clients/cpp/io/waiting.h"

namespace leasemap {

Lease::Lease(std::shared_ptr<internal::Engine> engine, std::shared_ptr<internal::HeldLease> held)
    : engine_(std::move(engine)), held_(std::move(held)) {}

Lease::~Lease() {
  if (!held_) return;
  engine_->Post([engine = engine_.get(), held = held_] { engine->keeper().GiveUp(held, nullptr); });
}

Lease::Lease(Lease&&) noexcept = default;

Lease& Lease::operator=(Lease&& other) noexcept {
  Lease moved(std::move(other));
  std::swap(engine_, moved.engine_);
  std::swap(held_, moved.held_);
  return *this;
}

const std::string& Lease::key() const { return held_->key(); }
bool Lease::valid() const { return held_->Held(); }
absl::Duration Lease::left() const { return held_->Left(); }
absl::Status Lease::status() const { return held_->status(); }
Entry Lease::entry() const { return held_->entry(); }
std::string Lease::fencing_token() const { return held_->fencing_token(); }
absl::Time Lease::expires() const { return held_->entry().expires; }
bool Lease::WaitOver(absl::Duration most) const { return held_->WaitOver(most); }

void Lease::OnLost(std::function<void(const absl::Status&)> handler) {
  held_->WhenLost(std::move(handler),
                  [engine = engine_.get()](std::function<void()> task) { engine->handlers().Post(std::move(task)); });
}

absl::StatusOr<Entry> Lease::Set(std::string_view value, SetOptions options) {
  const absl::Status status = this->status();
  if (!status.ok()) return status;
  // Should the lease be lost right now, the write takes no longer lease than this one.
  options.lease = held_->options().duration;
  options.ephemeral = options.ephemeral || held_->ephemeral();
  return internal::AskAndWait<absl::StatusOr<Entry>>(
      *engine_,
      [engine = engine_.get(), key = held_->key(), value = std::string(value), options](auto outcome) {
        internal::DoSet(*engine, key, value, options, std::move(outcome));
      },
      [](const absl::Status& failed) -> absl::StatusOr<Entry> { return failed; });
}

absl::Status Lease::Release() {
  return internal::AskAndWait<absl::Status>(
      *engine_,
      [engine = engine_.get(), held = held_](auto outcome) {
        const absl::Status before = held->status();
        if (internal::IsReason(before, reason::kLeaseLost)) {
          engine->keeper().End(held, internal::Stage::kLost, "its time ran out", true);
          return outcome(held->status());
        }
        engine->keeper().GiveUp(held, [outcome] { outcome(absl::OkStatus()); });
      },
      [held = held_](const absl::Status&) {
        const absl::Status status = held->status();  // the client was closed
        return internal::IsReason(status, reason::kLeaseLost) ? status : absl::OkStatus();
      });
}

}  // namespace leasemap
