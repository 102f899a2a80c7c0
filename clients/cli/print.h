// How answers are shown: as text for people and pipes, or as JSON (one object a line, with the names of the protos).
#ifndef LEASEMAP_CLIENTS_CLI_PRINT_H_
#define LEASEMAP_CLIENTS_CLI_PRINT_H_

#include <string>

#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"
#include "leasemap/v1/key_value.pb.h"
#include "leasemap/v1/mesh.pb.h"

namespace leasemap::cli {

// The message as one line of JSON. Fields that are zero are left out unless `zeros`.
void PrintJson(const google::protobuf::Message& message, bool zeros = false);

// The value alone: with a newline if it is text, and byte for byte if it is not.
void PrintValue(const v1::Entry& entry);
// `key<TAB>value`, both escaped; the key alone if the entry came without its value.
void PrintListed(const v1::Entry& entry);
// What a write left behind: who holds the lease and for how long, and the version for --if-version.
void PrintWritten(const v1::Entry& entry);
// `SET key value`, `DELETED key` …: the kind, the key (a space in it shown as \x20), and the rest of the line the
// value.
void PrintEvent(const v1::Event& event);
void PrintMembers(const v1::ListMembersResponse& response);
// A line for each member: whether it answered, what it has, and how far it lags.
void PrintViews(const v1::ExplainResponse& response);
// A line for each conflict, newest last, and how many there were if that is more.
void PrintConflicts(const v1::ListConflictsResponse& response);
void PrintStatus(const v1::GetStatusResponse& status);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_PRINT_H_
