// The parsed command line: the command, its arguments and the options that all commands share.
#ifndef LEASEMAP_CLIENTS_CLI_OPTIONS_H_
#define LEASEMAP_CLIENTS_CLI_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

// The exit codes: part of the contract with scripts.
enum ExitCode { kDone = 0, kRefused = 1, kWrongUse = 2, kUnreachable = 3 };

// Of `leasemap bench`.
struct BenchOptions {
  bool writes = false;        // Sets, and not Gets
  double rate = 0;            // calls a second; 0: a closed loop
  uint64_t concurrency = 16;  // calls under way in a closed loop
  absl::Duration duration = absl::Seconds(10);
  uint64_t keys = 1000;
  uint64_t value_size = 100;  // bytes
  std::string prefix = "bench/";
};

struct Options {
  // Of all commands. An option given as the empty string counts as not given.
  std::string server;                // as given
  std::vector<std::string> servers;  // each host:port; at least one
  std::string holder;                // empty: the node's ID
  bool holder_given = false;         // by --holder, and not by LEASEMAP_HOLDER
  bool json = false;
  absl::Duration timeout = absl::Seconds(5);  // for one answer; above zero
  // PEM files. Without authorities calls are plain text; with a certificate and its key this client shows who it is.
  std::string tls_ca, tls_cert, tls_key;
  std::string token_file;       // a file with the token that this client shows; empty: LEASEMAP_TOKEN, or none
  bool insecure_token = false;  // it may be sent in plain text beyond this machine

  std::string command;  // the word, as "set"

  // Of one command or another.
  std::string key;                   // set, renew, release, explain
  std::vector<std::string> keys;     // get, del, watch, keep
  std::optional<std::string> value;  // set; see core/value_source.h
  std::string file;                  // import; empty: standard input
  std::optional<absl::Duration> lease;
  std::string if_version;
  bool only_if_held = false;
  bool if_absent = false;
  bool ephemeral = false;  // set
  bool allow_missing = false;
  v1::Ack ack = v1::ACK_UNSPECIFIED;  // set, del
  uint32_t ack_nodes = 0;
  std::string request_id;
  bool validate_only = false;            // set
  std::string min_version;               // get
  bool meta = false;                     // get
  bool raw = false;                      // get
  bool long_form = false;                // ls
  std::optional<std::string> prefix;     // ls, del
  std::optional<std::string> start_key;  // ls
  std::optional<std::string> end_key;    // ls
  uint64_t limit = 0;                    // ls; 0: all
  bool keys_only = false;
  std::vector<std::string> prefixes;  // watch
  bool snapshot = false;
  std::string cursor;
  std::string cursor_file;   // watch
  bool show_cursor = false;  // watch
  std::vector<v1::Event::Kind> kinds;
  std::string node_id;         // forget, leave
  bool force = false;          // restore, tls
  bool as_new_writes = false;  // restore
  std::string service;         // healthcheck
  std::string help_topic;      // help
  std::string shell;           // completion
  // Commands that hold leases: lock, elect, keep. `lease` is their --ttl.
  std::vector<std::string> program;     // lock, elect: what to run; completion: what is typed
  std::optional<absl::Duration> wait;   // lock, keep; bench: its --duration; absent: the command's own rule
  bool no_wait = false;                 // lock: the same as a wait of 0
  std::optional<absl::Duration> grace;  // lock, elect: from TERM to KILL
  bool once = false;                    // elect
  std::string exec;                     // watch: what to run for each event
  bool keep_going = false;              // watch
  std::string tls_action;               // tls: init, node or client
  std::vector<std::string> names;       // tls
  std::vector<std::string> hosts;       // tls
  std::string tls_dir = "tls";          // tls
  std::optional<absl::Duration> valid;  // tls
  std::string token_action;             // token: new
  BenchOptions bench;
};

// Reads the command line (and LEASEMAP_SERVER, LEASEMAP_HOLDER) into `options`. An exit code if there is nothing left
// to do: kDone after --help and --version, kWrongUse after it said on stderr what is wrong.
std::optional<int> ParseOptions(int argc, const char* const* argv, Options& options);

// The variables by which `leasemap` in a command that is run asks the same servers in the same way.
std::vector<std::pair<std::string, std::string>> ServerVariables(const Options& options);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_OPTIONS_H_
