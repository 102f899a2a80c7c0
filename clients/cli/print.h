// How answers are shown: as text for people and pipes, or as JSON (one object a line, with the names of the protos).
#ifndef LEASEMAP_CLIENTS_CLI_PRINT_H_
#define LEASEMAP_CLIENTS_CLI_PRINT_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "clients/cli/core/columns.h"
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
// The result of a write: the holder and the duration of the lease, and the version for --if-version.
void PrintWritten(const v1::Entry& entry);
// `TIME HOLDER SET key value`, `TIME HOLDER DELETED key` …: when, by whom, the kind, the key (a space in it or in the
// holder is shown as \x20), and the rest of the line is the value. Unknown parts are shown as -.
void PrintEvent(const v1::Event& event);
// The fields of the entry beside its value, one per line.
void PrintMeta(const v1::Entry& entry, absl::Time now);

// The table of `ls -l`, page by page: the columns stay as wide as they were, or grow.
class LongList {
 public:
  explicit LongList(bool keys_only) : keys_only_(keys_only) {}

  // Prints the first `count` entries, below the heading if they are the first ones.
  void Print(const google::protobuf::RepeatedPtrField<v1::Entry>& entries, size_t count, absl::Time now);

 private:
  // The width that the other columns leave.
  static size_t RoomForValues(const std::vector<Columns::Row>& rows);

  const bool keys_only_;
  bool started_ = false;
  size_t value_width_ = 0;  // longer values are cut
  Columns columns_;
};

// Rows as aligned columns; the first one is a heading if so said.
void PrintTable(Columns& columns, const std::vector<Columns::Row>& rows, bool heading);
// A name of a proto enum without the enum's own name: STATE_ALIVE → ALIVE.
std::string ShortName(const std::string& name, const std::string& prefix);

// print_nodes.cc
void PrintMembers(const v1::ListMembersResponse& response);
// A line for each member: whether it answered, what it has, and how far it lags.
void PrintViews(const v1::ExplainResponse& response);
// A line for each conflict, newest last, and how many there were if that is more.
void PrintConflicts(const v1::ListConflictsResponse& response);
void PrintStatus(const v1::GetStatusResponse& status);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_PRINT_H_
