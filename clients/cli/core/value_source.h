// Finds the value of `leasemap set`: in the command line itself, in a file, or in standard input.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_VALUE_SOURCE_H_
#define LEASEMAP_CLIENTS_CLI_CORE_VALUE_SOURCE_H_

#include <cstddef>
#include <istream>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace leasemap::cli {

struct ValueSource {
  enum class Kind { kText, kFile, kInput };
  Kind kind = Kind::kText;
  std::string text;  // the value, or the path of the file
};

// `@FILE` is the file; `-`, `@-` and a missing argument are standard input. `@@` at the beginning is one @.
// InvalidArgument for an @ alone.
absl::StatusOr<ValueSource> ParseValueSource(const std::optional<std::string>& argument);

// Reading stops here. A node takes values of 1 MiB at most; the node of another version may take more.
constexpr size_t kLargestValue = 16 << 20;

// Reads all there is, byte for byte. OutOfRange if that is more than kLargestValue, Internal if reading fails.
absl::StatusOr<std::string> ReadValue(std::istream& input);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_VALUE_SOURCE_H_
