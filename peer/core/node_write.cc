// Reads and local writes.
#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {
namespace {

absl::Status CheckArguments(const LeaseRules& rules, const WriteCommand& command) {
  if (auto status = CheckKey(command.key); !status.ok()) return status;
  if (command.value.size() > kMaxValueBytes) {
    return Refusal(absl::StatusCode::kInvalidArgument, "VALUE_TOO_LARGE",
                   absl::StrCat("the value has ", command.value.size(), " bytes; at most ", kMaxValueBytes,
                                " are allowed: store it elsewhere and its address here, or split it"));
  }
  if (auto status = CheckName("holder", command.holder); !status.ok()) return status;
  if (command.if_absent && !command.if_version.empty()) {
    return InvalidField("if_absent", "can't hold together with if_version; give one of the two");
  }
  const bool of_lease = command.change == Change::kRenew || command.change == Change::kRelease;
  if (of_lease && !rules.leasing) {
    return Unsupported(command.change == Change::kRenew ? "Renew" : "Release", "leasing is off in this cluster");
  }
  if (command.ephemeral) {
    if (!rules.leasing) return Unsupported("on_lapse", "leasing is off in this cluster, so no lease lapses");
    if (command.duration_ms == 0) {
      return InvalidField("on_lapse", "ON_LAPSE_DELETE needs a lease; leave lease_duration unset or above 0");
    }
  }
  return command.duration_ms ? CheckDuration(rules, *command.duration_ms) : absl::OkStatus();
}

absl::Status CheckConditions(const Entry* present, const WriteCommand& command) {
  const std::string version = present ? VersionOf(present->dot) : "";
  const bool absent_fails = command.if_absent && present != nullptr;
  const bool version_fails = !command.if_version.empty() && version != command.if_version;
  if (!absent_fails && !version_fails) return absl::OkStatus();
  auto status = Refusal(
      absl::StatusCode::kAborted, "VERSION_MISMATCH",
      present
          ? absl::StrCat("key \"", Shown(command.key), "\" is at version ", version,
                         absent_fails ? ", and if_absent asks that it not exist" : ", not the one in if_version",
                         "; get it and decide anew")
          : absl::StrCat("key \"", Shown(command.key), "\" does not exist, so no if_version can match; use if_absent"));
  AddMetadata(status, "key", command.key);
  return status;
}

}  // namespace

EntryPtr Node::Get(std::string_view key) const {
  const Store::Slot* slot = store_.FindSlot(key);
  return slot && !Store::IsDead(*slot) ? slot->entry : nullptr;
}

absl::StatusOr<EntryPtr> Node::Write(Now now, const WriteCommand& command) {
  if (auto status = CheckArguments(options_.rules, command); !status.ok()) return status;
  LookAtClock(now);
  if (auto status = CheckClock(); !status.ok()) return status;
  Lapse(now);
  const Store::Slot* found = store_.FindSlot(command.key);
  const Entry* previous = found ? found->entry.get() : nullptr;
  const Entry* present = found && !Store::IsDead(*found) ? previous : nullptr;
  const bool needs_key = command.change != Change::kSet;
  if (needs_key && present == nullptr) {
    if (command.allow_missing) return nullptr;
    return command.if_version.empty() ? KeyNotFound(command.key) : CheckConditions(nullptr, command);
  }

  const LeaseRequest request{command.change, command.key, command.holder, command.duration_ms};
  auto lease = Admit(options_.rules, previous, request, now.wall_ms);
  if (!lease.ok()) return lease.status();
  if (auto status = CheckConditions(present, command); !status.ok()) return status;
  if (!lease->has_value()) return nullptr;
  if (command.change == Change::kRenew && present->ephemeral && (*lease)->duration_ms == 0) {
    return InvalidField("lease_duration", "0 on an ephemeral key; Release it, or Set it anew with ON_LAPSE_KEEP");
  }
  if (previous == nullptr && store_.keys() >= kMaxKeys) {
    return Refusal(absl::StatusCode::kResourceExhausted, "KEY_LIMIT", "the map is full of keys; delete some first");
  }
  if (command.change == Change::kSet && store_.bytes() + command.value.size() > kMaxMapBytes) {
    return Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT", "the map is full; delete or shrink values");
  }

  const Stamp stamp = clock_.Peek(now.wall_ms, previous ? previous->stamp : 0);
  if (StampMs(stamp) > now.wall_ms + 4 * options_.rules.clock_bound_ms) {
    return Refusal(absl::StatusCode::kResourceExhausted, "EPOCH_LIMIT",
                   "this node's clock is far behind what it wrote or saw before; set the clock right, then try again");
  }
  auto entry = std::make_shared<Entry>();
  entry->key = command.key;
  entry->tombstone = command.change == Change::kDelete;
  if (command.change == Change::kSet) {
    entry->value = command.value;
    entry->value_is_text = command.value_is_text;
    entry->ephemeral = command.ephemeral;
  } else if (!entry->tombstone) {
    entry->value = present->value;
    entry->value_is_text = present->value_is_text;
    entry->ephemeral = present->ephemeral;
    entry->unknown_fields = present->unknown_fields;
  }
  entry->lease = *std::move(*lease);
  entry->stamp = stamp;
  entry->dot = Dot{self_, own_log_.end()};
  own_log_.Append(entry);
  Apply(entry);
  effects_.pull = !links_.empty();
  return entry;
}

}  // namespace leasemap::core
