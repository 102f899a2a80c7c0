// Keeps the cursor of a watch in a file, so that a watch that is started again continues where it was.
#ifndef LEASEMAP_CLIENTS_CLI_CURSOR_FILE_H_
#define LEASEMAP_CLIENTS_CLI_CURSOR_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace leasemap::cli {

// The cursor in the file; empty if there is no such file, or nothing in it. An error says what is wrong with the file.
absl::StatusOr<std::string> LoadCursor(const std::string& path);

// Puts the cursor into the file: into a new one beside it, which then takes its name. So the file always holds a whole
// cursor, also after the machine stopped at once.
absl::Status SaveCursor(const std::string& path, const std::string& cursor);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CURSOR_FILE_H_
