// The flags, their checks, and the reading of all sources with CLI11; see options.h.
#include "server/options.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "asio/ip/address.hpp"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/net/transport.h"
#include "server/environment.h"
#include "text/duration.h"

namespace leasemap {
namespace {

using Check = std::function<std::string(std::string&)>;

constexpr int64_t kYearMs = 8760 * int64_t{3'600'000};
constexpr char kDescription[] =
    "leasemapd: one node of a Leasemap cluster. A flag may also be set as a variable (LEASEMAP_NODE_ID for "
    "--node-id) or as a line `node-id = …` of --config FILE. A flag overrides a variable, and a variable the file.";

std::string OutOfRange(int64_t ms, int64_t least, int64_t most) {
  const auto show = [](int64_t time_ms) { return absl::FormatDuration(absl::Milliseconds(time_ms)); };
  return absl::StrCat(show(ms), " is out of range; give ", show(least), " to ", show(most));
}

std::string Bool(std::string& value) {
  static const CLI::Transformer words(std::map<std::string, std::string>{{"on", "true"},
                                                                         {"1", "true"},
                                                                         {"yes", "true"},
                                                                         {"true", "true"},
                                                                         {"off", "false"},
                                                                         {"0", "false"},
                                                                         {"no", "false"},
                                                                         {"false", "false"}},
                                      CLI::ignore_case);
  words(value);
  if (value == "true" || value == "false") return "";
  return absl::StrCat("\"", core::Shown(value), "\" is neither on nor off (or true and false, yes and no, 1 and 0)");
}

Check Number(int64_t least, int64_t most) {
  return [least, most](std::string& value) -> std::string {
    int64_t number = 0;
    if (absl::SimpleAtoi(value, &number) && number >= least && number <= most) return "";
    return absl::StrCat("\"", core::Shown(value), "\" is not a whole number from ", least, " to ", most);
  };
}

Check Duration(int64_t least, int64_t most) {
  return [least, most](std::string& value) -> std::string {
    const auto duration = text::ParseDuration(value);
    if (!duration.ok()) {
      return absl::StrCat("\"", core::Shown(value), "\" is ", std::string(duration.status().message()));
    }
    const int64_t ms = absl::ToInt64Milliseconds(*duration);
    if (absl::Milliseconds(ms) != *duration) return absl::StrCat(value, " is not a whole number of milliseconds");
    if (ms < least || ms > most) return OutOfRange(ms, least, most);
    value = absl::StrCat(ms);
    return "";
  };
}

Check Bytes(uint64_t least) {
  return [least](std::string& value) -> std::string {
    static const CLI::AsNumberWithUnit units(
        std::map<std::string, uint64_t>{
            {"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", uint64_t{1} << 40}},
        CLI::AsNumberWithUnit::CASE_INSENSITIVE);
    const std::string given = value;
    uint64_t bytes = 0;
    bool right = false;
    try {
      right = units(value).empty() && absl::SimpleAtoi(value, &bytes) && bytes >= least && bytes <= INT64_MAX;
    } catch (const CLI::ValidationError&) {  // no number, no such unit, or too large
    }
    if (right) return "";
    return absl::StrCat("\"", core::Shown(given), "\" must be at least ", least >> 20,
                        "MiB; write for example 512MiB or 4GiB");
  };
}

std::string HostPort(std::string& value) {
  if (net::ParseHostPort(value)) return "";
  return absl::StrCat("\"", core::Shown(value), "\" is not host:port (write an IPv6 host in brackets)");
}

// Leaves each seed once.
std::string Seeds(std::string& value) {
  constexpr size_t kMaxSeeds = 64;  // the full mesh has no more members
  std::vector<std::string> seeds;
  for (absl::string_view piece : absl::StrSplit(value, ',', absl::SkipWhitespace())) {
    const std::string seed(absl::StripAsciiWhitespace(piece));
    const auto parsed = net::ParseHostPort(seed);
    if (!parsed || parsed->port == 0 || parsed->host.empty()) {
      return absl::StrCat("\"", core::Shown(seed), "\" is not host:port");
    }
    if (std::find(seeds.begin(), seeds.end(), seed) == seeds.end()) seeds.push_back(seed);
  }
  if (seeds.size() > kMaxSeeds) return absl::StrCat("has more than ", kMaxSeeds, " seeds");
  value = absl::StrJoin(seeds, ",");
  return "";
}

// Of a file or folder.
std::string Path(std::string& value) {
  if (value.find('\0') == std::string::npos && value.size() < 4000) return "";
  return "is no path";
}

std::string Name(std::string& value) {
  if (core::CheckName("name", value).ok()) return "";
  return absl::StrCat("\"", core::Shown(value), "\" is not 1 to 255 bytes of printable UTF-8");
}

Check OneOf(std::vector<std::string> words) {
  return [words = std::move(words)](std::string& value) -> std::string {
    if (std::find(words.begin(), words.end(), value) != words.end()) return "";
    return absl::StrCat("\"", core::Shown(value), "\" is none of ", absl::StrJoin(words, ", "));
  };
}

// The configuration file. CLI11's own reader takes `[::1]:7400` for a list, `a:1,b:2` for two values of which the last
// counts, and a # in quotes for a comment, and knows no lines.
class ConfigFile : public CLI::ConfigBase {
 public:
  explicit ConfigFile(std::map<std::string, int>& lines) : lines_(lines) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::map<std::string, CLI::ConfigItem> settings;  // of a repeated name the last one counts
    std::string line;
    for (int number = 1; std::getline(input, line); ++number) {
      absl::string_view text = line;
      if (number == 1) absl::ConsumePrefix(&text, "\xEF\xBB\xBF");  // the mark of UTF-8 that some editors write
      text = absl::StripAsciiWhitespace(text);
      if (text.empty() || text.front() == '#' || text.front() == ';') continue;
      CLI::ConfigItem item = Item(number, text);
      lines_[item.name] = number;
      settings[item.name] = std::move(item);
    }
    std::vector<CLI::ConfigItem> out;
    for (auto& [name, item] : settings) {
      if (!item.inputs.front().empty()) out.push_back(std::move(item));
    }
    return out;
  }

