// A line for `leasemap import` or `leasemap batch` is either refused with words, or it is a Set. The entry that such a
// Set makes is exported as a line that makes the same key and value. And an entry of a backup makes a Set or none.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "clients/cli/core/backup_entry.h"
#include "clients/cli/core/batch_input.h"
#include "clients/cli/core/export_line.h"

namespace {

using namespace leasemap;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

// False if it was refused, with words.
bool IsSet(const absl::StatusOr<v1::SetRequest>& set) {
  if (!set.ok() && set.status().message().empty()) std::abort();
  return set.ok();
}

void ExpectTheSameAfterExport(const v1::SetRequest& set) {
  v1::Entry entry;
  if (set.has_key_bytes()) {
    entry.set_key_bytes(set.key_bytes());
  } else {
    entry.set_key(set.key());
  }
  if (set.has_value_bytes()) {
    entry.set_value_bytes(set.value_bytes());
  } else {
    entry.set_value(set.value());
  }
  const auto again = cli::ParseExportLine(cli::ExportLine(entry), {}, kNow);
  const auto key = [](const v1::SetRequest& of) { return of.has_key_bytes() ? of.key_bytes() : of.key(); };
  const auto value = [](const v1::SetRequest& of) { return of.has_value_bytes() ? of.value_bytes() : of.value(); };
  if (!IsSet(again) || key(*again) != key(set) || value(*again) != value(set)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  if (const auto set = cli::ParseExportLine(line, {}, kNow); IsSet(set)) ExpectTheSameAfterExport(*set);
  if (const auto set = cli::ParseBatchLine(line, {}); IsSet(set)) ExpectTheSameAfterExport(*set);
  peer::v1::Entry entry;
  if (entry.ParseFromArray(data, static_cast<int>(size))) cli::SetOf(entry, kNow);
  return 0;
}
