// Where a watch is: its last cursor, and the events after it for which a command was run. `watch --exec` keeps both in
// its cursor file, so that a watch that is started again does nothing twice.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_POSITION_H_
#define LEASEMAP_CLIENTS_CLI_CORE_POSITION_H_

#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

struct Position {
  std::string cursor;           // empty: none came yet
  std::vector<v1::Event> done;  // without values, in their order
};

// Far above any cursor (some 20 KB where the watcher is slow), and above any event without its value.
inline constexpr size_t kLongestCursor = 1 << 20;

// The line of the file for an event that is done, with its newline. It has no value.
std::string DoneLine(const v1::Event& event);

// Reads the text of the file: the cursor on the first line, and an event on each further one. A last line that is not
// whole was being written when the machine stopped, and is left out. InvalidArgument if it is no such text.
absl::StatusOr<Position> ReadPosition(std::istream& text);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_POSITION_H_