 private:
  static CLI::ConfigItem Item(int number, absl::string_view line) {
    const auto wrong = [number](const std::string& what) {
      return CLI::ConfigError(absl::StrCat("line ", number, what));
    };
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) throw wrong(" is not `flag = value`");
    absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, equals));
    absl::ConsumePrefix(&name, "--");
    const auto& flags = Flags();
    if (std::none_of(flags.begin(), flags.end(), [&](const Flag& flag) { return name == flag.name; })) {
      throw wrong(absl::StrCat(": there is no flag \"", core::Shown({name.data(), name.size()}),
                               "\"; leasemapd --help lists them"));
    }
    CLI::ConfigItem item;
    item.name = std::string(name);
    item.inputs.push_back(Value(absl::StripAsciiWhitespace(line.substr(equals + 1))));
    if (item.inputs[0] == kOpen)
      throw wrong(absl::StrCat(": the value of ", item.name, " does not end with its quotes"));
    return item;
  }

  // Without quotes, and without a comment behind it: a # at its start or after a blank.
  static std::string Value(absl::string_view text) {
    if (!text.empty() && (text.front() == '"' || text.front() == '\'')) {
      const size_t end = text.find(text.front(), 1);
      if (end == absl::string_view::npos) return kOpen;
      const auto rest = absl::StripLeadingAsciiWhitespace(text.substr(end + 1));
      return rest.empty() || rest.front() == '#' ? std::string(text.substr(1, end - 1)) : kOpen;
    }
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '#' || (i > 0 && !absl::ascii_isspace(text[i - 1]))) continue;
      text = absl::StripTrailingAsciiWhitespace(text.substr(0, i));
    }
    return std::string(text);
  }

  static constexpr char kOpen[] = "\n";  // no value has a line's end
  std::map<std::string, int>& lines_;
};

