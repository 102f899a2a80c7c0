// A write as a client asks for it, and what became of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "peer/core/data/effects.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/lease.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/waits.h"
#include "peer/core/sync/owners.h"

namespace leasemap::core {

// A local change of one key. `holder` is never empty here.
struct WriteCommand {
  Change change = Change::kSet;
  std::string key;
  std::string value;
  bool value_is_text = false;
  std::string holder;
  std::optional<int64_t> duration_ms;
  std::string if_version;
  bool if_absent = false;
  bool only_if_held = false;  // Renew: LEASE_NOT_HELD if it would acquire
  bool allow_missing = false;
  bool ephemeral = false;      // Set: the key vanishes when its lease lapses
  bool validate_only = false;  // check all and write nothing: the entry comes as it would be, without a dot's seq
  std::string request_id;      // names the request, so that a retry is answered and not done again
  Owners::Use owner_may{};     // what the holder's owner may have of the map; 0: no bound
  // Of Node::Submit: who must have the write before the answer, and how long the caller waits for that.
  Ack ack;
  int64_t patience_ms = kWaitMs;
};

// What Submit did. The answer is the entry (null: nothing to change) if `wait` is 0; else Effects::answered of that
// wait will bring it.
struct Submitted {
  EntryPtr entry;
  WaitId wait = 0;
};

}  // namespace leasemap::core
