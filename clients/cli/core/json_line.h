// JSON objects on one line whose values are all strings: how `batch`, `export` and `import` write an entry. Bytes that
// are no text travel in base64, in a field whose name ends with _bytes.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_JSON_LINE_H_
#define LEASEMAP_CLIENTS_CLI_CORE_JSON_LINE_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

using Fields = std::map<std::string, std::string>;

// The fields of the object. InvalidArgument says what is wrong with the line, or which field is none of `known`.
absl::StatusOr<Fields> ParseFields(std::string_view line, const std::vector<std::string>& known);

// The object as one line, without a newline, its fields in this order.
std::string FormatFields(const std::vector<std::pair<std::string, std::string>>& fields);

// Takes `key` or `key_bytes`, and `value` or `value_bytes`, over into the request. InvalidArgument if one is missing,
// or there are both, or the base64 is none.
absl::Status TakeKeyAndValue(const Fields& fields, v1::SetRequest& request);

// The duration of the field `lease`; nullopt if the line has none.
absl::StatusOr<std::optional<absl::Duration>> TakeLease(const Fields& fields);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_JSON_LINE_H_
