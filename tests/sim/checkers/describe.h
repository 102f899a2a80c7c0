// How checkers name things in what they say. A checker's answer is empty if all is well.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/version_vector.h"

namespace leasemap::sim {

inline std::string Describe(const core::ReplicaId& replica) {
  return replica.node + "/" + std::to_string(replica.incarnation);
}
inline std::string Describe(const core::VersionVector& vector) {
  std::string text;
  for (const auto& [replica, coverage] : vector.runs()) {
    absl::StrAppend(&text, " ", Describe(replica), "#", coverage.prefix);
    for (const auto& [first, last] : coverage.exceptions) absl::StrAppend(&text, ",", first, "-", last);
  }
  if (vector.past_mark().upto > 0)
    absl::StrAppend(&text, " past ", vector.past_mark().upto, "/", vector.past_mark().digest);
  if (vector.past() != nullptr) {
    for (const auto& [id, process] : vector.past()->known()) {
      absl::StrAppend(&text, " (", Describe(id), "#", process.prefix, ")");
    }
  }
  return text;
}
inline std::string Describe(const core::Entry& entry) {
  return entry.key +
         (entry.tombstone    ? " deleted"
          : entry.value_gone ? " value gone"
                             : "=" + entry.value.str()) +
         (entry.ephemeral ? " ephemeral to " + std::to_string(entry.lease.expire_ms) : "") + " (" +
         Describe(entry.dot.replica) + "#" + std::to_string(entry.dot.seq) + " epoch " +
         std::to_string(entry.lease.epoch) + " start " + std::to_string(entry.lease.start_s) + " holder " +
         entry.lease.holder + " stamp " + std::to_string(entry.stamp) + ")";
}

}  // namespace leasemap::sim