// All sources, one after the other: CLI11 keeps what an earlier one has set.
class Reader {
 public:
  explicit Reader(const std::string& version) {
    app_.config_formatter(std::make_shared<ConfigFile>(lines_));
    app_.set_version_flag("--version", version, "print the version and exit");
    app_.add_option("--config", "file with lines `flag = value`")->type_name("FILE");
    for (const Flag& flag : Flags()) {
      const std::string name = absl::StrCat("--", flag.name), help = flag.help;
      // A flag that is on or off may have no value.
      CLI::Option* option = flag.is_bool ? app_.add_flag(name, help)->expected(0, 1) : app_.add_option(name, help);
      CLI::Validator check([&flag](std::string& value) { return value.empty() ? "" : flag.check(value); }, "");
      option->type_name(flag.type)->default_str(flag.fallback)->transform(check.application_index(0));
    }
    for (CLI::Option* option : Settable()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  // Throws CLI11's errors, as the other two do.
  void ReadFlags(const std::vector<std::string>& arguments) {
    std::vector<std::string> split;
    for (const std::string& argument : arguments) {
      // CLI11 would take the argument after `--name=` for the value.
      const bool empty_value = absl::StartsWith(argument, "--") && argument.find('=') == argument.size() - 1;
      split.push_back(empty_value ? argument.substr(0, argument.size() - 1) : argument);
      if (empty_value) split.emplace_back();
    }
    std::reverse(split.begin(), split.end());  // CLI11 takes a vector from its end
    app_.parse(std::move(split));
    for (CLI::Option* option : Settable()) {
      if (option->count() > 0 && option->results().back().empty()) option->clear();
    }
    Note([](const std::string&) { return ""; });
  }
  // CLI11's own way, Option::envname, leaves out without a word what its check refuses, from version 2.4 on.
  void ReadEnvironment() {
    source_ = [](const std::string& name) { return VariableOf(name); };
    for (CLI::Option* option : Settable()) {
      const std::string name = VariableOf(NameOf(option));
      const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nothing sets a variable
      if (option->count() == 0 && value != nullptr && *value != '\0') option->add_result(value);
    }
    std::istringstream nothing;
    app_.parse_from_stream(nothing);
    Note(source_);
  }
  void ReadFile() {
    const std::string path = config_file();
    if (path.empty()) return;
    std::ifstream file(path);
    file.peek();  // fails for a folder, which can be opened but not read
    if (!file) throw CLI::ConfigError("not a file that can be read");
    file.clear();
    source_ = [this, path](const std::string& name) { return absl::StrCat("line ", lines_[name], " of ", path); };
    app_.parse_from_stream(file);
    Note(source_);
  }

  template <typename T>
  T Get(const std::string& name) const {
    return app_.get_option("--" + name)->as<T>();
  }
  std::string config_file() const { return Get<std::string>("config"); }
  std::string Help() const { return app_.help(); }

  absl::Status Wrong(const std::string& name, const std::string& what) const {
    auto from = from_.find(name);
    const std::string source = from != from_.end() ? from->second : source_(name);
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, source.empty() ? "" : absl::StrCat(" (", source, ")"), ": ", what));
  }
  // Of what CLI11 said of the source that is being read.
  absl::Status Wrong(const CLI::ParseError& error) const {
    const std::string what = error.what();
    const bool named = absl::StartsWith(what, "--") && absl::StrContains(what, ": ");
    const std::string name = named ? what.substr(2, what.find(": ") - 2) : "";
    if (error.get_name() == "ConfigError") return Wrong("config", absl::StrCat(config_file(), ": ", what));
    if (named && error.get_name() == "ArgumentMismatch") return Wrong(name, "a value is missing");
    if (named) return Wrong(name, what.substr(name.size() + 4));
    return absl::InvalidArgumentError(absl::StrCat(what, "; leasemapd --help lists the flags"));
  }

 private:
  static std::string NameOf(const CLI::Option* option) { return option->get_name().substr(2); }
  std::vector<CLI::Option*> Settable() {
    std::vector<CLI::Option*> out = {app_.get_option("--config")};
    for (const Flag& flag : Flags()) out.push_back(app_.get_option(absl::StrCat("--", flag.name)));
    return out;
  }
  // Notes this source for the flags that no earlier source set.
  void Note(const std::function<std::string(const std::string&)>& source) {
    for (const CLI::Option* option : Settable()) {
      if (option->count() > 0) from_.emplace(NameOf(option), source(NameOf(option)));
    }
  }

  CLI::App app_{kDescription, "leasemapd"};
  std::map<std::string, int> lines_;         // of the configuration file, by name
  std::map<std::string, std::string> from_;  // where each flag was set; "": on the command line
  std::function<std::string(const std::string&)> source_ = [](const std::string&) { return ""; };
};

absl::Status SetTls(const Reader& reader, Options& out) {
  out.tls = {reader.Get<std::string>("tls-cert"), reader.Get<std::string>("tls-key"),
             reader.Get<std::string>("tls-ca")};
  out.tls_client_auth = reader.Get<std::string>("tls-client-auth");
  out.tls_transition = reader.Get<bool>("tls-transition");
  const bool any = !out.tls.certificate.empty() || !out.tls.key.empty() || !out.tls.authorities.empty();
  for (const auto& [name, path] :
       {std::pair{"tls-cert", &out.tls.certificate}, {"tls-key", &out.tls.key}, {"tls-ca", &out.tls.authorities}}) {
    if (any && path->empty()) {
      return reader.Wrong(name, "is missing; --tls-cert, --tls-key and --tls-ca are given together");
    }
  }
  if (!any && out.tls_client_auth != "off") {
    return reader.Wrong("tls-client-auth", "needs --tls-cert, --tls-key and --tls-ca");
  }
  if (!any && out.tls_transition) {
    return reader.Wrong("tls-transition", "needs --tls-cert, --tls-key and --tls-ca");
  }
  return absl::OkStatus();
}

