// Durations as people write them on the command line: 30s, 1h, 1h30m, 500ms, 0.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_DURATION_H_
#define LEASEMAP_CLIENTS_CLI_CORE_DURATION_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace leasemap::cli {

// The duration that the text names. InvalidArgument, with a message that shows how to write one, for anything else:
// a number without a unit (but 0), a negative one, one that is not finite.
absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_DURATION_H_
