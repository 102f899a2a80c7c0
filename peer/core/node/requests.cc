#include "peer/core/node/requests.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/bytes.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {

// Of all that a request asks for, how long it waits for acks aside: a retry may be more or less patient.
uint64_t FingerprintOf(const WriteCommand& command) {
  std::string rest;
  PutVarint(rest, static_cast<uint64_t>(command.change));
  PutString(rest, command.key);
  PutVarint(rest, command.value_is_text);
  PutVarint(rest, command.duration_ms ? 1 : 0);
  PutVarint(rest, static_cast<uint64_t>(command.duration_ms.value_or(0)));
  PutString(rest, command.if_version);
  PutVarint(rest, command.if_absent);
  PutVarint(rest, command.only_if_held);
  PutVarint(rest, command.allow_missing);
  PutVarint(rest, command.ephemeral);
  return Hash64(command.value, Hash64(rest));
}

}  // namespace

uint64_t RequestHash(std::string_view holder, std::string_view request_id) {
  std::string name;
  PutString(name, holder);
  PutString(name, request_id);
  const uint64_t hash = Hash64(name);
  return hash == 0 ? 1 : hash;
}

const Requests::Done* Requests::Find(MonoTime mono, const Name& name) const {
  const auto it = done_.find(name);
  return it == done_.end() || mono - it->second.mono >= kRequestMs ? nullptr : &it->second;
}

absl::StatusOr<std::optional<EntryPtr>> Requests::FindDone(MonoTime mono, const WriteCommand& command,
                                                           const Store& store) {
  if (command.request_id.empty()) return std::nullopt;
  const auto other = [&] {
    return InvalidField("request_id", absl::StrCat("\"", Shown(command.request_id),
                                                   "\" named another request; give each request an ID of its own, "
                                                   "and only repeat the same request with it"));
  };
  if (const Done* done = Find(mono, {command.holder, command.request_id})) {
    if (done->fingerprint != FingerprintOf(command)) return other();
    return done->entry;
  }
  const EntryPtr* found = store.Find(command.key);
  if (found == nullptr || (*found)->request != RequestHash(command.holder, command.request_id)) return std::nullopt;
  const Entry& entry = **found;
  const bool same = entry.lease.holder == command.holder && entry.tombstone == (command.change == Change::kDelete) &&
                    (entry.tombstone || entry.value_gone ||
                     (entry.value == command.value && entry.value_is_text == command.value_is_text &&
                      entry.ephemeral == command.ephemeral));
  if (!same) return other();
  return Remember(mono, command, *found);
}

EntryPtr Requests::Remember(MonoTime mono, const WriteCommand& command, const EntryPtr& entry) {
  if (command.request_id.empty() || command.validate_only) return entry;
  std::shared_ptr<Entry> kept;
  if (entry) {
    kept = std::make_shared<Entry>(*entry);
    kept->value = {};
    kept->unknown_fields = {};
  }
  while (!order_.empty() && (order_.size() >= kMaxRequests || mono - done_.at(order_.front()).mono >= kRequestMs)) {
    done_.erase(order_.front());
    order_.pop_front();
  }
  Name name{command.holder, command.request_id};
  if (done_.emplace(name, Done{FingerprintOf(command), std::move(kept), mono}).second) {
    order_.push_back(std::move(name));
  }
  return entry;
}

}  // namespace leasemap::core
