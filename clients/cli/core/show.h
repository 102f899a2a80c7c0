// Shows the fields of an entry beside its value: times, and the time left of its lease.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_SHOW_H_
#define LEASEMAP_CLIENTS_CLI_CORE_SHOW_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

absl::Time TimeOf(const google::protobuf::Timestamp& time);

// UTC, to the second and to the millisecond.
std::string ShowTime(const google::protobuf::Timestamp& time);
std::string ShowMoment(const google::protobuf::Timestamp& time);

std::string ShowDuration(const google::protobuf::Duration& duration);

// For how long the write took the lease; zero if it took none or gave it up. Both times are by the clock of the node
// that took the write, so this is the duration that was asked for, even if our clock is wrong.
absl::Duration LeaseAsked(const v1::Entry& entry);

// The time left of the lease by our clock, as 59m58s; `ended` if there is none, and - if there was no lease.
std::string ShowLeft(const v1::Entry& entry, absl::Time now);

// The names and texts below the value in `get --meta`, escaped.
std::vector<std::pair<std::string, std::string>> Meta(const v1::Entry& entry, absl::Time now);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_SHOW_H_
