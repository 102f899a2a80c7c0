// One entry as a line of `leasemap export`, and the Set that `leasemap import` makes of such a line.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_EXPORT_LINE_H_
#define LEASEMAP_CLIENTS_CLI_CORE_EXPORT_LINE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

// {"key","value","holder","lease","expire_time","on_lapse","version","update_time"}, with key_bytes and value_bytes in
// base64 where they are no text. `on_lapse` is delete for an ephemeral key, and else not there. `lease` is for how long
// the last write took it, 0 if it took none; then there is no expire_time.
std::string ExportLine(const v1::Entry& entry);

// The options of the command line for all entries of an import.
struct ImportRules {
  std::string holder;                   // instead of each line's, if not empty
  std::string otherwise;                // for lines that name no holder
  std::optional<absl::Duration> lease;  // instead of each line's
  bool if_absent = false;
};

// A lease that ends sooner than this is not taken over: by default a node grants none below two seconds.
constexpr absl::Duration kShortestLease = absl::Seconds(2);

// The Set for a line. Its lease ends at the line's expire_time; without one it runs as long as the line's `lease` says,
// and without that the cluster's default. InvalidArgument says what is wrong with the line.
absl::StatusOr<v1::SetRequest> ParseExportLine(std::string_view line, const ImportRules& rules, absl::Time now);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_EXPORT_LINE_H_
