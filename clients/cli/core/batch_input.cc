#include "clients/cli/core/batch_input.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/core/duration.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace leasemap::cli {
namespace {

// Takes one field of the JSON form over into the request.
absl::Status TakeField(const std::string& name, const std::string& text, v1::SetRequest& request) {
  if (name == "key") {
    request.set_key(text);
  } else if (name == "value") {
    request.set_value(text);
  } else if (name == "holder") {
    request.set_holder(text);
  } else if (name == "lease") {
    const absl::StatusOr<absl::Duration> lease = ParseDuration(text);
    if (!lease.ok()) return lease.status();
    PutDuration(*lease, *request.mutable_lease_duration());
  } else if (name == "key_bytes" || name == "value_bytes") {
    std::string bytes;
    if (!absl::Base64Unescape(text, &bytes))
      return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is not base64"));
    name == "key_bytes" ? request.set_key_bytes(bytes) : request.set_value_bytes(bytes);
  } else {
    return absl::InvalidArgumentError(absl::StrCat("unknown field \"", Escape(name),
                                                   "\": known are key, key_bytes, value, value_bytes, lease, holder"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SetRequest> ParseJsonLine(std::string_view line, v1::SetRequest request) {
  google::protobuf::Struct object;
  if (!IsUtf8(line) || !google::protobuf::util::JsonStringToMessage(std::string(line), &object).ok()) {
    return absl::InvalidArgumentError("not a JSON object");
  }
  const auto& fields = object.fields();
  if (fields.count("key") + fields.count("key_bytes") != 1) {
    return absl::InvalidArgumentError("give one of \"key\" and \"key_bytes\"");
  }
  if (fields.count("value") + fields.count("value_bytes") != 1) {
    return absl::InvalidArgumentError("give one of \"value\" and \"value_bytes\"");
  }
  for (const auto& [name, value] : fields) {
    if (value.kind_case() != google::protobuf::Value::kStringValue) {
      return absl::InvalidArgumentError(absl::StrCat("\"", Escape(name), "\" must be a string in quotes"));
    }
    const absl::Status taken = TakeField(name, value.string_value(), request);
    if (!taken.ok()) return taken;
  }
  return request;
}

}  // namespace

absl::StatusOr<v1::SetRequest> ParseBatchLine(std::string_view line, const v1::SetRequest& defaults) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (!line.empty() && line.front() == '{') return ParseJsonLine(line, defaults);
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos) {
    return absl::InvalidArgumentError("neither a JSON object nor KEY<TAB>VALUE");
  }
  v1::SetRequest request = defaults;
  const absl::StatusOr<std::string> key = Unescape(line.substr(0, tab));
  const absl::StatusOr<std::string> value = Unescape(line.substr(tab + 1));
  if (!key.ok()) return key.status();
  if (!value.ok()) return value.status();
  PutKey(*key, request);
  PutValue(*value, request);
  return request;
}

bool Chunk::Add(size_t line, const v1::SetRequest& request) {
  const size_t bytes = request.ByteSizeLong();
  if (!items_.empty() && (items_.size() >= kMaxItems || bytes_ + bytes > kMaxBytes)) return false;
  items_.push_back({line, request});
  bytes_ += bytes;
  return true;
}

void Chunk::Clear() {
  items_.clear();
  bytes_ = 0;
}

}  // namespace leasemap::cli
