// One key as every member has it: what Node::Explain gathers.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "peer/core/entry.h"
#include "peer/core/message.h"

namespace leasemap::core {

// How one member sees the key.
struct MemberView {
  ReplicaId member;
  bool asked = false;     // it is linked, and speaks a protocol version that knows the question
  bool answered = false;  // in time; else the entry is not known
  EntryPtr entry;         // null: it has none. Without its value, but for this node's own
  // Writes that this node covers and the member does not, by what it answered or reported last.
  bool lag_known = false;
  uint64_t lag = 0;
  int64_t age_ms = 0;  // how old that knowledge is
};

struct Explanation {
  std::vector<MemberView> views;  // this node first, then the others by ID
};

// The rank as a string of hex digits and a few separators that compares as ranks do: of two entries of a key the one
// with the greater string stands.
std::string RankText(const Entry& entry);

// How many dots `ours` covers and `theirs` does not.
uint64_t CountLacking(const VersionVector& theirs, const VersionVector& ours);

}  // namespace leasemap::core
