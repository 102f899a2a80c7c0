#include "clients/cli/core/value_source.h"

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace leasemap::cli {

absl::StatusOr<ValueSource> ParseValueSource(const std::optional<std::string>& argument) {
  if (!argument || *argument == "-" || *argument == "@-") return ValueSource{ValueSource::Kind::kInput, ""};
  if (argument->substr(0, 1) != "@") return ValueSource{ValueSource::Kind::kText, *argument};
  if (argument->substr(0, 2) == "@@") return ValueSource{ValueSource::Kind::kText, argument->substr(1)};
  if (argument->size() == 1) {
    return absl::InvalidArgumentError("@ names no file: write @FILE for a file's bytes, or @@ for the value @");
  }
  return ValueSource{ValueSource::Kind::kFile, argument->substr(1)};
}

absl::StatusOr<std::string> ReadValue(std::istream& input) {
  std::string value;
  std::array<char, 1 << 16> part;
  while (input.read(part.data(), part.size()) || input.gcount() > 0) {
    value.append(part.data(), static_cast<size_t>(input.gcount()));
    if (value.size() > kLargestValue) {
      return absl::OutOfRangeError(
          absl::StrCat("the value has more than ", kLargestValue >> 20, " MiB; a node takes 1 MiB"));
    }
  }
  if (input.bad()) return absl::InternalError("it cannot be read");
  return value;
}

}  // namespace leasemap::cli
