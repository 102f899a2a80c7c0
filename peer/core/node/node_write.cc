// Reads and local writes.
#include "absl/strings/str_cat.h"
#include "peer/core/data/bytes.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/node.h"

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
    return InvalidField("if_absent", "cannot be combined with if_version; give one of the two");
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
  if (command.request_id.size() > kMaxRequestIdBytes || !IsPrintableUtf8(command.request_id)) {
    return InvalidField("request_id", absl::StrCat("must be at most ", kMaxRequestIdBytes,
                                                   " bytes of printable UTF-8, has ", command.request_id.size()));
  }
  if (command.ack.level == Ack::Level::kNodes && (command.ack.nodes == 0 || command.ack.nodes > kMaxMembers + 1)) {
    return InvalidField("ack_nodes", absl::StrCat("a cluster never has ", command.ack.nodes, " nodes; give 1 to ",
                                                  kMaxMembers + 1, ", this node included"));
  }
  return command.duration_ms ? CheckDuration(rules, *command.duration_ms) : absl::OkStatus();
}

absl::Status CheckConditions(const Entry* present, const WriteCommand& command) {
  const std::string version = present ? VersionOf(present->dot) : "";
  const bool absent_fails = command.if_absent && present != nullptr;
  // The version of the write that set the value will do as well as that of its latest renewal.
  const bool version_fails = !command.if_version.empty() && version != command.if_version &&
                             (!present || VersionOf(ValueDot(*present)) != command.if_version);
  if (!absent_fails && !version_fails) return absl::OkStatus();
  auto status = Refusal(
      absl::StatusCode::kAborted, "VERSION_MISMATCH",
      present
          ? absl::StrCat("key \"", Shown(command.key), "\" is at version ", version,
                         absent_fails ? ", and if_absent asks that it not exist" : ", not the one in if_version",
                         "; read the key again and retry")
          : absl::StrCat("key \"", Shown(command.key), "\" does not exist, so no if_version can match; use if_absent"));
  AddMetadata(status, "key", command.key);
  return status;
}

}  // namespace

// An ephemeral key is gone once its lease ended by a trusted clock, though its event may come a moment later.
bool Node::IsGone(Now now, const Store::Slot& slot) const {
  if (Store::IsDead(slot)) return true;
  return slot.entry->ephemeral && slot.entry->lease.expire_ms <= now.wall_ms && clock_guard_.trusted();
}

EntryPtr Node::Get(Now now, std::string_view key) const {
  const Store::Slot* slot = shown().store.FindSlot(key);
  return slot && !IsGone(now, *slot) ? slot->entry : nullptr;
}

absl::StatusOr<EntryPtr> Node::Write(Now now, const WriteCommand& command) {
  if (auto status = CheckArguments(options_.rules, command); !status.ok()) return status;
  LookAtClock(now);
  Lapse(now);
  if (auto status = CheckWritable(now); !status.ok()) return status;
  auto done = calls_.requests.FindDone(now.mono, command, store());
  if (!done.ok()) return done.status();
  if (done->has_value()) return **done;
  if (auto status = replica_.saving().state().Check(command.change != Change::kSet); !status.ok()) return status;
  const auto remember = [&](const EntryPtr& entry) { return calls_.requests.Remember(now.mono, command, entry); };
  const Store::Slot* found = replica_.store().FindSlot(command.key);
  const Entry* previous = found ? found->entry.get() : nullptr;
  const Entry* present = found && !IsGone(now, *found) ? previous : nullptr;
  const bool needs_key = command.change != Change::kSet;
  if (needs_key && present == nullptr) {
    if (command.allow_missing) return remember(nullptr);
    return command.if_version.empty() ? KeyNotFound(command.key) : CheckConditions(nullptr, command);
  }

  const LeaseRequest request{command.change, command.key, command.holder, command.duration_ms, command.only_if_held};
  auto lease = Admit(options_.rules, previous, request, now.wall_ms, replica_.StandingOf(now, found));
  if (!lease.ok()) return lease.status();
  if (auto status = CheckConditions(present, command); !status.ok()) return status;
  if (!lease->has_value()) return remember(nullptr);
  if (command.change == Change::kRenew && present->ephemeral && (*lease)->duration_ms == 0) {
    return InvalidField("lease_duration", "0 on an ephemeral key; Release it, or Set it again with ON_LAPSE_KEEP");
  }
  const std::string* value = command.change == Change::kSet ? &command.value : nullptr;
  if (auto status = replica_.CheckRoom(previous, command.key, value); !status.ok()) return status;
  if (command.change == Change::kSet || command.change == Change::kRenew) {
    auto status = replica_.CheckOwner(command.owner_may, command.holder, present, command.key, value);
    if (!status.ok()) return status;
  }
  if (auto status = calls_.waits.Check(command.ack, 1 + membership_.remembered()); !status.ok()) return status;

  const Stamp stamp = replica_.NextStamp(now.wall_ms, previous ? previous->stamp : 0);
  if (replica_.ReachAt(now.wall_ms).IsBeyond(0, stamp)) {
    return Refusal(absl::StatusCode::kResourceExhausted, "EPOCH_LIMIT",
                   "this node's clock is behind what it wrote or saw before; try again in a moment, and check NTP");
  }
  auto entry = std::make_shared<Entry>();
  entry->key = command.key;
  entry->tombstone = command.change == Change::kDelete;
  if (command.change == Change::kSet) {
    entry->value = command.value;
    entry->value_is_text = command.value_is_text;
    entry->ephemeral = command.ephemeral;
  } else if (!entry->tombstone) {
    entry->value = Value::Of(found->entry);
    entry->value_is_text = present->value_is_text;
    entry->ephemeral = present->ephemeral;
    entry->unknown_fields = present->unknown_fields;
    entry->value_dot = ValueDot(*present);
    entry->value_stamp = ValueStamp(*present);
    // A retry of the request that set the value is found by it.
    if (present->lease.holder == command.holder) entry->request = present->request;
  }
  entry->lease = *std::move(*lease);
  entry->stamp = stamp;
  if (!command.request_id.empty()) entry->request = RequestHash(command.holder, command.request_id);
  if (command.validate_only) {
    entry->dot = Dot{replica_.self(), 0};
    return entry;
  }
  return remember(ApplyOwn(now, std::move(entry)));
}

// Whether this node may write to its map: not by a clock that is not to be trusted, nor while it takes another map, nor
// while the map holds writes that are ahead of a clock that nobody has confirmed.
absl::Status Node::CheckWritable(Now now) const {
  if (auto status = clock_guard_.Check(); !status.ok()) return status;
  if (yielding()) {
    auto status = Refusal(absl::StatusCode::kUnavailable, "SYNCING",
                          "this node takes the map of the others in place of its own, which was written under a clock "
                          "that was ahead; try again in a moment, or write through another node");
    SetRetryMs(status, kYieldRetryMs);
    return status;
  }
  if (clock_guard_.settled() || replica_.ceiling().Fits(replica_.ceiling().at_ms(), now.wall_ms))
    return absl::OkStatus();
  auto status = Refusal(absl::StatusCode::kUnavailable, "CLOCK_UNSAFE",
                        "the map holds writes that are ahead of this node's clock, and no other member has confirmed "
                        "it yet; try again in a moment, or write through another node");
  SetRetryMs(status, kClockRetryMs);
  return status;
}

}  // namespace leasemap::core
