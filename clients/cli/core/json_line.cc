#include "clients/cli/core/json_line.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/core/text.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/wrappers.pb.h"
#include "text/duration.h"
#include "text/utf8.h"

namespace leasemap::cli {
namespace {

std::string Quote(const std::string& text) {
  google::protobuf::StringValue value;
  value.set_value(text);
  std::string json;
  // A StringValue of UTF-8 can always be written.
  if (!google::protobuf::util::MessageToJsonString(value, &json).ok()) return "\"\"";
  return json;
}

// One of the field and its twin in base64 must be there.
absl::StatusOr<std::string> TakeOne(const Fields& fields, const std::string& name, bool& is_bytes) {
  const auto text = fields.find(name), coded = fields.find(name + "_bytes");
  if ((text == fields.end()) == (coded == fields.end())) {
    return absl::InvalidArgumentError(absl::StrCat("give either \"", name, "\" or \"", name, "_bytes\""));
  }
  is_bytes = text == fields.end();
  if (!is_bytes) return text->second;
  std::string bytes;
  if (!absl::Base64Unescape(coded->second, &bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", name, "_bytes\" is not base64"));
  }
  return bytes;
}

}  // namespace

absl::StatusOr<Fields> ParseFields(std::string_view line, const std::vector<std::string>& known) {
  google::protobuf::Struct object;
  if (!text::IsUtf8(line) || !google::protobuf::util::JsonStringToMessage(std::string(line), &object).ok()) {
    return absl::InvalidArgumentError("not a JSON object");
  }
  Fields fields;
  for (const auto& field : object.fields()) {
    const std::string& name = field.first;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown field \"", Escape(name), "\"; known are ", absl::StrJoin(known, ", ")));
    }
    if (field.second.kind_case() != google::protobuf::Value::kStringValue) {
      return absl::InvalidArgumentError(absl::StrCat("\"", Escape(name), "\" must be a string in quotes"));
    }
    fields.emplace(name, field.second.string_value());
  }
  return fields;
}

std::string FormatFields(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string line = "{";
  for (const auto& field : fields) {
    absl::StrAppend(&line, line.size() > 1 ? "," : "", Quote(field.first), ":", Quote(field.second));
  }
  return line + "}";
}

absl::Status TakeKeyAndValue(const Fields& fields, v1::SetRequest& request) {
  bool is_bytes = false;
  const absl::StatusOr<std::string> key = TakeOne(fields, "key", is_bytes);
  if (!key.ok()) return key.status();
  is_bytes ? request.set_key_bytes(*key) : request.set_key(*key);
  const absl::StatusOr<std::string> value = TakeOne(fields, "value", is_bytes);
  if (!value.ok()) return value.status();
  is_bytes ? request.set_value_bytes(*value) : request.set_value(*value);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<absl::Duration>> TakeLease(const Fields& fields) {
  const auto at = fields.find("lease");
  if (at == fields.end()) return std::nullopt;
  const absl::StatusOr<absl::Duration> lease = text::ParseDuration(at->second);
  if (!lease.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("\"lease\" is ", std::string(lease.status().message())));
  }
  return *lease;
}

}  // namespace leasemap::cli
