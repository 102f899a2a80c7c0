// Where the value of `leasemap set` comes from: from the command line itself, from a file, or from standard input.
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

// `@FILE` is the file, `-` and `@-` are standard input, and so is an argument that is not there. `@@` at the beginning
// stands for one @. InvalidArgument for an @ alone.
absl::StatusOr<ValueSource> ParseValueSource(const std::optional<std::string>& argument);

// A node takes values of 1 MiB unless it was told otherwise. Reading stops here: nothing larger can be a value.
constexpr size_t kLargestValue = 16 << 20;

// Reads all there is, byte for byte. OutOfRange if that is more than kLargestValue, Internal if reading fails.
absl::StatusOr<std::string> ReadValue(std::istream& input);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_VALUE_SOURCE_H_