absl::Status SetAddresses(const Reader& reader, Options& out) {
  const bool insecure = reader.Get<bool>("insecure");
  for (auto [name, to] :
       {std::pair{"listen", &out.listen}, {"mesh-listen", &out.mesh_listen}, {"http-listen", &out.http_listen}}) {
    *to = reader.Get<std::string>(name);
    const bool over_tls = to != &out.http_listen && !out.tls.certificate.empty() && !out.tls_transition;
    if (insecure || over_tls || IsLoopback(*to)) continue;
    return reader.Wrong(name, absl::StrCat(*to, " is beyond loopback, and ",
                                           to == &out.http_listen ? "this port is plain text"
                                           : out.tls_transition   ? "with --tls-transition it takes plain text, too"
                                                                  : "without --tls-cert this port is plain text",
                                           "; if the network is trusted, pass --insecure"));
  }
  out.node.advertise = reader.Get<std::string>("advertise");  // not listened on: it may be anywhere
  return absl::OkStatus();
}

absl::StatusOr<Options> MakeOptions(const Reader& reader, const std::string& host_name) {
  Options out;
  out.given_node_id = reader.Get<std::string>("node-id");
  out.node.node_id = out.given_node_id.empty() ? host_name : out.given_node_id;
  if (auto wrong = Name(out.node.node_id); !wrong.empty()) return reader.Wrong("node-id", wrong);
  out.node.cluster = reader.Get<std::string>("cluster");
  if (auto status = SetTls(reader, out); !status.ok()) return status;
  if (auto status = SetAddresses(reader, out); !status.ok()) return status;
  out.node.seeds = absl::StrSplit(reader.Get<std::string>("seeds"), ',', absl::SkipEmpty());
  const auto skew = reader.Get<int64_t>("max-clock-skew"), period = reader.Get<int64_t>("lease-duration");
  if (period < 4 * skew) {
    return reader.Wrong("lease-duration",
                        absl::StrCat(OutOfRange(period, 4 * skew, kYearMs), " (at least 4 times --max-clock-skew)"));
  }
  out.node.rules = {reader.Get<bool>("leasing"), period, skew};
  out.node.forget_after_ms = reader.Get<int64_t>("forget-after");
  out.node.min_members = reader.Get<size_t>("min-members");
  if (!reader.Get<std::string>("max-bytes").empty()) out.max_bytes = reader.Get<uint64_t>("max-bytes");
  out.node.max_keys = reader.Get<uint64_t>("max-keys");
  out.max_connections = reader.Get<uint64_t>("max-connections");
  out.max_watches = reader.Get<uint64_t>("max-watches");
  out.data_dir = reader.Get<std::string>("data-dir");
  out.fsync = reader.Get<std::string>("fsync");
  out.check_data = reader.Get<bool>("check-data");
  if (out.check_data && out.data_dir.empty()) return reader.Wrong("check-data", "name the folder in --data-dir");
  out.auth_file = reader.Get<std::string>("auth-file");
  out.node.count_owners = !out.auth_file.empty();
  out.log_level = reader.Get<std::string>("log-level");
  out.log_format = reader.Get<std::string>("log-format");
  return out;
}

}  // namespace

bool IsLoopback(const std::string& host_port) {
  const std::string host = net::ParseHostPort(host_port)->host;
  if (host == "localhost") return true;
  asio::error_code error;
  const auto ip = asio::ip::make_address(host, error);
  return !error && ip.is_loopback();
}

