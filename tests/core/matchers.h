// What the core's tests expect of an answer, and how its values are shown where they expect something else.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/error.h"
#include "peer/core/data/message.h"
#include "peer/core/data/version_vector.h"
#include "tests/matchers/status.h"

namespace leasemap::core {

// The reason that clients see (docs/design.md, section 2.8): EXPECT_THAT(write, HasReason("LEASE_HELD")).
MATCHER_P(HasReason, reason, absl::StrCat(negation ? "has not" : "has", " the reason ", reason)) {
  const std::string actual = StatusIn(arg).ok() ? "" : ReasonOf(StatusIn(arg));
  *result_listener << "which is " << StatusText(arg) << ", with the reason \"" << actual << '"';
  return actual == reason;
}

// --- how GoogleTest shows values

inline void PrintTo(const ReplicaId& id, std::ostream* out) { *out << id.node << '@' << id.incarnation; }

inline void PrintTo(const Dot& dot, std::ostream* out) {
  PrintTo(dot.replica, out);
  *out << '#' << dot.seq;
}

inline void PrintTo(const Entry& entry, std::ostream* out) {
  *out << '"' << absl::CHexEscape(entry.key) << "\" = ";
  if (entry.tombstone) {
    *out << "deleted";
  } else if (entry.value_gone || entry.value_left_out) {
    *out << (entry.value_gone ? "value gone" : "value left out");
  } else {
    *out << '"' << absl::CHexEscape(entry.value.str()) << '"';
  }
  const Lease& lease = entry.lease;
  *out << ", of " << lease.holder << ", epoch " << lease.epoch << ", start " << lease.start_s << " s, expires at "
       << lease.expire_ms << " ms" << (lease.released ? ", released" : "") << (entry.ephemeral ? ", ephemeral" : "")
       << ", dot ";
  PrintTo(entry.dot, out);
  *out << ", stamp " << entry.stamp;
  if (entry.value_dot.seq == 0) return;
  *out << ", value of ";
  PrintTo(entry.value_dot, out);
}

inline void PrintTo(const EntryPtr& entry, std::ostream* out) {
  if (entry == nullptr) {
    *out << "no entry";
  } else {
    PrintTo(*entry, out);
  }
}

inline void PrintTo(const VersionVector& vector, std::ostream* out) {
  *out << '{';
  const char* between = "";
  for (const auto& [replica, coverage] : vector.runs()) {
    *out << between;
    PrintTo(replica, out);
    *out << " 1-" << coverage.prefix;
    for (const auto& [first, last] : coverage.exceptions) *out << ' ' << first << '-' << last;
    between = ", ";
  }
  if (vector.past_mark() != PastMark()) *out << between << "past up to " << vector.past_mark().upto;
  *out << '}';
}

inline void PrintTo(const VectorPtr& vector, std::ostream* out) {
  if (vector == nullptr) {
    *out << "no vector";
  } else {
    PrintTo(*vector, out);
  }
}

inline void PrintTo(const Message& message, std::ostream* out) {
  static constexpr const char* kNames[] = {"Hello",     "Accept", "Refuse",         "Ping",           "Pong",
                                           "Report",    "Live",   "SessionRequest", "SessionEntries", "SessionEnd",
                                           "Broadcast", "Query",  "QueryReply"};
  static_assert(std::size(kNames) == std::variant_size_v<Message>);
  *out << kNames[message.index()];
  if (const auto* refuse = std::get_if<Refuse>(&message)) *out << ' ' << refuse->reason << ": " << refuse->message;
  if (const auto* report = std::get_if<Report>(&message)) {
    *out << ' ';
    PrintTo(report->vector, out);
  }
  if (const auto* live = std::get_if<Live>(&message)) {
    for (const EntryPtr& entry : live->entries) {
      *out << "; ";
      PrintTo(entry, out);
    }
  }
}

}  // namespace leasemap::core
