// Reads what leasemapd is to do: flags, LEASEMAP_* variables, a configuration file, defaults, in this order of
// precedence. CLI11 reads and converts them; an error names the flag, and the variable or line that set it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peer/core/node/node.h"
#include "peer/tls/material.h"

namespace leasemap {

struct Options {
  core::NodeOptions node;     // its node_id is the host name if --node-id is not given
  std::string given_node_id;  // empty: not given
  std::string data_dir;       // empty: the map is in memory alone
  std::string fsync;          // always, interval or never
  bool check_data = false;
  std::string listen;
  std::string mesh_listen;
  std::string http_listen;
  uint64_t max_bytes = 0;  // 0: by the memory of the machine or container
  uint64_t max_connections = 0, max_watches = 0;
  // TLS for clients; without a certificate the port is plain text.
  tls::Paths tls;
  std::string tls_client_auth;        // off, optional or require
  bool tls_transition = false;        // plain text is taken, too
  std::string auth_file;              // who may do what; empty: everyone may do everything
  std::string log_level, log_format;  // trace to error; text or json
};

// One flag: its name without dashes, its default as text, what its value is, and its line of --help.
struct Flag {
  const char* name;
  const char* fallback;
  const char* type;
  const char* help;
  // Says what is wrong with a value (empty: nothing), and brings it into the form that is compared and converted: a
  // duration as milliseconds, a size as bytes.
  std::function<std::string(std::string& value)> check;
  bool is_bool = false;
};
const std::vector<Flag>& Flags();

struct Reading {
  std::string show;  // --help or --version was given: print this, and do no more
  Options options;
  std::string config_file;                    // empty: none
  std::map<std::string, std::string> values;  // of every flag, as `check` left it
};
// `arguments` without the program's name; `host_name` is the default node ID. An empty value is an unset one.
absl::StatusOr<Reading> ReadOptions(const std::vector<std::string>& arguments, const std::string& host_name,
                                    const std::string& version);
// The flags that a later reading sets to something else, and that only a restart can change: all but the seeds and the
// log level.
std::vector<std::string> WaitForRestart(const Reading& before, const Reading& after);

// Whether nobody beyond this machine reaches host:port: the host is localhost, or an address of the loopback.
bool IsLoopback(const std::string& host_port);

}  // namespace leasemap