const std::vector<Flag>& Flags() {
  static const std::vector<Flag> flags = {
      {"node-id", "", "NAME",
       "name of this node, unique in the cluster, and the default holder (default: the host name)", Name},
      {"cluster", "leasemap", "NAME", "name of the cluster; nodes of other clusters are refused", Name},
      {"listen", "127.0.0.1:7400", "HOST:PORT", "address for clients (gRPC)", HostPort},
      {"mesh-listen", "127.0.0.1:7401", "HOST:PORT", "address for the other nodes", HostPort},
      {"advertise", "", "HOST:PORT",
       "address that other nodes dial (default: the local address of each link, with the mesh port)", HostPort},
      {"http-listen", "127.0.0.1:7402", "HOST:PORT", "address for metrics and the status page (not supported yet)",
       HostPort},
      {"seeds", "", "HOST:PORT,...", "other nodes, comma-separated; a host name means all its addresses", Seeds},
      {"leasing", "on", "on|off", "whether writes take leases; the same on all nodes", Bool, true},
      {"lease-duration", "1h", "DURATION",
       "the default lease, 4 times --max-clock-skew to 8760h; the same on all nodes", Duration(1, kYearMs)},
      {"data-dir", "", "FOLDER",
       "keeps the map, and the node's ID, over restarts; it is made if it is not there (default: memory only)", Path},
      {"fsync", "always", "WHEN",
       "when a write is on the disk: always (before it is answered), interval (within 100ms) or never (as the kernel "
       "likes); a power cut may lose what is not there",
       OneOf({"always", "interval", "never"})},
      {"check-data", "off", "on|off", "reads all of --data-dir, says what is there or what is damaged, and exits", Bool,
       true},
      {"min-members", "1", "NUMBER",
       "the node is not ready before it has linked with this many, itself included; 1 to 128",
       Number(1, core::kMaxMembers)},
      {"max-clock-skew", "500ms", "DURATION", "the most by which the clocks of two nodes may differ, 1ms to 1m",
       Duration(1, 60'000)},
      // Shorter than a few silences, a member that is only slow would be forgotten.
      {"forget-after", "72h", "DURATION", "a member that is silent for this time is forgotten; 10s to 8760h",
       Duration(10'000, kYearMs)},
      {"tls-cert", "", "FILE",
       "the node's certificate, PEM: clients and other nodes connect over TLS. `leasemap tls` makes it. The three "
       "files "
       "are read again when they change, and at SIGHUP",
       Path},
      {"tls-key", "", "FILE", "the key of --tls-cert, PEM without a password", Path},
      {"tls-ca", "", "FILE", "the authorities that signed the certificates of nodes and clients, PEM", Path},
      {"tls-client-auth", "off", "WHEN",
       "whether clients show a certificate of their own: off (none is asked for), optional or require",
       OneOf({"off", "optional", "require"})},
      {"tls-transition", "off", "on|off",
       "both ports take plain text as well as TLS, while a cluster goes from the one to the other without a stop "
       "(docs/security.md)",
       Bool, true},
      {"auth-file", "", "FILE",
       "who may do what: principals, their tokens or certificates, and their rights (docs/security.md). It is read "
       "again "
       "when it changes, and at SIGHUP. Without it every client may do everything",
       Path},
      {"insecure", "off", "on|off", "serve plain text beyond loopback", Bool, true},
      // Less would not take a map of a few values of the largest size.
      {"max-bytes", "", "BYTES",
       "memory that the map may take, as 512MiB or 4GiB (default: half of the memory of the process)",
       Bytes(16 * core::kMaxValueBytes)},
      {"max-keys", "10000000", "NUMBER",
       "keys of the map, with the deleted ones that are still kept; the same on all nodes", Number(1, 1'000'000'000)},
      {"max-connections", "10000", "NUMBER",
       "connections of clients at once; fewer if there are too few file descriptors", Number(1, 1'000'000)},
      {"max-watches", "10000", "NUMBER", "watches at once; one connection may have a tenth of them",
       Number(1, 1'000'000)},
      {"log-level", "info", "LEVEL", "trace, debug, info, warn or error; SIGHUP reads it and the seeds again",
       OneOf({"trace", "debug", "info", "warn", "error"})},
      {"log-format", "text", "text|json", "lines of text, or one JSON object per line", OneOf({"text", "json"})},
  };
  return flags;
}

absl::StatusOr<Reading> ReadOptions(const std::vector<std::string>& arguments, const std::string& host_name,
                                    const std::string& version) {
  Reader reader(version);
  Reading out;
  try {
    reader.ReadFlags(arguments);
    reader.ReadEnvironment();
    reader.ReadFile();
  } catch (const CLI::CallForHelp&) {
    out.show = reader.Help();
    return out;
  } catch (const CLI::CallForVersion&) {
    out.show = version + "\n";
    return out;
  } catch (const CLI::ParseError& error) {
    return reader.Wrong(error);
  }
  auto options = MakeOptions(reader, host_name);
  if (!options.ok()) return options.status();
  out.options = *std::move(options);
  out.config_file = reader.config_file();
  for (const Flag& flag : Flags()) out.values[flag.name] = reader.Get<std::string>(flag.name);
  return out;
}

std::vector<std::string> WaitForRestart(const Reading& before, const Reading& after) {
  std::vector<std::string> names;
  for (const Flag& flag : Flags()) {
    const std::string name = flag.name;
    if (name != "seeds" && name != "log-level" && before.values.at(name) != after.values.at(name)) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace leasemap
