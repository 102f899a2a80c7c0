#include "clients/cli/core/export_line.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/core/json_line.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/show.h"

namespace leasemap::cli {
namespace {

std::pair<std::string, std::string> Field(const std::string& name, const std::string& bytes, bool is_text) {
  return is_text ? std::pair(name, bytes) : std::pair(name + "_bytes", absl::Base64Escape(bytes));
}

// How long the lease of the line runs from now on; none: as the cluster's default says.
absl::StatusOr<std::optional<absl::Duration>> LeaseOf(const Fields& fields, absl::Time now) {
  if (const auto at = fields.find("expire_time"); at != fields.end()) {
    absl::Time end;
    std::string error;
    if (!absl::ParseTime(absl::RFC3339_full, at->second, &end, &error)) {
      return absl::InvalidArgumentError("\"expire_time\" is not a time; write it as 2026-01-31T12:00:00Z");
    }
    const absl::Duration left = absl::Trunc(end - now, absl::Milliseconds(1));
    return left < kShortestLease ? absl::ZeroDuration() : left;
  }
  return TakeLease(fields);
}

}  // namespace

std::string ExportLine(const v1::Entry& entry) {
  const absl::Duration lease = LeaseAsked(entry);
  std::vector<std::pair<std::string, std::string>> fields = {Field("key", KeyOf(entry), !entry.has_key_bytes()),
                                                             Field("value", ValueOf(entry), !entry.has_value_bytes()),
                                                             {"holder", entry.lease().holder()},
                                                             {"lease", absl::FormatDuration(lease)}};
  if (lease > absl::ZeroDuration()) fields.emplace_back("expire_time", ShowMoment(entry.lease().expire_time()));
  if (entry.ephemeral()) fields.emplace_back("on_lapse", "delete");
  fields.emplace_back("version", entry.version());
  fields.emplace_back("update_time", ShowMoment(entry.update_time()));
  return FormatFields(fields);
}

absl::StatusOr<v1::SetRequest> ParseExportLine(std::string_view line, const ImportRules& rules, absl::Time now) {
  static const auto& known =
      *new std::vector<std::string>{"key",   "key_bytes",   "value",    "value_bytes", "holder",
                                    "lease", "expire_time", "on_lapse", "version",     "update_time"};
  const absl::StatusOr<Fields> fields = ParseFields(line, known);
  if (!fields.ok()) return fields.status();
  v1::SetRequest request;
  if (const absl::Status taken = TakeKeyAndValue(*fields, request); !taken.ok()) return taken;
  const auto holder = fields->find("holder");
  const bool names_one = holder != fields->end() && !holder->second.empty();
  request.set_holder(!rules.holder.empty() ? rules.holder : names_one ? holder->second : rules.otherwise);
  const absl::StatusOr<std::optional<absl::Duration>> lease = LeaseOf(*fields, now);
  if (!lease.ok()) return lease.status();
  const std::optional<absl::Duration> chosen = rules.lease ? rules.lease : *lease;
  if (chosen) PutDuration(*chosen, *request.mutable_lease_duration());
  request.set_if_absent(rules.if_absent);
  if (const auto at = fields->find("on_lapse"); at != fields->end() && at->second != "keep") {
    if (at->second != "delete") return absl::InvalidArgumentError("\"on_lapse\" must be keep or delete");
    if (chosen == absl::ZeroDuration()) {
      return absl::InvalidArgumentError("the key is ephemeral and its lease has ended; give it a lease with --lease");
    }
    request.set_on_lapse(v1::ON_LAPSE_DELETE);
  }
  return request;
}

}  // namespace leasemap::cli
