#include "clients/cli/core/batch_input.h"

#include "absl/status/status.h"
#include "clients/cli/core/json_line.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"

namespace leasemap::cli {
namespace {

absl::StatusOr<v1::SetRequest> ParseJsonLine(std::string_view line, v1::SetRequest request) {
  static const auto& known =
      *new std::vector<std::string>{"key", "key_bytes", "value", "value_bytes", "lease", "holder"};
  const absl::StatusOr<Fields> fields = ParseFields(line, known);
  if (!fields.ok()) return fields.status();
  if (const absl::Status taken = TakeKeyAndValue(*fields, request); !taken.ok()) return taken;
  if (const auto holder = fields->find("holder"); holder != fields->end()) request.set_holder(holder->second);
  const absl::StatusOr<std::optional<absl::Duration>> lease = TakeLease(*fields);
  if (!lease.ok()) return lease.status();
  if (*lease) PutDuration(**lease, *request.mutable_lease_duration());
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
