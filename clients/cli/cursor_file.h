// Keeps the cursor of a watch in a file, so that a watch that is started again continues where it was.
#ifndef LEASEMAP_CLIENTS_CLI_CURSOR_FILE_H_
#define LEASEMAP_CLIENTS_CLI_CURSOR_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/core/position.h"

namespace leasemap::cli {

// What the file says; nothing if there is no such file, or nothing in it. An error says what is wrong with the file.
absl::StatusOr<Position> LoadPosition(const std::string& path);

// Puts the cursor, and lines of events that are done (DoneLine), into the file: into a new one beside it, which then
// takes its name. So the file always holds a whole position, also after the machine stopped at once.
absl::Status SavePosition(const std::string& path, const std::string& cursor, const std::string& done_lines = "");

// Adds a line of an event that is done to the file, which SavePosition made, and waits until it is on the disk.
absl::Status AppendDone(const std::string& path, const std::string& done_line);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CURSOR_FILE_H_
