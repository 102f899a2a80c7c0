// What leasemapd is told: flags, LEASEMAP_* variables, a configuration file, defaults, in this order of precedence.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peer/core/node.h"

namespace leasemap {

struct Options {
  core::NodeOptions node;
  std::string listen;
  std::string mesh_listen;
  std::string http_listen;
  uint64_t max_bytes = 0;  // 0: by the memory of the machine or container
  uint64_t max_connections = 0, max_watches = 0;
  std::string log_level;  // as spdlog names it
};

// One flag: its name without dashes, its default as text, and its line of --help.
struct Flag {
  const char* name;
  const char* fallback;
  const char* help;
  bool is_bool = false;
  // A later version's: the node refuses to start when it is set to something else than its default.
  bool later = false;
};
const std::vector<Flag>& Flags();

// Values by flag name; only what was set, "" counting as unset.
using Settings = std::map<std::string, std::string>;

// The lines of a configuration file: `name = value`, blank lines and lines that begin with # aside. Unknown names are
// an error.
absl::StatusOr<Settings> ParseConfig(const std::string& text);
// LEASEMAP_NODE_ID for node-id, and so on; `get` is getenv.
Settings FromEnvironment(const std::function<const char*(const char*)>& get);
// The flags that a changed configuration file would set to something else, and that only a restart can change: all but
// the seeds and the log level.
std::vector<std::string> WaitForRestart(const Settings& flags, const Settings& environment, const Settings& before,
                                        const Settings& after);
// Checks everything; the message names the flag and what to do. `host_name` is the default node ID.
absl::StatusOr<Options> MakeOptions(const Settings& flags, const Settings& environment, const Settings& config,
                                    const std::string& host_name);

}  // namespace leasemap
